"""Takes the place of s3prl's Runner where the configuration has a study: runs its jobs one after another."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from s3prl_plugin import corpora, results, stopping, superb
from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current
from s3prl_plugin.inference.folders import remember
from s3prl_plugin.jobs import process
from s3prl_plugin.jobs.durations import about
from s3prl_plugin.study import plan
from s3prl_plugin.study.jobs import STORE, Job, jobs
from s3prl_plugin.superb.corpus import GENERATED

REASON = "failed.txt"


class StudyRunner:
    """Runs a study.

    Args:
        args: s3prl's command-line arguments.
        config: the configuration, with `suite` and `study`.

    Attributes:
        status: the exit status: 1 when a job failed, else 0.
    """

    def __init__(self, args: argparse.Namespace, config: dict[str, Any]):
        self.args = args
        self.config = config
        self.expdir = Path(args.expdir)
        self.status = 0

    def train(self) -> None:
        """Run every job that is not finished; one that fails does not keep the others from running.

        Raises:
            UserError: something that would make every job fail.
        """
        study = plan.read(Config(Path(self.args.config), self.config, {}))
        suite = _with_corpora(self.config["suite"], self.expdir / "data")
        todo = list(jobs(study, {**self.config, "suite": suite}, self.args))
        remember(self.expdir, [upstream.name for upstream in study.all])
        seconds = [job.seconds() for job in todo]
        before = sum(s is not None for s in seconds)
        finished = f"; {before} are finished already" if before else ""
        _say(f"{_count(study.upstreams, 'upstream')}, {_count(todo, 'run')}{finished}")
        failures: list[tuple[Job, str]] = []
        with stopping.at_once():
            for number, job in enumerate(todo):
                reason = None
                if seconds[number] is None:
                    left = _left(todo, seconds, [failed for failed, _ in failures])
                    _say(f"{number + 1} of {len(todo)}: {job.upstream.name}, {job.what} -> {job.folder}{left}")
                    seconds[number], reason = self._run(job)
                reason = self._collect(job) or reason
                if reason:
                    failures.append((job, reason))
                    _say(f"{number + 1} of {len(todo)}: {job.upstream.name}, {job.what} failed")
                if all(seconds[i] is not None for i, other in enumerate(todo) if other.upstream == job.upstream):
                    shutil.rmtree(self.expdir / job.upstream.name / STORE, ignore_errors=True)
        self._end(todo, failures)

    def _run(self, job: Job) -> tuple[float | None, str | None]:
        """Run one job: the seconds that it took, or why it failed."""
        started = time.monotonic()
        reason = process.run(job.write(), job.folder / REASON)
        if reason:
            return None, reason
        seconds = time.monotonic() - started
        job.finish(seconds)
        return seconds, None

    def _collect(self, job: Job) -> str | None:
        """Put the rows of all seeds into the upstream's own results; why that cannot be done."""
        if job.kind == "tasks" and (job.folder / results.FILE_NAME).is_file():
            try:
                results.write(self.expdir / job.upstream.name, current.read(job.folder).rows)
            except UserError as error:
                return str(error)
        return None

    def _end(self, todo: Sequence[Job], failures: Sequence[tuple[Job, str]]) -> None:
        """Say how it went."""
        done = len(todo) - len(failures)
        _say(f"{done} of {len(todo)} runs are finished; results: {self.expdir}/UPSTREAM/{results.FILE_NAME}")
        if failures:
            self.status = 1
            _say(f"{len(failures)} failed, and are tried again by the same command:")
            reasons: dict[tuple[str, str], list[str]] = {}
            for job, reason in failures:
                reasons.setdefault((job.upstream.name, reason), []).append(job.what)
            for (name, reason), runs in reasons.items():
                _say(f"  {name} ({', '.join(runs)}): {reason}")


def _with_corpora(suite: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The suite with every task's corpus ready, once for all upstreams, and its settings checked."""
    if suite.get("analyses"):
        spec = suite.get("corpus", GENERATED)
        if not spec:
            raise UserError("suite.corpus is empty: name the corpus of the analyses (`s3prl-plugin ls corpus PATH`)")
        corpora.open_corpus(spec)
    tasks = {}
    for task, options, spec in superb.asked(suite):
        corpus = superb.prepare(task, spec, folder)
        task.check(task.settings(options, corpus), corpus)
        tasks[task.name] = {**options, "corpus": str(corpus.root)}
    return {**suite, "tasks": tasks} if tasks else dict(suite)


def _left(todo: Sequence[Job], seconds: Sequence[float | None], failed: Sequence[Job]) -> str:
    """About how long it will take, from the runs of the same kind that are finished."""
    known = {
        kind: fmean(found)
        for kind in ("analyses", "tasks")
        if (found := [s for job, s in zip(todo, seconds, strict=True) if job.kind == kind and s is not None])
    }
    waiting = [job.kind for job, s in zip(todo, seconds, strict=True) if s is None and job not in failed]
    if not known or not any(kind in known for kind in waiting):
        return ""
    left = sum(known.get(kind, 0.0) for kind in waiting)
    which = "" if all(kind in known for kind in waiting) else f" of {next(iter(known))}"
    return f" (about {about(left)}{which} left)"


def _count(things: Sequence[Any], name: str) -> str:
    """How many there are."""
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def _say(line: str) -> None:
    print(f"[study] {line}", flush=True)
