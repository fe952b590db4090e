"""`python -m benchmarks store`, in its quick size."""

import json
from pathlib import Path

import pytest

from benchmarks import store
from benchmarks.__main__ import main
from s3prl_plugin import superb

pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")


def test_the_workload_is_what_the_bars_are_for():
    work = store.workload(quick=False)
    nowhere = superb.TaskCorpus(Path(), "c", "generated", Path())
    assert (work.config.dim, work.config.layers, work.epochs) == (768, (4, 4, 4), 10)
    assert work.words[0] + 3 == work.batch_size * work.steps  # three files of noise: every utterance is in an epoch
    assert work.batch_size == superb.task("KS").settings({}, nowhere)["downstream_expert"]["datarc"]["batch_size"]
    assert (store.BAR, store.BAR_ONE_TAP) == (5, 8)
    tap = work.config.taps()[work.layer]
    assert (tap.name, tap.stride) == ("enc0.layer3", 320)


@pytest.mark.slow
def test_the_command_gives_a_ratio_for_the_weighted_sum_and_one_for_a_tap(capsys):
    assert main(["store", "--quick", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == ["KS, weighted sum of all layers", "KS, -l 2 (enc0.layer1)"]
    for row in rows:
        assert row["ratio"] > 0
        assert row["bar"] is None
        assert "2 epochs of 4 x 4" in row["note"]
        assert "random crops" in row["note"]
