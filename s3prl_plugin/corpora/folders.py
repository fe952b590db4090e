"""What lies below a folder: linked folders are followed, and what a Mac leaves beside every file is skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

APPLE_DOUBLE = "._"
"""What the name of a Mac's companion of a file begins with: it has that file's ending, and nothing of its content."""


def walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Every folder from `root` on, and the sorted names of its files.

    A link to a folder is followed unless it leads to one that it lies in itself.
    """
    yield from _walk(root, ())


def find(root: Path, ending: str) -> list[Path]:
    """The files below a folder whose names have an ending, sorted."""
    return sorted(folder / name for folder, names in walk(root) for name in names if name.endswith(ending))


def _walk(folder: Path, above: tuple[str, ...]) -> Iterator[tuple[Path, list[str]]]:
    """`folder` and what lies below it; `above`: the real places of those that it lies in."""
    place = os.path.realpath(folder)
    if place in above:
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:  # not to be entered, as for `os.walk`
        return
    folders = [entry.name for entry in entries if entry.is_dir()]
    yield folder, [e.name for e in entries if not e.is_dir() and not e.name.startswith(APPLE_DOUBLE)]
    for name in folders:
        yield from _walk(folder / name, (*above, place))
