"""How a task is run: trained and scored once, fold by fold, checkpoint by checkpoint, or layer by layer.

Whatever has been done is kept in the task's record, so that an interrupted task goes on where it stopped.

Of several processes (torchrun) all train, each on its share of every epoch; the leader alone scores, on all of a split,
tells the others, and writes. All of them build every runner, since wrapping a model to be distributed takes them all.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

from s3prl_plugin import ranks
from s3prl_plugin.superb.record import Record
from s3prl_plugin.superb.scores import ScalarRecorder
from s3prl_plugin.superb.tasks import Task

FRESH = "fresh features"  # the trial of what was scored on features from a store, scored without it

TaskSettings = dict[str, Any]
Scalars = dict[str, float]


class TaskRunner(Protocol):
    """s3prl's runner of one downstream."""

    init_ckpt: dict[str, Any]

    def train(self) -> None:
        """Train it."""

    def evaluate(self, split: str, logger: Any, global_step: int) -> Any:
        """Score a split."""


class TaskProgress(Protocol):
    """Shows the user where a task is."""

    def part(self, name: str, number: int, count: int) -> None:
        """A part begins, the `number`th of `count`."""


class Bench(Protocol):
    """Where runners come from: the runners of a suite's tasks share its upstream."""

    @property
    def progress(self) -> TaskProgress:
        """Is told which part of a task runs."""

    @property
    def checks_store(self) -> bool:
        """Whether what was scored on features from a store is to be scored on fresh ones, too."""

    def task_runner(
        self,
        task: Task,
        settings: TaskSettings,
        folder: Path,
        checkpoint: Path | None = None,
        layer: int | None = None,
        stored: bool = True,
    ) -> TaskRunner:
        """A runner for a task in its folder, from a checkpoint of its own, and on one layer if one is named.

        Without `stored` it computes all features, be there a store or not.
        """

    def layers(self) -> Sequence[int]:
        """The layers of the upstream that a task may be run on, one by one."""


def run(task: Task, settings: TaskSettings, record: Record, bench: Bench) -> None:
    """Run a task to its end, or take up where an earlier run of it stopped, and put its scores into its record.

    Args:
        settings: the task's configuration.
        record: of the task's folder.
        bench: gives runners.

    Raises:
        UserError: training left nothing to score.
    """
    PROCEDURES[task.procedure](task, settings, record, bench)


def trained(task: Task, settings: TaskSettings, record: Record, bench: Bench) -> None:
    """Train, then score the checkpoint that was best on the dev set."""
    _train(task, settings, record, bench)
    checkpoint = record.best_checkpoint(task.best)
    scalars = _evaluate(task, settings, record.folder, task.split, bench.task_runner, checkpoint=checkpoint)
    _check_store(task, settings, record, bench, scalars, checkpoint=checkpoint)
    record.finish(checkpoint.name, scalars)


def folds(task: Task, settings: TaskSettings, record: Record, bench: Bench) -> None:
    """Train and score the task's parts one after another; a score is their mean."""
    scored = {}
    for number, name in enumerate(task.parts, 1):
        part = task.part(settings, name)
        part_record = record.part(name, part)
        if not part_record.finished:
            bench.progress.part(name, number, len(task.parts))
            trained(task, part, part_record, bench)
        scored[name] = part_record.scalars
    means = {score.tag: fmean(scored[name][score.tag.format(part=name)] for name in scored) for score in task.scores}
    record.finish(f"{task.best} of {', '.join(task.parts)}", means)


def every_checkpoint(task: Task, settings: TaskSettings, record: Record, bench: Bench) -> None:
    """Train, then score the checkpoints at every tenth of the training; the best of them counts."""
    _train(task, settings, record, bench)
    saved = _of_the_tenths(record.checkpoints(), settings["runner"]["total_steps"])
    for number, checkpoint in enumerate(saved, 1):
        if checkpoint.name not in record.trials:
            bench.progress.part(checkpoint.name, number, len(saved))
            scalars = _evaluate(task, settings, record.folder, task.split, bench.task_runner, checkpoint=checkpoint)
            _keep(task, record, checkpoint.name, scalars)
    best = _best(task, record, [checkpoint.name for checkpoint in saved])
    _check_store(task, settings, record, bench, record.trials[best], checkpoint=record.folder / best)
    _report(task, record, best, best)


def layers(task: Task, settings: TaskSettings, record: Record, bench: Bench) -> None:
    """Score every layer on the dev set without training anything, and the best of them on the task's split."""
    names = {f"layer {layer} on dev": layer for layer in bench.layers()}
    for number, (name, layer) in enumerate(names.items(), 1):
        if name not in record.trials:
            bench.progress.part(name, number, len(names) + 1)
            scalars = _evaluate(task, settings, record.folder, "dev", bench.task_runner, layer=layer)
            _keep(task, record, name, scalars)
    layer = names[_best(task, record, names)]
    final = f"layer {layer} on {task.split}"
    if final not in record.trials:
        bench.progress.part(final, len(names) + 1, len(names) + 1)
        scalars = _evaluate(task, settings, record.folder, task.split, bench.task_runner, layer=layer)
        _keep(task, record, final, scalars)
    _check_store(task, settings, record, bench, record.trials[final], layer=layer)
    _report(task, record, final, f"layer {layer}")


PROCEDURES: dict[str, Callable[[Task, TaskSettings, Record, Bench], None]] = {
    "trained": trained,
    "folds": folds,
    "every_checkpoint": every_checkpoint,
    "layers": layers,
}


def _train(task: Task, settings: TaskSettings, record: Record, bench: Bench) -> None:
    """Train to the end, from the last checkpoint on."""
    last = ranks.from_leader(partial(_last_checkpoint, task, record))
    if last is not None:
        print(f"[suite] {task.name}: goes on from {last.relative_to(record.folder.parent)}", flush=True)
    bench.task_runner(task, settings, record.folder, last).train()
    ranks.wait()  # for the leader, which scores and writes the last checkpoint when the others have ended


def _last_checkpoint(task: Task, record: Record) -> Path | None:
    """The checkpoint to go on from, once those that are torn are removed."""
    for note in record.remove_torn(task.best):
        print(f"[suite] {task.name}: {note}", flush=True)
    return record.last_checkpoint()


def _evaluate(
    task: Task, settings: TaskSettings, folder: Path, split: str, task_runner: Callable[..., TaskRunner], **which: Any
) -> Scalars:
    """What one checkpoint or layer scores on a split; its files go to the folder."""
    runner = task_runner(task, settings, folder, **which)
    return ranks.from_leader(partial(_scored, runner, task, settings, folder, split))


def _scored(runner: TaskRunner, task: Task, settings: TaskSettings, folder: Path, split: str) -> Scalars:
    """What a runner scores on a split."""
    recorder = ScalarRecorder()
    runner.evaluate(split, recorder, global_step=runner.init_ckpt.get("Step", 0))
    if task.scorer is None:
        return recorder.scalars
    scorer = importlib.import_module(f"s3prl_plugin.superb.{task.scorer}")
    return {**recorder.scalars, **scorer.score(folder, split, settings)}


def _check_store(
    task: Task, settings: TaskSettings, record: Record, bench: Bench, scalars: Scalars, **which: Any
) -> None:
    """Score once more with the same head on features that are computed afresh, keep these scores as a trial, and say
    how far those on features from the store are from them."""
    if not bench.checks_store:
        return
    folder = record.folder / "fresh_features"  # what the reported evaluation left in the task's folder stays there
    folder.mkdir(exist_ok=True)
    fresh = _evaluate(task, settings, folder, task.split, partial(bench.task_runner, stored=False), **which)
    record.remember(FRESH, fresh)
    for tag in sorted(fresh.keys() & scalars.keys()):
        pair = f"{scalars[tag]:.6g} with the store, {fresh[tag]:.6g} on fresh features"
        print(f"[suite] {task.name}: {tag} {pair} ({scalars[tag] - fresh[tag]:+.2g})", flush=True)


def _of_the_tenths(saved: Sequence[Path], total: int) -> list[Path]:
    """The checkpoints at a tenth of all steps, two tenths, ...: the ten of SUPERB's; else the last one."""
    found = [path for path in saved if int(path.stem.partition("-")[2]) * 10 % total == 0]
    return found or list(saved[-1:])


def _keep(task: Task, record: Record, name: str, scalars: Scalars) -> None:
    """Remember what a trial scored, and put its predictions aside."""
    for file in task.predictions if ranks.leads() else ():
        if (record.folder / file).is_file():
            aside = record.trial_folder(name)
            aside.mkdir(parents=True, exist_ok=True)
            shutil.move(record.folder / file, aside / file)
    record.remember(name, scalars)


def _best(task: Task, record: Record, names: Iterable[str]) -> str:
    """The trial with the best headline score; of equals, the first."""
    choose = max if task.headline.higher_is_better else min
    return choose(names, key=lambda name: record.trials[name][task.headline.tag])


def _report(task: Task, record: Record, name: str, called: str) -> None:
    """Finish with one of the trials; its predictions come back to the task's folder."""
    for file in task.predictions if ranks.leads() else ():
        if (record.trial_folder(name) / file).is_file():
            shutil.copyfile(record.trial_folder(name) / file, record.folder / file)
    record.finish(called, record.trials[name])
