"""The facts of an upstream beside its results, and the time of its forward passes."""

import time

import planted_results
import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.states import upstream_facts
from s3prl_plugin.states.forward_time import GROUPS, ForwardTime
from s3prl_plugin.states.taps import Tap


def test_facts_survive_the_file(tmp_path):
    facts = planted_results.facts(forward=planted_results.forward())
    upstream_facts.write(tmp_path, facts)
    read = upstream_facts.read(tmp_path)
    assert read.taps == facts.taps
    assert read.forward == facts.forward
    assert (read.training, read.options, read.checkpoint_sha256) == (facts.training, {}, "0" * 64)
    assert upstream_facts.read(tmp_path / "elsewhere") is None


def test_what_was_measured_is_kept_by_a_run_that_measures_nothing(tmp_path):
    measured = planted_results.facts(forward=planted_results.forward())
    upstream_facts.write(tmp_path, measured)
    upstream_facts.write(tmp_path, planted_results.facts())
    assert upstream_facts.read(tmp_path).forward == measured.forward
    upstream_facts.write(tmp_path, planted_results.facts(sha="1"))
    assert upstream_facts.read(tmp_path).forward is None


def test_a_study_of_tasks_alone_has_them_in_the_folders_of_its_seeds(tmp_path):
    upstream_facts.write(tmp_path / "seed7", planted_results.facts())
    assert upstream_facts.read(tmp_path).upstream == "entry"


@pytest.mark.parametrize("content", ["{", '{"upstream": "u", "taps": [{}]}', '{"forward": {"groups": 3}}', "[]"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / upstream_facts.FILE_NAME).write_text(content)
    with pytest.raises(UserError, match=r"upstream\.json: not the facts of an upstream"):
        upstream_facts.read(tmp_path)


def test_a_foreign_upstream_says_what_it_is_and_what_was_seen():
    taps = [Tap(i, f"layer{i}", None, f"layer{i}", 320, 8) for i in range(3)]
    facts = upstream_facts.of_upstream(torch.nn.Linear(2, 2), {"upstream": "hubert_base", "params": 6}, taps)
    assert facts.training is None
    assert facts.architecture == {"kind": "torch.nn.modules.linear.Linear", "taps": 3, "dim": 8}
    assert (facts.upstream, facts.params, facts.options) == ("hubert_base", 6, {})


def test_forward_passes_are_timed_but_for_the_first(monkeypatch):
    now = iter(range(1000))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(now)))
    forward = ForwardTime()
    assert forward.found() is None
    for batch in range(2 * GROUPS + 2):
        assert forward.of(lambda waveforms: len(waveforms), [torch.zeros(16000)] * (1 + batch % 2)) == 1 + batch % 2
    found = forward.found()
    assert (found.batches, found.batch_size, found.device) == (2 * GROUPS + 1, 2, "cpu")
    assert len(found.groups) == GROUPS
    assert found.audio_s == sum(1 + batch % 2 for batch in range(1, 2 * GROUPS + 2))
    assert found.seconds_per_second == pytest.approx((2 * GROUPS + 1) / found.audio_s)
    assert found.threads == torch.get_num_threads()
