"""A suite: its analyses in one pass, then task after task on the same upstream.

One that fails does not take the others down. Whatever is finished is not run again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin import ranks, results, superb
from s3prl_plugin.analysis.analyse import FINISHED
from s3prl_plugin.corpora import fingerprint
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.engine import Engine, Job
from s3prl_plugin.jobs.process import leave_reason
from s3prl_plugin.report import ending
from s3prl_plugin.running.progress import Progress
from s3prl_plugin.running.task_runners import TaskRunners
from s3prl_plugin.states import provenance
from s3prl_plugin.superb.corpus import audio_of

if TYPE_CHECKING:
    from s3prl_plugin.running.runner import Runner

UNPREPARED = "unprepared"


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
        engine = Engine("suite", log=self.log.write, begin=self.progress.begin)
        status = engine.run(self._jobs())
        if ranks.leads():
            leave_reason(self.expdir, engine.failures)
            self.progress.say(engine.summary(*ending.lines(self.expdir), f"log: {self.log.path}"))
        return status

    def _jobs(self) -> Iterator[Job]:
        """What cannot be prepared (it is told first), the analyses, the other tasks.

        Everything about the tasks that can go wrong before hours of work is done now; what costs least comes first.
        """
        if ranks.leads():  # the others wait for it in `_prepare` before they look there
            _remove_leftovers(self.expdir / "data")
        tasks = [self._prepare(asked) for asked in superb.asked(self.suite)]
        yield from (task for task in tasks if task.kind == UNPREPARED)
        if self.runner.downstream.model.analyses:
            names = ", ".join(self.runner.downstream.model.analyses)
            yield Job(name="analyses", run=self._analyse, collect=lambda: names, kind="analyses")
        yield from (task for task in tasks if task.kind != UNPREPARED)

    def _prepare(self, asked: superb.SuiteTask) -> Job:
        """One task, ready to be run; what goes wrong in another way than the user could mend is its failure."""
        task, options, spec = asked
        self.progress.begin(f"preparing {task.name}")
        try:
            with ranks.leader_first():  # it lays corpora out, and the others find them
                corpus = superb.prepare(task, spec, self.expdir / "data")
            settings = task.settings(options, corpus)
            task.check(settings, corpus)
            for note in self.bench.check_rate(task, settings):
                self.progress.say(f"[suite] {task.name}: {note}")
        except UserError:
            raise
        except Exception as error:
            if ranks.count() > 1:
                raise  # the others are waiting
            return Job(name=task.name, run=partial(_fail, error), kind=UNPREPARED)
        record = self._record(task.name, settings, corpus.root)
        steps = task.steps(settings)
        return Job(
            name=task.name,
            run=partial(self._run, task, settings, record),
            collect=partial(self._write, task, corpus, record),
            finished_s=record.seconds(),
            finish=record.took,
            what=f"{task.title}, {f'{steps} steps of' if steps else 'no'} training, then {task.split}",
            kind="training" if steps else "scoring",
            size=steps or 1,
        )

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

    def _analyse(self) -> bool:
        """All analyses in one pass; whether there was anything to do."""
        before = _state(self.expdir / FINISHED)
        self.runner.evaluate()
        return _state(self.expdir / FINISHED) != before

    def _run(self, task: superb.Task, settings: dict[str, Any], record: superb.Record) -> None:
        """Run a task, or take up where it stopped."""
        try:
            superb.run(task, settings, record, self.bench)
        finally:
            if self.bench.features is not None:
                self.progress.say(f"[suite] {task.name}: {self.bench.features.end_task(task.name)}")

    def _write(self, task: superb.Task, corpus: superb.TaskCorpus, record: superb.Record) -> str:
        """Write a finished task's results; its score, for reading."""
        if not ranks.leads():
            return ""
        provided = provenance.of_upstream(self.runner.upstream.model, self.args)
        provided["versions"] = {**provided["versions"], **corpus.versions}
        rows = superb.rows(task, record, provided, corpus)
        score = next(f"{row.score} {row.value:.4f}" for row in rows if row.headline)
        rows += superb.weight_rows(task, record, provided, corpus, self.runner.upstream.model)
        results.write(self.expdir, rows)
        return score


def _fail(error: Exception) -> None:
    """The turn of what could not be prepared."""
    raise error


def _state(file: Path) -> int | None:
    """What changes when a file is written; None where there is none."""
    return file.stat().st_mtime_ns if file.is_file() else None


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed run did not finish writing; this process alone is at work in the folder."""
    for leftover in folder.glob(".*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
