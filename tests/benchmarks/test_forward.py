"""`python -m benchmarks forward`: that it measures what it says, in its quick size."""

import json
import re

import pytest
import torch

from benchmarks import forward
from benchmarks.__main__ import main
from benchmarks.ratios import Measuring
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import small


def test_both_files_hold_the_same_network(tmp_path):
    config = small.small_config(dim=32, layers=(1, 2, 1))
    ours, theirs = forward.write_checkpoints(tmp_path, config)
    here, there = forward._load_ours(ours, "cpu"), forward._load_theirs(theirs, "cpu")
    batch = forward._noise((0.5, 0.5), "cpu")
    with torch.no_grad():
        pairs = list(zip(here(batch)["hidden_states"], there(batch)["hidden_states"], strict=True))
    assert len(pairs) == 7
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)


def test_two_that_do_not_compute_the_same_are_not_compared(tmp_path):
    config = small.small_config(dim=32, layers=(1, 1, 1))
    ours, theirs = forward.write_checkpoints(tmp_path, config)
    here, there = forward._load_ours(ours, "cpu", random_weights=True, seed=7), forward._load_theirs(theirs, "cpu")
    with pytest.raises(UserError, match="differ from s3prl's"):
        forward._refuse_disagreement(there, here, forward._noise((0.5,), "cpu"))


def test_the_workload_is_what_the_bars_are_for():
    work = forward.workload(quick=False)
    assert (work.config.dim, work.config.layers, work.config.ratios) == (768, (4, 4, 4), ((1, 2),))
    assert (min(work.variable_s), max(work.variable_s), len(work.variable_s)) == (2, 15, 8)
    assert len(set(work.fixed_s)) == 1
    assert round(forward._share(work.config, "enc0.layer3", 1.0), 2) == 0.65
    bars = forward._bars(Measuring())
    assert (bars["float32"], bars["variable"], round(1 / bars["stop_at"], 9)) == (1.0, 1.3, 0.75)
    assert set(forward._bars(Measuring(quick=True)).values()) == {None}


@pytest.mark.slow
def test_the_command_gives_a_line_per_ratio(capsys):
    assert main(["forward", "--quick", "--rounds", "1", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [list(row)[:3] for row in rows] == [["name", "ratio", "bar"]] * 6
    assert all(row["ratio"] > 0 and row["bar"] is None for row in rows)
    assert rows[-1]["name"].startswith("peak memory")
    assert re.search(r"multiply-accumulates is 0\.\d\d for 1 s", rows[4]["note"])


def test_a_missed_bar_is_said_and_shows_in_the_exit_status(capsys, monkeypatch):
    from benchmarks.ratios import Ratio

    found = [
        Ratio(name="fast", value=1.5, low=1.4, high=1.6, there="3 s", here="2 s", bar=1.3),
        Ratio(name="slow", value=0.9, low=0.9, high=0.9, there="9 MB", here="10 MB", bar=1.0, note="why"),
    ]
    monkeypatch.setattr(forward, "measure", lambda settings: iter(found))
    assert main(["forward"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].split() == ["fast", "3", "s", "2", "s", "1.50", "1.40", "to", "1.60", "1.30", "reached"]
    assert lines[-2].endswith("1.00 MISSED")
    assert lines[-1].strip() == "why"
    monkeypatch.setattr(forward, "measure", lambda settings: iter(found[:1]))
    assert main(["forward"]) == 0


@pytest.mark.parametrize(
    ("words", "told"), [(["--rounds", "0"], "--rounds 0"), (["--device", "cuda:9"], "leave --device out")]
)
def test_mistakes(capsys, words, told):
    if torch.cuda.is_available() and "cuda:9" in words:
        pytest.skip("this machine has a GPU")
    assert main(["forward", *words]) == 2
    assert told in capsys.readouterr().err
