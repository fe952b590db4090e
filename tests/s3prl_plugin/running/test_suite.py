"""What drives a suite: one failure does not take the others down, and what is finished is not run again."""

import io
import os
import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest

from s3prl_plugin import results, superb
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import suite
from s3prl_plugin.running.progress import Progress

SETTINGS = {"runner": {"total_steps": 10}}


class Made:
    """A suite whose tasks do what `does` says: a score, or an error to raise; notes which ran."""

    def __init__(self, monkeypatch, folder, does, analyses=None):
        self.folder, self.does, self.analyses, self.ran = folder, does, analyses, []
        tasks = [SimpleNamespace(name=n, title="t", split="test", parts={}, check=self.check) for n in does]
        for task in tasks:
            task.settings = lambda options, corpus: SETTINGS
            task.steps = lambda settings: settings["runner"]["total_steps"]
        asked = [superb.SuiteTask(task, {}, "generated") for task in tasks]
        fakes = {"asked": lambda _: asked, "prepare": self.prepare, "run": self.run_task, "weight_rows": lambda *_: []}
        fakes |= {"rows": self.rows, "Record": superb.Record, "SuiteTask": superb.SuiteTask}
        monkeypatch.setattr(suite, "superb", SimpleNamespace(**fakes))
        bench = SimpleNamespace(features=None, what_decides_a_score=lambda: {"seed": 1}, check_rate=lambda *_: [])
        monkeypatch.setattr(suite, "TaskRunners", lambda runner, progress: bench)
        monkeypatch.setattr(suite.provenance, "of_upstream", lambda *_: {"upstream": "u", "versions": {}})
        monkeypatch.setattr(sys, "argv", ["the_program", "-p", "a folder"])

        self.begun = []
        monkeypatch.setattr(Progress, "begin", lambda _, name, others_s=None: self.begun.append(name))

    def check(self, settings, corpus):
        if isinstance(self.does.get("unprepared"), UserError):
            raise self.does["unprepared"]

    def prepare(self, task, spec, folder):
        if task.name == "unprepared" and isinstance(self.does[task.name], RuntimeError):
            raise self.does[task.name]
        return superb.TaskCorpus(folder, "c", "generated", folder)

    def run_task(self, task, settings, record, bench):
        self.ran.append(task.name)
        if isinstance(self.does[task.name], BaseException):
            raise self.does[task.name]
        record.finish("states-10.ckpt", {"score": self.does[task.name]})

    def rows(self, task, record, provided, corpus):
        fields = {"measure": task.name, "score": "accuracy", "headline": True, **provided}
        return [results.Row(value=record.scalars["score"], **fields)]

    def evaluate(self):
        self.ran.append("analyses")
        if self.analyses:
            raise self.analyses

    def run(self):
        """The exit status, and what the user saw."""
        stream = io.StringIO()
        runner = SimpleNamespace(
            args=Namespace(expdir=str(self.folder)),
            config={"suite": {}},
            upstream=SimpleNamespace(model=None),
            downstream=SimpleNamespace(model=SimpleNamespace(analyses={"mi": None})),
            evaluate=self.evaluate,
        )
        with replaced(sys, stdout=stream, stderr=stream), Progress(self.folder) as progress:
            try:
                status = suite.Suite(runner, progress).run()
            finally:
                self.seen = stream.getvalue()
        return status, stream.getvalue()


def test_all_are_run_and_told(monkeypatch, tmp_path):
    made = Made(monkeypatch, tmp_path, {"KS": 0.9, "SID": 0.5})
    status, seen = made.run()
    assert (status, made.ran) == (0, ["analyses", "KS", "SID"])
    assert {row.measure: row.value for row in results.read(tmp_path)} == {"KS": 0.9, "SID": 0.5}
    assert "accuracy 0.9000" in seen
    assert str(tmp_path / "log.txt") in seen
    assert "failed" not in seen


@pytest.mark.parametrize("broken", ["KS", "unprepared", "analyses"])
def test_one_failure_does_not_take_the_others_down(monkeypatch, tmp_path, broken):
    error = RuntimeError("of a kind that nobody foresaw")
    does = {"KS": 0.9, "unprepared": 0.1, "SID": 0.5}
    if broken == "analyses":
        made = Made(monkeypatch, tmp_path, does, analyses=error)
    else:
        made = Made(monkeypatch, tmp_path, {**does, broken: error})
    status, seen = made.run()
    assert status == 1
    expected = {**does}
    expected.pop(broken, None)
    assert {row.measure: row.value for row in results.read(tmp_path)} == expected
    assert seen.count("RuntimeError: of a kind that nobody foresaw") == 2  # at once, and in the end
    assert "the same command tries again: python -m the_program -p 'a folder'" in seen
    assert "Traceback" not in seen
    assert "Traceback" in (tmp_path / "log.txt").read_text()
    assert (tmp_path / "failed.txt").read_text() == f"{broken}: RuntimeError: of a kind that nobody foresaw\n"


def test_the_same_command_runs_what_failed_and_no_more(monkeypatch, tmp_path):
    made = Made(monkeypatch, tmp_path, {"KS": 0.9, "SID": OSError("disk full")})
    assert made.run()[0] == 1
    made.ran.clear()
    made.does["SID"] = 0.5
    status, seen = made.run()
    assert (status, made.ran) == (0, ["analyses", "SID"])
    assert "finished before" in seen
    assert not (tmp_path / "failed.txt").exists()
    assert made.begun[-2:] == ["[1/3] analyses", "[3/3] SID"]
    assert {row.measure: row.value for row in results.read(tmp_path)} == {"KS": 0.9, "SID": 0.5}


def test_a_finished_task_is_of_the_audio_that_was_there(monkeypatch, tmp_path):
    made = Made(monkeypatch, tmp_path / "out", {"KS": 0.9})
    data = tmp_path / "out" / "data" / "train"
    data.mkdir(parents=True)
    for i in range(3):
        (data / f"{i}.wav").write_bytes(b"RIFF" + bytes([i]) * 60_000)
    made.run()
    os.utime(data / "0.wav", (1, 1))  # as a copy has it
    made.ran.clear()
    assert made.run()[0] == 0
    assert "KS" not in made.ran
    (data / "1.wav").write_bytes(b"RIFF" + b"x" * 60_000)
    for _ in range(2):
        with pytest.raises(UserError, match=r"another audio .* has changed since: train/1\.wav$"):
            made.run()


def test_what_the_user_can_mend_before_hours_of_work_stops_it_all(monkeypatch, tmp_path):
    made = Made(monkeypatch, tmp_path, {"KS": 0.9, "unprepared": UserError("lexicon: no such file")})
    with pytest.raises(UserError, match="lexicon"):
        made.run()
    assert made.ran == []


def test_ctrl_c_stops_it_all_and_says_how_it_goes_on(monkeypatch, tmp_path):
    made = Made(monkeypatch, tmp_path, {"KS": KeyboardInterrupt(), "SID": 0.5})
    with pytest.raises(KeyboardInterrupt):
        made.run()
    assert made.ran == ["analyses", "KS"]
    assert "the same command goes on: python -m the_program" in made.seen


def test_of_several_processes_none_waits_for_one_that_failed(monkeypatch, tmp_path):
    monkeypatch.setattr(suite.ranks, "count", lambda: 2)
    made = Made(monkeypatch, tmp_path, {"KS": RuntimeError("on one of them"), "SID": 0.5})
    with pytest.raises(RuntimeError, match="on one of them"):
        made.run()
    assert made.ran == ["analyses", "KS"]


def test_what_a_killed_run_left_half_made_is_removed(monkeypatch, tmp_path):
    half = tmp_path / "data" / ".voxceleb1.abcd"
    half.mkdir(parents=True)
    (tmp_path / "data" / "speech_commands").mkdir()
    Made(monkeypatch, tmp_path, {"KS": 0.9}).run()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["speech_commands"]
