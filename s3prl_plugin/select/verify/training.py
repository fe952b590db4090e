"""Trains the heads of a verification, one after another, and reads what they scored on dev and on the test split.

Each head is a run of a suite with one task, in a folder of its own, that can be repeated by hand. A head that is
finished is not trained again; one that was interrupted goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import gc
import io
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

from s3prl_plugin import stopping, superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.durations import about, clock
from s3prl_plugin.running import outcome
from s3prl_plugin.select.verify.plan import Plan
from s3prl_plugin.study.jobs import Job

DEV_BY = {
    "SD": True
}  # whether more is better of the dev score that decides dev-best.ckpt, where it is not the headline
_FAILED = re.compile(r"\[suite\] \w+ failed after [\d:]+: ")
Runner = Callable[[list[str]], int]


@dataclass(frozen=True, slots=True)
class Head:
    """What one head scored.

    Attributes:
        rate: its learning rate; None where nothing is trained.
        dev: what its best checkpoint scored on dev; None where the task has no dev set.
        test: its headline score on the task's split.
    """

    rate: float | None
    dev: float | None
    test: float


@dataclass(slots=True)
class Training:
    """Runs a plan.

    Args:
        plan: what is to be trained.
        say: tells the user.
        run: runs one suite with these flags.
    """

    plan: Plan
    say: Callable[[str], None]
    run: Runner | None = None
    heads: dict[tuple[str, int], Head] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    _done: int = 0
    _seconds: list[float] = field(default_factory=list)

    def all(self) -> None:
        """Train what is not finished; a subject that fails does not keep the others from being trained.

        Raises:
            UserError: the task's corpus cannot be had, or the first subjects fail for the same reason.
        """
        plan = self.plan
        corpus = superb.prepare(plan.task, str(plan.section["corpus"]), plan.folder / "data")
        plan.task.check(plan.task.settings(plan.section, corpus), corpus)
        with stopping.at_once():
            for number, subject in enumerate(plan.features):
                self._done = number * plan.heads // len(plan.features)
                try:
                    for seed, head in self._subject(subject, str(corpus.root)):
                        self.heads[subject, seed] = head
                except UserError as error:
                    if not self.heads and str(error) in self.failures.values():
                        raise  # what makes the first two fail alike will make all fail
                    self.failures[subject] = str(error)
                    self.say(f"{subject} failed: {error}")

    def _subject(self, subject: str, corpus: str) -> Iterator[tuple[int, Head]]:
        """The heads on one tap: the best rate with the first seed, then the other seeds."""
        first, *others = self.plan.seeds
        tried = [self._head(subject, rate, first, corpus) for rate in self.plan.rates or (None,)]
        best = best_on_dev(self.plan.task, tried)
        yield first, best
        for seed in others:
            yield seed, self._head(subject, best.rate, seed, corpus)

    def _head(self, subject: str, rate: float | None, seed: int, corpus: str) -> Head:
        """One head, trained unless it is finished."""
        job = self.plan.job(subject, rate, seed, corpus)
        self._done += 1
        seconds = job.seconds()
        if seconds is None:
            seconds = self._train(job, f"{self._done} of {self.plan.heads}: {_name(subject, rate, seed)}")
        self._seconds.append(seconds)
        return scored(self.plan, job.folder / self.plan.task.name, rate)

    def _train(self, job: Job, name: str) -> float:
        """Train one head; the seconds that it took."""
        left = (self.plan.heads - self._done + 1) * fmean(self._seconds) if self._seconds else None
        self.say(f"{name}{f' (about {about(left)} left)' if left is not None else ''}")
        began_s = time.monotonic()
        reason = None
        try:
            with redirect_stdout(io.StringIO()) as printed:  # all of it is in the log of the head
                status = (self.run or _run_downstream)(job.write())
        except UserError as error:
            reason = str(error)
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            reason = outcome.reason(error)
        else:
            reason = _said(printed.getvalue(), job) if status else None
        if reason:
            raise UserError(reason)
        seconds = time.monotonic() - began_s
        job.finish(seconds)
        head = scored(self.plan, job.folder / self.plan.task.name, None)
        on_dev = "" if head.dev is None else f"dev {head.dev:.4f}, "
        self.say(f"{name}: {on_dev}{self.plan.task.split} {head.test:.4f} after {clock(seconds)}")
        return seconds


def scored(plan: Plan, folder: Path, rate: float | None) -> Head:
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
        return Head(rate, on_dev[0][task.headline.tag] if on_dev else None, test)
    if task.procedure == "every_checkpoint":
        return Head(rate, None, test)
    parts = [superb.Record.existing(folder / name) for name in task.parts] if task.parts else [record]
    return Head(rate, fmean(_dev(part.folder / part.checkpoint) for part in parts if part is not None), test)


def best_on_dev(task: superb.Task, heads: list[Head]) -> Head:
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


def _said(printed: str, job: Job) -> str:
    """Why a suite failed, as it told the user."""
    failed = [line for line in printed.splitlines() if _FAILED.match(line)]
    return _FAILED.sub("", failed[-1]) if failed else f"a part of it failed; {job.folder / 'log.txt'} says why"


def _run_downstream(flags: list[str]) -> int:
    """Run a suite in this process, which has loaded all that it needs."""
    import torch

    from s3prl_plugin import run_downstream

    try:
        return run_downstream.main(flags)
    finally:  # the next head needs the memory of this one
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _name(subject: str, rate: float | None, seed: int) -> str:
    """A head, for reading."""
    return f"{subject}, seed {seed}" if rate is None else f"{subject}, lr {rate:g}, seed {seed}"
