"""How tasks are run, with runners whose scores are written down beforehand."""

from pathlib import Path

import pytest
import torch

from s3prl_plugin import superb
from s3prl_plugin.superb import procedures
from s3prl_plugin.superb.tasks import Task, TaskScore, get

SCORES = (TaskScore("wrong", "task/test-wrong", "fraction", higher_is_better=False, headline=True),)


def task(**changes):
    fields = {"name": "T", "title": "a test", "downstream": "d", "config": "c", "dataset": "D", "layout": "l"}
    fields |= {"needs": (), "corpus": {}, "split": "test", "scores": SCORES}
    return Task(**fields | changes)


class Bench:
    """Gives runners that write checkpoints and log what `scores` says; notes all they do."""

    checks_store = False

    def __init__(self, scores, steps=(), layers=()):
        self.progress, self.parts = self, []
        self.scores, self.steps, self.numbers, self.done = scores, steps, list(layers), []

    def layers(self):
        return self.numbers

    def part(self, name, number, count):
        self.parts.append((name, number, count))

    def task_runner(self, task, settings, folder, checkpoint=None, layer=None):
        return Runner(self, task, settings, folder, checkpoint, layer)


class Runner:
    def __init__(self, bench, task, settings, folder, checkpoint, layer):
        self.bench, self.task, self.settings, self.folder = bench, task, settings, folder
        self.which = checkpoint.name if checkpoint else layer
        self.init_ckpt = {"Step": 7} if checkpoint else {}

    def train(self):
        self.bench.done.append(("train", self.folder.name, self.which))
        for step in self.bench.steps:
            torch.save({"Step": step}, self.folder / f"states-{step}.ckpt")

    def evaluate(self, split, logger, global_step):
        assert global_step == self.init_ckpt.get("Step", 0)
        self.bench.done.append((split, self.folder.name, self.which))
        key = (split, self.folder.name, self.which)
        tag = self.task.scores[0].tag.format(part=self.folder.name)
        logger.add_scalar(tag, self.bench.scores[key], global_step=global_step)
        (self.folder / "predictions.txt").write_text(str(key))


def open_record(folder):
    return superb.Record.open(folder / "T", {"runner": {}}, {"seed": 1})


def test_the_best_checkpoint_on_dev_is_scored(tmp_path):
    record = open_record(tmp_path)
    torch.save({}, record.folder / "dev-clean-best.ckpt")
    bench = Bench({("test", "T", "dev-clean-best.ckpt"): 0.25}, steps=[10])
    superb.run(task(best="dev-clean-best.ckpt"), {}, record, bench)
    assert bench.done == [("train", "T", None), ("test", "T", "dev-clean-best.ckpt")]
    assert open_record(tmp_path).scalars == {"task/test-wrong": 0.25}
    assert open_record(tmp_path).checkpoint == "dev-clean-best.ckpt"


def test_training_goes_on_from_the_last_checkpoint_which_counts_where_none_is_best(tmp_path):
    record = open_record(tmp_path)
    torch.save({"Step": 5}, record.folder / "states-5.ckpt")
    bench = Bench({("test", "T", "states-10.ckpt"): 0.5}, steps=[5, 10])
    superb.run(task(), {}, record, bench)
    assert bench.done == [("train", "T", "states-5.ckpt"), ("test", "T", "states-10.ckpt")]


def test_of_folds_the_mean_counts_and_what_is_done_is_not_done_again(tmp_path):
    scores = (TaskScore("right", "task-{part}/test-acc", "fraction", higher_is_better=True, headline=True),)
    folded = task(procedure="folds", scores=scores, parts={f"f{i}": {"a.fold": f"f{i}"} for i in (1, 2, 3)})
    bench = Bench({("test", f"f{i}", "states-1.ckpt"): value for i, value in ((1, 0.2), (2, 0.4))}, steps=[1])
    record = open_record(tmp_path)
    with pytest.raises(KeyError):  # the third fold fails
        superb.run(folded, {"a": {"fold": None}}, record, bench)
    assert not open_record(tmp_path).finished
    bench.scores["test", "f3", "states-1.ckpt"] = 0.9
    bench.done.clear()
    superb.run(folded, {"a": {"fold": None}}, open_record(tmp_path), bench)
    assert {folder for _, folder, _ in bench.done} == {"f3"}
    assert bench.parts == [("f1", 1, 3), ("f2", 2, 3), ("f3", 3, 3), ("f3", 3, 3)]
    (row,) = superb.rows(folded, open_record(tmp_path), {"upstream": "u"}, corpus(tmp_path))
    assert row.value == pytest.approx(0.5)
    assert row.folds == 3


def test_every_fold_has_its_own_settings(tmp_path):
    seen = []

    class Noting(Bench):
        def task_runner(self, task, settings, folder, checkpoint=None, layer=None):
            seen.append((folder.name, get(settings, "a.fold")))
            return super().task_runner(task, settings, folder, checkpoint, layer)

    folded = task(procedure="folds", parts={f"f{i}": {"a.fold": f"f{i}"} for i in (1, 2)})
    bench = Noting({("test", f"f{i}", "states-1.ckpt"): 0.0 for i in (1, 2)}, steps=[1])
    superb.run(folded, {"a": {"fold": None}}, open_record(tmp_path), bench)
    assert set(seen) == {("f1", "f1"), ("f2", "f2")}


@pytest.mark.parametrize(("higher", "best"), [(False, "states-100.ckpt"), (True, "states-20.ckpt")])
def test_of_all_checkpoints_the_best_counts(tmp_path, higher, best):
    scores = (TaskScore("s", "task/test-s", "fraction", higher_is_better=higher, headline=True),)
    values = {"states-10.ckpt": 0.3, "states-20.ckpt": 0.9, "states-100.ckpt": 0.1}
    bench = Bench({("test", "T", name): value for name, value in values.items()}, steps=[10, 20, 100])
    every = task(procedure="every_checkpoint", scores=scores, predictions=("predictions.txt",))
    superb.run(every, {"runner": {"total_steps": 100}}, open_record(tmp_path), bench)
    record = open_record(tmp_path)
    assert (record.checkpoint, record.scalars) == (best, {"task/test-s": values[best]})
    assert list(record.trials) == ["states-10.ckpt", "states-20.ckpt", "states-100.ckpt"]
    assert best in (record.folder / "predictions.txt").read_text()


def test_of_twenty_checkpoints_the_ten_of_superb_are_scored(tmp_path):
    steps = range(10_000, 200_001, 10_000)
    ten = [f"states-{step}.ckpt" for step in range(20_000, 200_001, 20_000)]
    values = {("test", "T", name): 0.5 + i / 100 for i, name in enumerate(ten)}
    values["test", "T", "states-30000.ckpt"] = 0.0  # better than all, and none of the ten
    record = open_record(tmp_path)
    every = task(procedure="every_checkpoint")
    superb.run(every, {"runner": {"total_steps": 200_000}}, record, Bench(values, steps=steps))
    assert (list(record.trials), record.checkpoint) == (ten, "states-20000.ckpt")


def test_where_none_was_saved_at_a_tenth_the_last_one_is_scored(tmp_path):
    record = open_record(tmp_path)
    bench = Bench({("test", "T", "states-8.ckpt"): 0.5}, steps=[4, 8])
    superb.run(task(procedure="every_checkpoint"), {"runner": {"total_steps": 11}}, record, bench)
    assert list(record.trials) == ["states-8.ckpt"]


def test_checkpoints_that_were_scored_are_not_scored_again(tmp_path):
    every = task(procedure="every_checkpoint")
    bench = Bench({("test", "T", "states-1.ckpt"): 0.5}, steps=[1, 2])
    with pytest.raises(KeyError):
        superb.run(every, {"runner": {"total_steps": 2}}, open_record(tmp_path), bench)
    bench.scores["test", "T", "states-2.ckpt"] = 0.5
    bench.done.clear()
    superb.run(every, {"runner": {"total_steps": 2}}, open_record(tmp_path), bench)
    assert [split for split, _, which in bench.done if which == "states-1.ckpt"] == []
    assert open_record(tmp_path).checkpoint == "states-1.ckpt"  # of equals the first


def test_the_layer_that_is_best_on_dev_is_scored_on_test(tmp_path):
    scores = {("dev", "T", 0): 0.4, ("dev", "T", 1): 0.1, ("dev", "T", 2): 0.2, ("test", "T", 1): 0.9}
    bench = Bench(scores, layers=[0, 1, 2])
    layered = task(procedure="layers", predictions=("predictions.txt",))
    superb.run(layered, {}, open_record(tmp_path), bench)
    record = open_record(tmp_path)
    assert (record.checkpoint, record.scalars) == ("layer 1", {"task/test-wrong": 0.9})
    assert bench.done == [("dev", "T", 0), ("dev", "T", 1), ("dev", "T", 2), ("test", "T", 1)]
    assert (record.folder / "predictions.txt").read_text() == str(("test", "T", 1))
    assert [part[1:] for part in bench.parts] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert len(list((record.folder / "trials").glob("*/predictions.txt"))) == 4


def test_a_scorer_adds_what_the_downstream_leaves_unscored(tmp_path, monkeypatch):
    import sys
    import types

    scorer = types.ModuleType("s3prl_plugin.superb.made_up_scorer")
    scorer.score = lambda folder, split, settings: {"extra": len(split) + settings["x"]}
    monkeypatch.setitem(sys.modules, scorer.__name__, scorer)
    bench = Bench({("test", "T", "states-1.ckpt"): 0.5}, steps=[1])
    superb.run(task(scorer="made_up_scorer"), {"x": 3}, open_record(tmp_path), bench)
    assert open_record(tmp_path).scalars == {"task/test-wrong": 0.5, "extra": 7}


@pytest.mark.parametrize(
    ("procedure", "reported"), [("trained", "states-1.ckpt"), ("every_checkpoint", "states-1.ckpt"), ("layers", 0)]
)
def test_a_store_is_checked_on_what_is_reported(tmp_path, capsys, procedure, reported):
    class Storing(Bench):
        checks_store = True

        def task_runner(self, task, settings, folder, checkpoint=None, layer=None, stored=True):
            return Runner(self, task, settings, folder, checkpoint, layer)

    scores = {("dev", "T", 0): 0.2, ("test", "T", reported): 0.25, ("test", "fresh_features", reported): 0.24}
    bench = Storing(scores, steps=[1], layers=[0])
    record = open_record(tmp_path)
    settings = {"runner": {"total_steps": 1}}
    superb.run(task(procedure=procedure, predictions=("predictions.txt",)), settings, record, bench)
    assert record.scalars == {"task/test-wrong": 0.25}
    assert record.trials["fresh features"] == {"task/test-wrong": 0.24}
    assert "task/test-wrong 0.25 with the store, 0.24 on fresh features (+0.01)" in capsys.readouterr().out
    assert "fresh" not in (record.folder / "predictions.txt").read_text()


def test_every_procedure_of_the_ten_tasks_exists():
    assert {found.procedure for found in superb.tasks().values()} == set(procedures.PROCEDURES)


def corpus(folder: Path):
    return superb.TaskCorpus(folder, "c", "generated", folder)
