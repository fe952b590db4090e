"""Trains the heads of a verification, one after another, and reads what they scored on dev and on the test split.

Each head is a run of a suite with one task, in a folder of its own, that can be repeated by hand. A head that is
finished is not trained again; one that was interrupted goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean

from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.engine import Engine, Job
from s3prl_plugin.jobs.process import REASON
from s3prl_plugin.select.verify.plan import Plan
from s3prl_plugin.study.runs import SuiteRun
from s3prl_plugin.superb import outcomes
from s3prl_plugin.superb.outcomes import Outcomes

# whether more is better of the dev score that decides dev-best.ckpt, where it is not the headline
DEV_BY = {"SD": True}
Runner = Callable[[list[str]], int]


@dataclass(frozen=True, slots=True)
class TrainedHead:
    """What one head scored.

    Attributes:
        rate: its learning rate; None where nothing is trained.
        dev: what its best checkpoint scored on dev; None where the task has no dev set.
        test: its headline score on the task's split.
        outcomes: what it did with every utterance of that; None where that is not known.
    """

    rate: float | None
    dev: float | None
    test: float
    outcomes: Outcomes | None = None


@dataclass(slots=True)
class VerifyTraining:
    """Runs a plan.

    Args:
        plan: what is to be trained.
        say: tells the user.
        run: runs one suite with these flags.

    Attributes:
        heads: (tap or SUM, seed) -> what it scored, at the rate that is best on dev.
        failures: tap or SUM -> why it has no heads.
    """

    plan: Plan
    say: Callable[[str], None]
    run: Runner
    heads: dict[tuple[str, int], TrainedHead] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def all(self) -> None:
        """Train what is not finished; a subject that fails does not keep the others from being trained.

        Raises:
            UserError: the task's corpus is not available, or the first subjects fail for the same reason.
        """
        plan = self.plan
        corpus = superb.prepare(plan.task, str(plan.section["corpus"]), plan.folder / "data")
        plan.task.check(plan.task.settings(plan.section, corpus), corpus)
        engine = Engine("select", self.say)
        engine.run(self._jobs(engine, str(corpus.root)), plan.heads)

    def _jobs(self, engine: Engine, corpus: str) -> Iterator[Job]:
        """Every head; those of a subject that has failed are skipped."""
        plan = self.plan
        for number, subject in enumerate(plan.features):
            engine.turns = number * plan.heads // len(plan.features)
            for job in self._subject(subject, corpus):
                yield job
                failure = engine.outcomes[-1].failure
                if failure:
                    if not self.heads and failure in self.failures.values():
                        raise UserError(failure)  # what makes the first two fail alike will make all fail
                    self.failures[subject] = failure
                    break

    def _subject(self, subject: str, corpus: str) -> Iterator[Job]:
        """The heads on one tap: every rate with the first seed, then the best of them with the other seeds."""
        first, *others = self.plan.seeds
        tried: list[TrainedHead] = []
        for rate in self.plan.rates or (None,):
            yield self._job(subject, rate, first, corpus, tried.append)
        best = self.heads[subject, first] = best_on_dev(self.plan.task, tried)
        for seed in others:
            yield self._job(subject, best.rate, seed, corpus, partial(self.heads.__setitem__, (subject, seed)))

    def _job(
        self, subject: str, rate: float | None, seed: int, corpus: str, take: Callable[[TrainedHead], None]
    ) -> Job:
        """One head.

        Args:
            take: is given what it scored.
        """
        run = self.plan.run(subject, rate, seed, corpus)

        def collect() -> str:
            head = scored(self.plan, run.folder / self.plan.task.name, rate)
            take(head)
            return f"{'' if head.dev is None else f'dev {head.dev:.4f}, '}{self.plan.task.split} {head.test:.4f}"

        name = f"{subject}, seed {seed}" if rate is None else f"{subject}, lr {rate:g}, seed {seed}"
        train, mark = partial(self._train, run), run.mark
        return Job(name=name, run=train, collect=collect, finished_s=mark.seconds(), finish=mark.write)

    def _train(self, run: SuiteRun) -> None:
        """Train one head."""
        with redirect_stdout(io.StringIO()):  # all of it is in the log of the head
            status = self.run(run.write())
        if status:
            raise UserError((run.folder / REASON).read_text(encoding="utf-8"))


def scored(plan: Plan, folder: Path, rate: float | None) -> TrainedHead:
    """What a finished head scored.

    Args:
        folder: of the task's run.
        rate: its learning rate.

    Raises:
        UserError: it is not finished, or its checkpoint is gone.
    """
    record = superb.Record.existing(folder)
    if record is None:
        raise UserError(f"{folder}: this head is not finished; give the same command again")
    task = plan.task
    test = record.scalars[task.headline.tag]
    if task.procedure == "layers":
        on_dev = [scalars for name, scalars in record.trials.items() if name.endswith(" on dev")]
        return TrainedHead(rate, on_dev[0][task.headline.tag] if on_dev else None, test)
    if task.procedure == "every_checkpoint":
        return TrainedHead(rate, None, test)
    parts = [superb.Record.existing(folder / name) for name in task.parts] if task.parts else [record]
    dev = fmean(_dev(part.folder / part.checkpoint) for part in parts if part is not None)
    return TrainedHead(rate, dev, test, outcomes.read(task, folder, record.scalars))


def best_on_dev(task: superb.Task, heads: list[TrainedHead]) -> TrainedHead:
    """The head that is best on dev; of equals, and where there is no dev set, the first."""
    sign = dev_sign(task)
    return max(heads, key=lambda head: sign * head.dev if head.dev is not None else 0.0)


def dev_sign(task: superb.Task) -> int:
    """1 where more is better of what decides a task's best checkpoint, else -1."""
    return 1 if DEV_BY.get(task.name, task.headline.higher_is_better) else -1


def _dev(checkpoint: Path) -> float:
    """What a head had scored on dev at its best: s3prl's downstreams keep it among their own states."""
    import torch

    if not checkpoint.is_file():
        raise UserError(f"{checkpoint}: gone, and with it what this head scored on dev; remove its folder")
    try:
        torch.serialization.add_safe_globals([argparse.Namespace])  # the arguments of the run are in it, too
        content = torch.load(checkpoint, map_location="cpu", mmap=True)
        return float(content["Downstream"]["best_score"])
    except Exception as error:  # a damaged file can fail in any part of the reader
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{checkpoint}: cannot be read ({reason}); remove the folder of this head") from None
