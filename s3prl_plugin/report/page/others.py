"""Sections that other parts of the report make from the same folders; each is added here by one line."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.sections import Section, asked_once

# (module, function, folders it needs): takes the folders, in their order, and returns a tuple of sections
MAKERS: tuple[tuple[str, str, int], ...] = (
    ("s3prl_plugin.questions.factorial", "sections", 2),
    ("s3prl_plugin.questions.trajectories", "sections", 2),
    ("s3prl_plugin.questions.comparison", "sections", 2),
    ("s3prl_plugin.questions.rates", "sections", 1),
)


def sections(
    folders: Sequence[Path], makers: Sequence[tuple[str, str, int]] = MAKERS
) -> tuple[list[Section], list[str]]:
    """What the others have to say, and why one of them says nothing.

    Args:
        folders: of runs.
        makers: module and function of each, and how many folders it needs to say anything.
    """
    found: list[Section] = []
    silent: list[str] = []
    for module, function, needed in makers:
        if len(folders) < needed:
            continue
        make: Callable[[Sequence[Path]], Sequence[Section]] = getattr(importlib.import_module(module), function)
        try:
            found += make(folders)
        except UserError as error:
            silent.append(f"{module.rpartition('.')[2]}: {error}")
    return list(asked_once(found)), silent
