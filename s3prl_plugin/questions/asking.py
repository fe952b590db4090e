"""Every question that the results in some folders can answer, in the order in which the answers are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from s3prl_plugin.errors import UserError
from s3prl_plugin.questions import comparison, factorial, rates, trajectories
from s3prl_plugin.report.sections import Report, Section, asked_once

Question = Callable[[Sequence[Path]], Sequence[Section]]
QUESTIONS: dict[str, tuple[Question, int]] = {
    "factorial": (factorial.sections, 2),
    "trajectories": (trajectories.sections, 2),
    "comparison": (comparison.sections, 2),
    "rates": (rates.sections, 1),
}
"""Name -> what takes the folders, in their order, and gives the sections; and how many folders it needs."""


def sections(
    folders: Sequence[Path], questions: dict[str, tuple[Question, int]] | None = None
) -> tuple[list[Section], list[str]]:
    """The answers, and why a question has none.

    Args:
        folders: of runs.
        questions: by default `QUESTIONS`.
    """
    found: list[Section] = []
    silent: list[str] = []
    for name, (ask, needed) in (QUESTIONS if questions is None else questions).items():
        if len(folders) < needed:
            continue
        try:
            found += ask(folders)
        except UserError as error:
            silent.append(f"{name}: {error}")
    return list(asked_once(found)), silent


def report(folders: Sequence[Path]) -> Report:
    """What several models differ by, without figures, and what must be known before reading it.

    Raises:
        UserError: there are fewer than two folders, or one cannot be read.
    """
    grown = (*factorial.sections(folders, figures=False), *trajectories.sections(folders, figures=False))
    found = comparison.compare(folders)
    return replace(found, sections=asked_once((*grown, *found.sections)))
