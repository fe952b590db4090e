"""What a suite asks for: which tasks, with which options, on which corpora."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from s3prl_plugin.compat import packages
from s3prl_plugin.config.schema import ConfigSection
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.superb.corpus import corpus_of
from s3prl_plugin.superb.tasks import NOT_HERE, Task, task, tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions(ConfigSection):
    """What a suite may say of a task.

    Attributes:
        config: a file of settings in place of the task's own.
        corpus: what it is trained and scored on, in place of the suite's: generated, or FORMAT:PATH.
        override: settings that differ from those of the file, nested as there.
    """

    config: str | None = None
    corpus: str | None = None
    override: Mapping[str, Any] | None = None


class SuiteTask(NamedTuple):
    """One task of a suite.

    Attributes:
        task: which.
        options: what the suite says of it: `config`, `override`, `corpus`.
        spec: the corpus that is named for it.
    """

    task: Task
    options: Mapping[str, Any]
    spec: str


def asked(suite: Mapping[str, Any]) -> list[SuiteTask]:
    """The tasks of a suite, checked as far as that costs nothing.

    Args:
        suite: the section `suite` of a configuration.

    Raises:
        UserError: a task is unknown or cannot be run, a package that it needs is missing, or its corpus is not named.
    """
    chosen = {name: options or {} for name, options in (suite.get("tasks") or {}).items()}
    found = [task(name) for name in chosen]
    for known in found:
        packages.check_task(known.name)
    return [SuiteTask(known, chosen[known.name], corpus_of(known, suite)) for known in found]


def choose(suite: Mapping[str, Any], names: str) -> dict[str, Any]:
    """A suite with some of its tasks only.

    Args:
        suite: the section `suite` of a configuration.
        names: as on the command line: PR,KS or none.

    Raises:
        UserError: a name is no task, or not one of the suite's, or nothing would be left to run.
    """
    listed = suite.get("tasks") or {}
    wanted = [] if names.strip().lower() == "none" else [name.strip() for name in names.split(",")]
    for name in wanted:
        check_name(name)
        if name not in listed:
            raise UserError(f"--tasks {name}: this suite has no {name}; it has {', '.join(listed) or 'no tasks'}")
    if not wanted and not suite.get("analyses"):
        raise UserError("--tasks none: this suite has no analyses, so nothing would be left to run")
    return {**suite, "tasks": {name: options for name, options in listed.items() if name in wanted}}


def check_name(name: str) -> None:
    """Refuse a name given by `--tasks` that is no task.

    Raises:
        UserError: with what may have been meant.
    """
    if name in NOT_HERE:
        raise UserError(f"--tasks {name}: {NOT_HERE[name]}")
    if name not in tasks():
        likely = next((known for known in tasks() if known.lower() == name.lower()), name)
        raise UserError(f"--tasks {name or repr(name)}: there is no such task; {did_you_mean(likely, tasks())}")
