"""`python -m benchmarks analysis`: that it measures what it says, in its quick size."""

import json
import sys
import types

import pytest

from benchmarks import analysis, simulated, steps
from benchmarks.__main__ import main
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.states.taps import Tap


def test_the_simulated_corpus_is_as_long_as_it_says():
    corpus = simulated.corpus(hours=0.05, utterance_s=6)
    assert corpus.duration_s == 180
    assert len(corpus.speakers) == 30
    plan = Plan(corpus, 0)
    plan.frame_utterances(None)
    assert sorted(p for batch in simulated.batches(plan) for p in batch) == list(range(30))
    taps = (Tap(0, "a", None, "a", 320, 4), Tap(1, "b", None, "b", 640, 4))
    (states,) = simulated.cheap_states(taps, 1, 6)
    assert [tuple(t.shape) for t in states.tensors] == [(8, 298, 4), (8, 149, 4)]


def test_what_is_added_is_the_sum_of_its_parts():
    found = analysis._share("x", 100.0, {"statistics": 15.0, "scores": 5.0}, 0.25)
    assert (found.value, found.bar, found.reached) == (5.0, 4.0, True)
    assert found.note == "adds 20.0 % to the forward pass: statistics 15 s, scores 5 s"
    assert not analysis._share("x", 100.0, {"statistics": 26.0}, 0.25).reached


def test_steps_are_timed_without_what_lies_within_them(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(steps.time, "process_time", lambda: next(now))

    class Work:
        def outer(self):
            next(now)
            self.inner()

        def inner(self):
            pass

    monkeypatch.setitem(sys.modules, "work", types.SimpleNamespace(Work=Work))
    plain = Work.outer
    with steps.Steps({"a": ("work:Work.outer",), "b": ("work:Work.inner",)}) as timed:
        Work().outer()
    assert timed.seconds == {"a": 3, "b": 1}
    assert Work.outer is plain


@pytest.mark.slow
def test_the_command_gives_a_line_per_ratio(capsys):
    assert main(["analysis", "--quick", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"].split(",")[0] for row in rows] == [
        "statistics",
        "CCA",
        "CCA and mi_phone",
        "step: memory that the system hands out",
        *("step: " + name for name in analysis.STEPS),
        "memory",
    ]
    assert all(row["ratio"] > 0 and row["bar"] is None for row in rows)
