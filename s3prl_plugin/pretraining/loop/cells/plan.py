"""What a file with `cells` asks for, written out in full.

seeds: [1, 2, 3]       # every cell is trained with each; the same seed gives the same first weights, order and masks
cells:                 # the name of a folder -> what is different there from the rest of this file
  both: {}
  single: {objective: {use_single_prediction: true}}
  second:              # a later iteration: from what an earlier cell of the same seed has become
    units: {features: mid.layer1, checkpoint: "cell:both"}
    initial: {checkpoint: "cell:both", reset_top: 2}
only: [both]           # of these cells, now
units: {features: mfcc, clusters: 50}     # made once for all cells that ask for the same
model: ...             # and every other section of a pre-training
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3prl_plugin.config import Config, schema
from s3prl_plugin.config.schema import ConfigSection, Seeds
from s3prl_plugin.errors import did_you_mean
from s3prl_plugin.pretraining.loop.experiment import SECTIONS
from s3prl_plugin.pretraining.loop.journal import LAST

CELLS = "cells"
REFERENCE = "cell:"
REFERRING = ("units", "initial")  # sections whose `checkpoint` may be another cell's
TAKEN = frozenset({"units"})  # the folder of all label files

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellOptions(ConfigSection):
    """What a file with `cells` says beside the sections of a pre-training.

    Attributes:
        cells: the name of a folder -> what is different there from the rest of the file.
        seeds: every cell is trained with each.
        only: of these cells, those that are to be trained now.
    """

    cells: Mapping[str, Any] | None = None
    seeds: Seeds = (1,)
    only: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class CellTraining:
    """One training.

    Attributes:
        cell: its name.
        seed: of the training.
        folder: of its results.
        config: all sections, as the cell has them.
        first: the cells of the same seed that it begins with, each with its own configuration and `first`.
    """

    cell: str
    seed: int
    folder: Path
    config: Mapping[str, Any]
    first: Mapping[str, Any]

    @property
    def checkpoint(self) -> Path:
        """What it becomes."""
        return self.folder / LAST


def asked(path: str | Path | None) -> bool:
    """Whether a `-g` file describes several trainings."""
    if path is None:
        return False
    from s3prl_plugin import config

    return CELLS in config.read(path).data


def trainings(config: Config, expdir: Path, own: Sequence[str]) -> list[CellTraining]:
    """Every training that is wanted now, all cells of a seed before the next seed.

    So that a study that was broken off has whole seeds, which alone can be compared.

    Args:
        config: the file.
        expdir: gets EXPDIR/CELL/seedN.
        own: the sections of the upstream's expert, such as "model".

    Raises:
        UserError: with file, line and what may have been meant.
    """
    sections = (*SECTIONS, *own, "units")
    config.refuse_unknown([*schema.names(CellOptions), *sections])
    said = {name: config.data[name] for name in schema.names(CellOptions) if name in config.data}
    options = schema.read(config.changed(said), (), CellOptions)
    cells = config.section(CELLS)
    if not cells:
        raise config.error((CELLS,), "cells: name one at least: `cells: {base: {}}`")
    base = {name: content for name, content in config.data.items() if name in sections}
    whole: dict[str, dict[str, Any]] = {}
    first: dict[str, dict[str, Any]] = {}
    for name in cells:
        _check_name(config, name)
        config.refuse_unknown(sections, CELLS, name)
        whole[name] = merged(base, config.section(CELLS, name))
        needed = _needs(config, name, whole[name], whole)
        first[name] = {other: {"config": whole[other], "first": first[other]} for other in needed}
    wanted = _only(config, options.only, list(cells))
    return [
        CellTraining(name, seed, expdir / name / f"seed{seed}", whole[name], first[name])
        for seed in options.seeds
        for name in whole
        if name in wanted
    ]


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with changes, key by key; lists and other values are replaced, and null takes a key out."""
    found = dict(base)
    for key, value in changes.items():
        before = found.get(key)
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            found[key] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            found[key] = value
    return found


def references(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(section, cell) of every checkpoint that is another cell's."""
    for section in REFERRING:
        value = (config.get(section) or {}).get("checkpoint")
        if isinstance(value, str) and value.startswith(REFERENCE):
            yield section, value.removeprefix(REFERENCE)


def _needs(config: Config, name: str, cell: Mapping[str, Any], before: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells that one needs, which must stand before it."""
    earlier = [other for other in before if other != name]
    for section, other in references(cell):
        if other not in earlier:
            place = (CELLS, name, section, "checkpoint")
            cure = f"cells before it: {did_you_mean(other, earlier)}" if earlier else "no cell stands before it"
            raise config.error(place, f"{'.'.join(place)}: {REFERENCE}{other} is none of the {cure}")
    return tuple(dict.fromkeys(other for _, other in references(cell)))


def _check_name(config: Config, name: Any) -> None:
    """Names become folders."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in TAKEN or "seed" in name:
        raise config.error(
            (CELLS, str(name)),
            f"cells: {name!r} cannot be a folder here; write letters, digits, `_`, `-` and `.`, without `seed`, and "
            f"not {', '.join(sorted(TAKEN))}",
        )


def _only(config: Config, found: Sequence[str] | None, cells: Sequence[str]) -> Sequence[str]:
    """The cells that are wanted now."""
    if found is None:
        return cells
    if not found:
        raise config.error(("only",), f"only names no cell; name some of {', '.join(cells)}, or leave it out")
    for name in found:
        if name not in cells:
            raise config.error(("only",), f"only: no cell is called {name!r}: {did_you_mean(name, cells)}")
    return found
