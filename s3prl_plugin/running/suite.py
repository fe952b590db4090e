"""A suite: its analyses in one pass, then task after task on the same upstream.

One that fails does not take the others down. Whatever is finished is not run again.
"""

from __future__ import annotations

import gc
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from s3prl_plugin import ranks, results, superb
from s3prl_plugin.analysis.analyse import FINISHED
from s3prl_plugin.corpora import fingerprint
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.durations import clock
from s3prl_plugin.running import outcome
from s3prl_plugin.running.log import command
from s3prl_plugin.running.outcome import ANALYSES, Outcome
from s3prl_plugin.running.progress import Progress
from s3prl_plugin.running.task_runners import TaskRunners
from s3prl_plugin.states import provenance
from s3prl_plugin.superb.corpus import audio_of

if TYPE_CHECKING:
    from s3prl_plugin.running.runner import Runner


class Prepared(NamedTuple):
    """A task that can be run."""

    task: superb.Task
    corpus: superb.TaskCorpus
    settings: dict[str, Any]
    record: superb.Record

    @property
    def steps(self) -> int:
        """All steps of its training; 0 where it has none."""
        return self.settings["runner"].get("total_steps", 0) * max(1, len(self.task.parts))


class Suite:
    """Runs a suite.

    Args:
        runner: of the suite; its upstream is shared by all.
        progress: shows the user where it is.

    Attributes:
        bench: gives the runners of its tasks.
    """

    def __init__(self, runner: Runner, progress: Progress):
        self.runner = runner
        self.args = runner.args
        self.expdir = Path(runner.args.expdir)
        self.suite: dict[str, Any] = runner.config["suite"]
        self.progress = progress
        self.log = progress.log
        self.bench = TaskRunners(runner, progress)

    def run(self) -> int:
        """Run what is not finished.

        Returns:
            The exit status: 1 where something failed, else 0.

        Raises:
            UserError: something is wrong that can be known before hours of work.
        """
        began_s = time.monotonic()
        with self._stopped():
            outcomes = list(self._outcomes())
        if ranks.leads():
            self._sum_up(outcomes, time.monotonic() - began_s)
        return int(any(found.failure for found in outcomes))

    def _sum_up(self, outcomes: Sequence[Outcome], seconds: float) -> None:
        """Tell the user what became of everything, and how to go on."""
        failed = [found.name for found in outcomes if found.failure]
        said = [f"[suite] {'ended' if failed else 'finished'} in {clock(seconds)}", outcome.table(outcomes)]
        said += [f"results: {self.expdir / results.FILE_NAME}", f"log: {self.log.path}"]
        if failed:
            said.append(f"{len(failed)} of {len(outcomes)} failed; the same command tries again: {command()}")
        self.progress.say("\n".join(said))

    def _outcomes(self) -> Iterator[Outcome]:
        """Run one after another."""
        tasks = self._prepared()
        self.progress.plan([task.steps for task in tasks if isinstance(task, Prepared) and not task.record.finished])
        if self.runner.downstream.model.analyses:
            yield self._guarded(ANALYSES, self._analyse)
        for number, task in enumerate(tasks, 1):
            if isinstance(task, Outcome):
                yield task
            else:
                yield self._guarded(task.task.name, partial(self._run_task, task, f"[{number}/{len(tasks)}]"))

    def _prepared(self) -> list[Prepared | Outcome]:
        """Everything about the tasks that can go wrong before hours of work; what costs least comes first.

        What goes wrong in another way than the user could mend is that task's failure.
        """
        if ranks.leads():  # the others wait for it in `_prepare` before they look there
            _remove_leftovers(self.expdir / "data")
        return [self._prepare(asked) for asked in superb.asked(self.suite)]

    def _prepare(self, asked: superb.Asked) -> Prepared | Outcome:
        """One task, ready to be run."""
        task, options, spec = asked
        self.progress.begin(f"preparing {task.name}")
        try:
            with ranks.leader_first():  # it lays corpora out, and the others find them
                corpus = superb.prepare(task, spec, self.expdir / "data")
            settings = task.settings(options, corpus)
            task.check(settings, corpus)
            for note in self.bench.check_rate(task, settings):
                _say(f"{task.name}: {note}")
        except UserError:
            raise
        except Exception as error:
            return self._failed(task.name, error, 0.0)
        record = self._record(task.name, settings, corpus.root)
        return Prepared(task, corpus, settings, record)

    def _record(self, name: str, settings: dict[str, Any], root: Path) -> superb.Record:
        """The record of a task's run, which is of one upstream, one configuration and one corpus's audio.

        Raises:
            UserError: its folder holds another; files that have changed since are named.
        """
        folder = self.expdir / name
        known = fingerprint.read(folder / fingerprint.FILE_NAME)
        audio, found = audio_of(root, known)
        try:
            record = superb.Record.open(folder, settings, {**self.bench.what_decides_a_score(), "audio": audio})
        except UserError as error:
            changed = fingerprint.changed(known, found)
            if not changed:
                raise
            raise UserError(f"{error}. This audio has changed since: {fingerprint.several(changed)}") from None
        if ranks.leads():
            fingerprint.write(folder / fingerprint.FILE_NAME, found)
        return record

    def _guarded(self, name: str, job: Callable[[], tuple[str, bool]]) -> Outcome:
        """Do a job; its failure is an outcome like any other.

        Args:
            job: returns the score, for reading, and whether it was run now.
        """
        began_s = time.monotonic()
        try:
            score, was_run = job()
            return Outcome(name, score, time.monotonic() - began_s if was_run else None)
        except Exception as error:
            failed = self._failed(name, error, time.monotonic() - began_s)
        gc.collect()  # a traceback holds the models of the task
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return failed

    def _failed(self, name: str, error: Exception, seconds: float) -> Outcome:
        """What failed, told to the user; its traceback goes to the log."""
        self.log.write("".join(traceback.format_exception(error)))
        self.progress.end(None)
        failed = Outcome(name, seconds=seconds, failure=outcome.reason(error))
        _say(f"{name} failed after {clock(seconds)}: {failed.failure} (traceback: {self.log.path})")
        if ranks.count() > 1:
            raise error  # the other processes may be waiting for this one, so the run ends
        return failed

    def _analyse(self) -> tuple[str, bool]:
        """All analyses in one pass."""
        self.progress.begin(ANALYSES)
        before = _state(self.expdir / FINISHED)
        self.runner.evaluate()
        return ", ".join(self.runner.downstream.model.analyses), _state(self.expdir / FINISHED) != before

    def _run_task(self, prepared: Prepared, number: str) -> tuple[str, bool]:
        """A task, unless it is finished, and its results."""
        task, corpus, settings, record = prepared
        to_run = not record.finished
        if to_run:
            training = f"{prepared.steps} steps of training" if prepared.steps else "no training"
            _say(f"{task.name}: {task.title}, {training}, then {task.split}")
            began_s = time.monotonic()
            self.progress.begin(f"{number} {task.name}", task=True)
            try:
                superb.run(task, settings, record, self.bench)
            finally:
                if self.bench.features is not None:
                    _say(f"{task.name}: {self.bench.features.end_task(task.name)}")
        if not ranks.leads():
            return "", to_run
        provided = provenance.of_upstream(self.runner.upstream.model, self.args)
        provided["versions"] = {**provided["versions"], **corpus.versions}
        rows = superb.rows(task, record, provided, corpus)
        score = outcome.headline(rows)
        rows += superb.weight_rows(task, record, provided, corpus, self.runner.upstream.model)
        results.write(self.expdir, rows)
        if to_run:
            seconds = time.monotonic() - began_s
            self.progress.end(seconds)
            _say(f"{task.name}: {score} after {clock(seconds)}")
        return score, to_run

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        """Ctrl-C inside the block ends the run with a word on how it goes on."""
        try:
            yield
        except KeyboardInterrupt:
            _say(f"stopped; what is finished is kept, and the same command goes on: {command()}")
            raise


def _state(file: Path) -> int | None:
    """What changes when a file is written; None where there is none."""
    return file.stat().st_mtime_ns if file.is_file() else None


def _say(line: str) -> None:
    """Tell the user."""
    if ranks.leads():
        print(f"[suite] {line}", flush=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed run did not finish writing; this process alone is at work in the folder."""
    for leftover in folder.glob(".*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
