"""The engine of jobs: what is finished is skipped, a failure stays alone, and the time left is that of its kind."""

import itertools
import os
import signal
import sys
import time

import pytest

from s3prl_plugin import stopping
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs import engine as under_test
from s3prl_plugin.jobs.engine import Engine, Job
from s3prl_plugin.jobs.mark import Mark


@pytest.fixture
def clock(monkeypatch):
    """A clock that jobs move."""
    now = [0.0]
    monkeypatch.setattr(under_test.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "argv", ["the_program", "-p", "a folder"])
    return now


@pytest.fixture
def make(clock, tmp_path):
    """A job that takes a while and leaves a file, or raises; the names of those that ran."""

    def made(name, takes_s=60, error=None, **fields):
        product = tmp_path / name / "product"
        product.parent.mkdir(exist_ok=True)

        def run():
            made.ran.append(name)
            clock[0] += takes_s
            if error is not None:
                raise error
            product.write_text(name)

        mark = Mark(product, {"name": name})
        return Job(name=name, run=run, finished_s=mark.seconds(), finish=mark.write, **fields)

    made.ran = []
    return made


def run(jobs, **options):
    """The engine after its run, the exit status, and the lines that it said."""
    said = []
    engine = Engine("list", said.append, **options)
    status = engine.run(jobs)
    return engine, status, said


def test_what_is_finished_is_skipped_and_collected_all_the_same(make):
    collected = []

    def jobs(names):
        return [make(name, collect=lambda name=name: collected.append(name) or f"score {name}") for name in names]

    engine, status, said = run(jobs("a"))
    assert (status, make.ran, said) == (0, ["a"], ["1 of 1: a", "1 of 1: a: score a after 1:00"])
    engine, status, said = run(jobs("ab"))
    assert (make.ran, collected) == (["a", "b"], ["a", "a", "b"])
    assert said == ["2 of 2: b (about 1 min left)", "2 of 2: b: score b after 1:00"]
    assert [(each.name, each.score, each.seconds) for each in engine.outcomes] == [
        ("a", "score a", None),
        ("b", "score b", 60),
    ]
    assert [line.split() for line in engine.summary().splitlines()[1:]] == [
        ["a", "finished", "before", "score", "a"],
        ["b", "1:00", "score", "b"],
    ]


def test_a_failure_stays_alone_and_the_same_list_tries_it_again(make, capsys):
    engine, status, said = run([make("a"), make("b", error=UserError("b.pt: broken")), make("c")])
    assert (status, make.ran) == (1, ["a", "b", "c"])
    assert "2 of 3: b: failed after 1:00: b.pt: broken" in said
    assert engine.summary().splitlines()[-1] == (
        "1 of 3 failed; the same command tries again: python -m the_program -p 'a folder'"
    )
    assert capsys.readouterr().err == "", "the user can mend it"
    make.ran.clear()
    engine, status, _ = run([make("a"), make("b"), make("c")])
    assert (status, make.ran) == (0, ["b"])


def test_a_traceback_is_for_the_log_where_there_is_one(make, tmp_path, capsys):
    kept = []
    failing = make("a", error=ValueError("no such"))
    engine, _, said = run([failing], log=lambda text: kept.append(text) or tmp_path / "log.txt")
    assert engine.outcomes[0].failure == "ValueError: no such"
    assert said[-1].endswith(f"ValueError: no such (traceback: {tmp_path / 'log.txt'})")
    assert "Traceback" in kept[0]
    assert "Traceback" not in capsys.readouterr().err
    run([failing])
    assert "Traceback" in capsys.readouterr().err


def test_one_that_cannot_be_collected_has_failed(make):
    def collect():
        raise UserError("results.jsonl: damaged")

    engine, status, _ = run([make("a", collect=collect)])
    assert engine.outcomes[0].failure == "results.jsonl: damaged"
    engine, status, _ = run([make("a", collect=collect)])
    assert (status, make.ran) == (1, ["a"])


def test_the_time_left_is_told_by_jobs_of_the_same_kind_and_their_size(make):
    jobs = [
        make("a", 120, kind="analyses"),
        make("b", 240, kind="analyses"),
        make("c", 600, kind="tasks", size=10),
        make("d", 600, kind="tasks", size=20),
    ]
    shown = []
    _, _, said = run(jobs, begin=lambda name, others_s: shown.append((name, others_s)))
    assert [line for line in said if "after" not in line] == [
        "1 of 4: a",
        "2 of 4: b (about 2 min of analyses left)",
        "3 of 4: c",
        "4 of 4: d (about 20 min left)",
    ]
    assert shown == [("[1/4] a", None), ("[2/4] b", None), ("[3/4] c", None), ("[4/4] d", 0)]


def test_a_failure_tells_nothing_of_the_time_of_others(make):
    _, _, said = run([make("a", 60, UserError("no")), make("b", 180), make("c", 180)])
    assert said[2] == "2 of 3: b"
    assert said[4] == "3 of 3: c (about 3 min left)"


def test_one_that_finds_everything_done_is_finished_before(clock):
    engine, _, _ = run([Job(name="analyses", run=lambda: False)])
    assert engine.outcomes[0].seconds is None


def test_what_comes_next_may_depend_on_what_was(make):
    """The better of two is run once more; what follows a failure is skipped."""
    scores = {"a": 1, "b": 3, "c": 2}
    found = {}

    def jobs(engine):
        for name in "ab":
            yield make(name, collect=lambda name=name: found.setdefault(name, scores[name]) and name)
        yield make(f"{max(found, key=found.get)}_again")
        yield make("c", error=UserError("no"))
        assert engine.outcomes[-1].failure == "no"
        engine.turns += 1
        yield make("e")

    said = []
    engine = Engine("list", said.append)
    engine.run(jobs(engine), 6)
    assert make.ran == ["a", "b", "b_again", "c", "e"]
    assert "3 of 6: b_again (about 4 min left)" in said
    assert "6 of 6: e (about 1 min left)" in said
    make.ran.clear()
    found.clear()
    engine = Engine("list", said.append)
    engine.run(jobs(engine), 6)
    assert make.ran == ["c"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_and_says_how_it_goes_on(make, number):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell is without

    def stopped():
        os.kill(os.getpid(), number)
        time.sleep(10)

    said = []
    try:
        with pytest.raises(KeyboardInterrupt) as caught:
            Engine("list", said.append).run([make("a"), Job(name="b", run=stopped), make("c")])
    finally:
        signal.signal(signal.SIGINT, before)
    assert make.ran == ["a"]
    assert said[-1] == (
        "stopped; what is finished is kept, and the same command goes on: python -m the_program -p 'a folder'"
    )
    assert isinstance(caught.value, stopping.Stopped) == (number == signal.SIGTERM)


def test_of_several_processes_none_waits_for_one_that_failed(make, monkeypatch):
    monkeypatch.setattr(under_test.ranks, "count", lambda: 2)
    with pytest.raises(RuntimeError, match="on one of them"):
        run([make("a", error=RuntimeError("on one of them")), make("b")])
    assert make.ran == ["a"]


def test_of_several_processes_one_speaks(make, monkeypatch, capsys):
    for leads, expected in ((False, ""), (True, "[list] 2 jobs\n[list] 1 of 1: a")):
        monkeypatch.setattr(under_test.ranks, "leads", lambda leads=leads: leads)
        Engine("list").run([make("a", error=UserError("no"))], said="2 jobs")
        assert capsys.readouterr().out[: len(expected) or None] == expected


def test_nothing_to_do_is_well_done(clock):
    engine, status, said = run([])
    assert (status, said) == (0, [])
    assert list(itertools.islice(engine.outcomes, 1)) == []
