"""Whose results are shown: the models in some folders, each with a name that tells it from the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3prl_plugin import results, study
from s3prl_plugin.errors import UserError
from s3prl_plugin.results import Row

KEY = ("upstream", "variant", "checkpoint_sha256", "weights", "train_step")
_SHORT = 8  # characters of a checksum


@dataclass(frozen=True, slots=True)
class Model:
    """One upstream and everything that was found about it.

    Attributes:
        name: unique on the page.
        folders: where its results lie.
        rows: of all of them; of rows with one identity the last.
    """

    name: str
    folders: tuple[Path, ...]
    rows: tuple[Row, ...]

    @property
    def first(self) -> Row:
        """A row, for what all rows say alike."""
        return self.rows[0]


def key(row: Row) -> tuple[Any, ...]:
    """What rows of one model have in common."""
    return tuple(getattr(row, name) for name in KEY)


def read(expdirs: Iterable[str | Path]) -> list[Model]:
    """The models of some runs, in the order of the folders.

    Folders of one model (a measure each, say) are shown as one. A model has its upstream's name; where that is the same
    for several, or in a study, whose folders are named by its file, that of its folder.

    Args:
        expdirs: folders of runs or of studies.

    Raises:
        UserError: a folder has no results, or an empty file of them.
    """
    expdirs = [Path(expdir) for expdir in expdirs]
    folders = list(dict.fromkeys(folder for expdir in expdirs for folder in study.folders(expdir)))
    of_study = any(study.folders(expdir) != [expdir] for expdir in expdirs)
    found: dict[tuple[Any, ...], dict[Any, Row]] = {}
    where: dict[tuple[Any, ...], list[Path]] = {}
    for folder in folders:
        for row in results.read(folder):
            found.setdefault(key(row), {})[row.identity] = row
            if folder not in where.setdefault(key(row), []):
                where[key(row)].append(folder)
    if not found:
        raise UserError(f"{', '.join(map(str, expdirs))}: the results are empty; run an analysis or a task first")
    names = _names(list(found), where, of_study)
    return [
        Model(name, tuple(where[whose]), tuple(rows.values()))
        for name, (whose, rows) in zip(names, found.items(), strict=True)
    ]


def _names(keys: Sequence[tuple[Any, ...]], where: dict[tuple[Any, ...], list[Path]], of_study: bool) -> list[str]:
    """A name for every model."""
    upstreams = [str(whose[0]) for whose in keys]
    folders = [where[whose][0].resolve().name for whose in keys]
    names = upstreams if len(set(upstreams)) == len(upstreams) and not of_study else folders
    checked = [
        f"{name}@{str(whose[KEY.index('checkpoint_sha256')])[:_SHORT]}" if names.count(name) > 1 else name
        for name, whose in zip(names, keys, strict=True)
    ]
    return [
        f"{name} #{1 + checked[:i].count(name)}" if checked.count(name) > 1 else name for i, name in enumerate(checked)
    ]
