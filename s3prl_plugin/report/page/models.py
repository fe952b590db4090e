"""Whose results are shown: the models in some folders, each with a name that tells it from the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current
from s3prl_plugin.inference.folders import folders as folders_of
from s3prl_plugin.results import Row

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
    folders = list(dict.fromkeys(folder for expdir in expdirs for folder in folders_of(expdir)))
    of_study = any(folders_of(expdir) != [expdir] for expdir in expdirs)
    found: dict[tuple[Any, ...], dict[Any, Row]] = {}
    where: dict[tuple[Any, ...], list[Path]] = {}
    for folder in folders:
        for row in current.read(folder).rows:
            found.setdefault(row.model, {})[row.identity] = row
            if folder not in where.setdefault(row.model, []):
                where[row.model].append(folder)
    if not found:
        raise UserError(f"{', '.join(map(str, expdirs))}: the results are empty; run an analysis or a task first")
    firsts = [next(iter(rows.values())) for rows in found.values()]
    names = _names(firsts, [where[row.model] for row in firsts], of_study)
    return [
        Model(name, tuple(where[whose]), tuple(rows.values()))
        for name, (whose, rows) in zip(names, found.items(), strict=True)
    ]


def _names(firsts: Sequence[Row], where: Sequence[Sequence[Path]], of_study: bool) -> list[str]:
    """A name for every model, of which a row is given."""
    upstreams = [row.title for row in firsts]
    folders = [own[0].resolve().name for own in where]
    names = upstreams if len(set(upstreams)) == len(upstreams) and not of_study else folders
    checked = [
        f"{name}@{row.weights_digest[:_SHORT]}" if names.count(name) > 1 and row.weights_digest else name
        for name, row in zip(names, firsts, strict=True)
    ]
    return [
        f"{name} #{1 + checked[:i].count(name)}" if checked.count(name) > 1 else name for i, name in enumerate(checked)
    ]
