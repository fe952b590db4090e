"""Takes the place of s3prl's Runner where the configuration has a study: its runs, one after another."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from s3prl_plugin import corpora, results, superb
from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current
from s3prl_plugin.inference.folders import remember
from s3prl_plugin.jobs import process
from s3prl_plugin.jobs.engine import Engine, Job
from s3prl_plugin.study import plan
from s3prl_plugin.study.runs import STORE, SuiteRun, runs
from s3prl_plugin.superb.corpus import GENERATED


class StudyRunner:
    """Runs a study.

    Args:
        args: s3prl's command-line arguments.
        config: the configuration, with `suite` and `study`.

    Attributes:
        status: the exit status: 1 when a run failed, else 0.
    """

    def __init__(self, args: argparse.Namespace, config: dict[str, Any]):
        self.args = args
        self.config = config
        self.expdir = Path(args.expdir)
        self.status = 0

    def train(self) -> None:
        """Run what is not finished; a run that fails does not keep the others from running.

        Raises:
            UserError: something that would make all of them fail.
        """
        study = plan.read(Config(Path(self.args.config), self.config, {}))
        suite = _with_corpora(self.config["suite"], self.expdir / "data")
        todo = list(runs(study, {**self.config, "suite": suite}, self.args))
        remember(self.expdir, [upstream.name for upstream in study.all])
        engine = Engine("study")
        counts = f"{_count(study.upstreams, 'upstream')}, {_count(todo, 'run')}"
        self.status = engine.run([self._job(run, todo) for run in todo], said=counts)
        print(engine.summary(f"results: {self.expdir}/UPSTREAM/{results.FILE_NAME}"), flush=True)

    def _job(self, run: SuiteRun, todo: Sequence[SuiteRun]) -> Job:
        """A run as the engine has it."""
        return Job(
            name=f"{run.upstream.name}, {run.what}",
            run=partial(self._run, run, todo),
            collect=partial(self._collect, run, todo),
            finished_s=run.mark.seconds(),
            finish=run.mark.write,
            folder=run.folder,
            kind=run.kind,
        )

    def _run(self, run: SuiteRun, todo: Sequence[SuiteRun]) -> None:
        """One run, in a process of its own."""
        try:
            process.run(run.write(), run.folder)
        except UserError:
            self._collect(run, todo)  # the tasks that it has finished count, even if others have failed
            raise

    def _collect(self, run: SuiteRun, todo: Sequence[SuiteRun]) -> str:
        """Put the rows of all seeds into the upstream's own results; its stored features go when all are finished."""
        folder = self.expdir / run.upstream.name
        if run.kind == "tasks" and (run.folder / results.FILE_NAME).is_file():
            results.write(folder, current.read(run.folder).rows)
        if all(other.mark.seconds() is not None for other in todo if other.upstream == run.upstream):
            shutil.rmtree(folder / STORE, ignore_errors=True)
        return ""


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


def _count(things: Sequence[Any], name: str) -> str:
    """How many there are."""
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"
