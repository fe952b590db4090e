"""The rows of a folder that count: of every measure those of its newest run. Whatever reads results reads them here.

A run of a measure is known by what decides its numbers: upstream, weights, corpus, features, and the digest of its
options. Rows with all that in common belong together whenever they were written: a run that was resumed, parts that
were merged, a suite that was finished on another day, the seeds of a task. A run with other options replaces the rows
of the same numbers; what it does not measure, such as a tap that it leaves out, stays in the file as it was. Such rows
are older ones: they are counted and said, and nothing is concluded from them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from s3prl_plugin import results
from s3prl_plugin.results import FILE_NAME, Row

OUTDATED = ("corrected",)  # headlines of CCA until `r2`
_MOST_NAMES = 6


@dataclass(frozen=True, slots=True)
class Current:
    """The rows of one folder that count.

    Attributes:
        folder: of the run.
        rows: of the newest run of every measure, in the order of writing.
        notes: what a reader must know, a sentence each: rows of earlier runs, fields of a newer version.
    """

    folder: Path
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def read(folder: str | Path) -> Current:
    """The rows of a folder that count.

    Args:
        folder: of a run, or its results.jsonl.

    Raises:
        UserError: there is no such file, or a line of it is not a row.
    """
    folder = Path(folder)
    path = folder if folder.is_file() else folder / FILE_NAME
    stamp = path.stat() if path.is_file() else None
    rows, said = _read(path, stamp and (stamp.st_ino, stamp.st_mtime_ns, stamp.st_size))
    return Current(folder, rows, said)


@lru_cache(maxsize=64)
def _read(path: Path, stamp: object) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The same; a report asks several times for what stands in a file, which `stamp` tells from a later content."""
    every = list({row.identity: row for row in results.read(path)}.values())
    newest = {_measure(row): _run(row) for row in every}
    older = [row for row in every if _run(row) != newest[_measure(row)]]
    rows = [row for row in every if _run(row) == newest[_measure(row)]]
    outdated = [row for row in rows if row.score in OUTDATED]
    said = (*_older(path, older), *_outdated(path, outdated), *_newer_version(path, every))
    return tuple(row for row in rows if row.score not in OUTDATED), said


def notes(folders: Iterable[str | Path]) -> list[str]:
    """What a reader of some folders must know."""
    return [note for folder in folders for note in read(folder).notes]


def say(folders: Iterable[str | Path]) -> None:
    """Tell the user; results alone go to the standard output."""
    for note in notes(folders):
        print(f"[results] {note}", file=sys.stderr, flush=True)


def _measure(row: Row) -> tuple[str | None, str]:
    """What a folder has one newest run of."""
    return row.downstream, row.measure


def _run(row: Row) -> tuple[Any, ...]:
    """Which run a row is of."""
    return (*row.model, row.corpus, row.features, row.options_id)


def _older(path: Path, rows: list[Row]) -> list[str]:
    """The sentence about rows of earlier runs."""
    if not rows:
        return []
    return [
        f"{path}: {len(rows)} rows are of earlier runs with another model, corpus or other options "
        f"({_named(row.measure for row in rows)}), and are left out; a folder of its own keeps a run beside another"
    ]


def _outdated(path: Path, rows: list[Row]) -> list[str]:
    """The sentence about scores that an older version of this package reported."""
    if not rows:
        return []
    return [
        f"{path}: {len(rows)} rows are of an older score, {_named(row.score for row in rows)} "
        f"({_named(row.measure for row in rows)}), which depends on the width of the layer and the amount of data, and "
        "are left out; run the analysis again: with statistics that were kept (keep_statistics) it takes no new pass"
    ]


def _newer_version(path: Path, rows: list[Row]) -> list[str]:
    """The sentence about what a newer version of this package wrote."""
    newer = [row.newer for row in rows if row.newer]
    if not newer:
        return []
    unknown = _named(name for each in newer for name in each if name != "schema")
    return [
        f"{path}: {len(newer)} rows are of a newer version of this package (schema "
        f"{max(each['schema'] for each in newer)}, known: {results.SCHEMA}); "
        + (f"fields that are kept, and not used: {unknown}" if unknown else "all their fields are known")
    ]


def _named(names: Iterable[str]) -> str:
    """The first of some names, and how many more there are."""
    every = list(dict.fromkeys(names))
    more = f" and {len(every) - _MOST_NAMES} more" if len(every) > _MOST_NAMES else ""
    return ", ".join(every[:_MOST_NAMES]) + more
