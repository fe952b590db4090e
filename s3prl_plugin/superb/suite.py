"""What a suite asks for: which tasks, with which options, on which corpora."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from s3prl_plugin.compat import packages
from s3prl_plugin.superb.corpus import corpus_of
from s3prl_plugin.superb.tasks import Task, task


class Asked(NamedTuple):
    """One task of a suite.

    Attributes:
        task: which.
        options: what the suite says of it: `config`, `override`, `corpus`.
        spec: the corpus that is named for it.
    """

    task: Task
    options: Mapping[str, Any]
    spec: str


def asked(suite: Mapping[str, Any]) -> list[Asked]:
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
    return [Asked(known, chosen[known.name], corpus_of(known, suite)) for known in found]
