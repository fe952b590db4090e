"""The suite that runs one task: its settings as in the run that was analysed, on a corpus that is there."""

from __future__ import annotations

import importlib
from typing import Any

from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.select.source import Source
from s3prl_plugin.superb.corpus import GENERATED


def task_section(name: str, source: Source, corpus: str | None = None) -> dict[str, Any]:
    """What a suite is to say of a task: as the analysed run, or its study, has it, else SUPERB's published settings.

    Args:
        name: of the task.
        source: the run.
        corpus: as on the command line; None for the one of the run.

    Raises:
        UserError: the task cannot be run, or no corpus is known that it could be run on.
    """
    task = superb.task(name)
    said = source.task_options(name) or {}
    spec = corpus or said.get("corpus") or (None if "corpus" in said else _of_analyses(task, source))
    if not spec:
        raise UserError(
            f"{name}: the results do not say which corpus its head is to be trained on; give --corpus FOLDER "
            f"({task.dataset}: the folder that holds {', '.join(task.needs)}), or --corpus {GENERATED}"
        )
    return {**said, "corpus": str(spec)}


def has_settings(name: str, source: Source) -> bool:
    """Whether the analysed run, or its study, says something of a task's settings."""
    said = source.task_options(name) or {}
    return bool(said.get("override") or said.get("config"))


def _of_analyses(task: superb.Task, source: Source) -> str | None:
    """The corpus of the analyses, where the task can do with it."""
    if source.corpus is None or source.corpus == GENERATED:
        return source.corpus
    layout = importlib.import_module(f"s3prl_plugin.corpora.generated.layouts.{task.layout}")
    return None if hasattr(layout, "generate") else source.corpus
