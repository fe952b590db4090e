"""The leaderboard: upstreams side by side in SUPERB's columns, from the results of their tasks.

Scores of the published corpora, of other real speech and of generated speech never share a table: each has a board of
its own, with ranks of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.leaderboard.superb_score import Column, columns, missing_tasks, reference_columns, superb_s
from s3prl_plugin.results import Row

PUBLISHED, OTHER, GENERATED = "published", "other", "generated"
EVERY_LAYER = "hidden_states"
FREE = "optimizer.lr="  # what a row says of a learning rate that SUPERB leaves free
_SHORT = 8  # characters of a checksum


@dataclass(frozen=True, slots=True)
class Cell:
    """A score in its column's unit: the mean over the seeds of the heads.

    Attributes:
        seeds: seed -> score.
    """

    seeds: Mapping[int | None, float]

    @property
    def value(self) -> float:
        """The mean."""
        return fmean(self.seeds.values())

    @property
    def spread(self) -> float | None:
        """The standard deviation over the seeds; None for one."""
        return stdev(self.seeds.values()) if len(self.seeds) > 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One upstream on a board.

    Attributes:
        name: tells it from all others.
        row: one of its rows, for everything that a row says of an upstream.
        cells: column name -> score.
        superb_s: the SUPERB score, not yet rounded; None where it is not to be had.
        missing: the tasks without which there is no superb_s.
        ranks: column name -> rank among the board's upstreams, 1 for the best; equals share it.
        superb_r: how many of the board's upstreams it beats, on average over the board's tasks, in a task without a
            score none; None where it is alone.
        predictions: of its tasks, below a run's folder.
        changed: task -> the settings that are not the published ones.
        rates: task -> its learning rate, where it is not the published one but another by powers of ten: the setting
            that SUPERB leaves free.
    """

    name: str
    row: Row
    cells: Mapping[str, Cell]
    superb_s: Cell | None = None
    missing: tuple[str, ...] = ()
    ranks: Mapping[str, int]
    superb_r: float | None = None
    predictions: tuple[str, ...] = ()
    changed: Mapping[str, tuple[str, ...]]
    rates: Mapping[str, str]

    @property
    def points(self) -> int | None:
        """superb_s as the leaderboard shows it: a whole number."""
        return None if self.superb_s is None else round(self.superb_s.value)


@dataclass(frozen=True, slots=True)
class Board:
    """Upstreams that can be compared.

    Attributes:
        kind: "published" (SUPERB's own corpora), "other" (other real speech), or "generated".
        corpus: its name; None for the published ones.
        entries: the best first: by superb_s, else by superb_r.
        columns: those that an entry has.
        tasks: those that superb_r is over.
    """

    kind: str
    corpus: str | None
    entries: tuple[Entry, ...]
    columns: tuple[Column, ...]
    tasks: tuple[str, ...]


def boards(runs: Iterable[tuple[Path, Sequence[Row]]]) -> list[Board]:
    """The boards of some runs: of the published corpora first, of generated speech last.

    Args:
        runs: folders and their rows.

    Raises:
        UserError: no run has a task's score, or two disagree about one.
    """
    runs = list(runs)
    found: dict[tuple[str, str | None], dict[tuple[Any, ...], list[tuple[Path, Column, Row]]]] = {}
    for folder, rows in runs:
        for row in rows:
            column = _column(row)
            if column is not None and row.value is not None:
                whose = (*row.model, row.features)
                found.setdefault(_board(row), {}).setdefault(whose, []).append((folder, column, row))
    if not found:
        folders = ", ".join(str(folder) for folder, _ in runs)
        raise UserError(f"{folders}: no score of a SUPERB task; run a suite with tasks (-d suite -c suite/superb.yaml)")
    every = {whose: scored[0][2] for group in found.values() for whose, scored in group.items()}
    names = dict(zip(every, _names(list(every.values())), strict=True))
    order = (PUBLISHED, OTHER, GENERATED)
    return [
        _ranked(kind, corpus, {names[whose]: scored for whose, scored in found[kind, corpus].items()})
        for kind, corpus in sorted(found, key=lambda key: (order.index(key[0]), key[1] or ""))
    ]


def _column(row: Row) -> Column | None:
    """Where a row belongs."""
    if row.tap is not None:
        return None
    return next((column for column in columns() if (column.task, column.score) == (row.measure, row.score)), None)


def _board(row: Row) -> tuple[str, str | None]:
    """The kind of speech that a score comes from, and its corpus."""
    if row.corpus_kind == "generated":
        return GENERATED, row.corpus
    return (PUBLISHED, None) if row.published_corpus else (OTHER, row.corpus)


def _ranked(kind: str, corpus: str | None, found: Mapping[str, Sequence[tuple[Path, Column, Row]]]) -> Board:
    """One board, from the scores of every upstream by its name."""
    entries = [_entry(name, kind, scored) for name, scored in found.items()]
    shown = tuple(column for column in columns() if any(column.name in entry.cells for entry in entries))
    ranks = {column.name: _ranks(column, entries) for column in shown}
    of_superb = {column.task for column in reference_columns()}
    counted = [c for c in shown if (c.published if kind == PUBLISHED else c.task in of_superb)]
    tasks = tuple(dict.fromkeys(column.task for column in counted))
    placed = []
    for i, entry in enumerate(entries):
        own = {column.name: ranks[column.name][i] for column in shown if column.name in entry.cells}
        beaten = [fmean(_beaten(c, entry, entries) for c in counted if c.task == task) for task in tasks]
        superb_r = fmean(beaten) if beaten and len(entries) > 1 else None
        placed.append(replace(entry, ranks=own, superb_r=superb_r))
    return Board(kind, corpus, tuple(sorted(placed, key=_order)), shown, tasks)


def _order(entry: Entry) -> tuple[Any, ...]:
    """By superb_s, those without it last; then by superb_r; by name among equals."""
    score = entry.superb_s.value if entry.superb_s else float("-inf")
    return -score, -(entry.superb_r or 0.0), entry.name


def _beaten(column: Column, entry: Entry, entries: Sequence[Entry]) -> int:
    """How many upstreams have a worse score in a column; those without a score are not beaten."""
    if column.name not in entry.cells:
        return 0
    sign = 1 if column.higher_is_better else -1
    own = sign * entry.cells[column.name].value
    return sum(sign * other.cells[column.name].value < own for other in entries if column.name in other.cells)


def _ranks(column: Column, entries: Sequence[Entry]) -> list[int]:
    """The rank of every entry in a column: one more than there are better ones; those without a score do not count."""
    sign = 1 if column.higher_is_better else -1
    values = [sign * entry.cells[column.name].value if column.name in entry.cells else None for entry in entries]
    return [1 + sum(other is not None and value is not None and other > value for other in values) for value in values]


def _entry(name: str, kind: str, scored: Sequence[tuple[Path, Column, Row]]) -> Entry:
    """One upstream, not yet ranked."""
    seeds: dict[str, dict[int | None, tuple[float, Path]]] = {}
    for folder, column, row in scored:
        value = column.converted(float(row.value or 0.0), row.unit)
        earlier, where = seeds.setdefault(column.name, {}).setdefault(row.seed, (value, folder))
        if earlier != value:
            raise UserError(
                f"{column.name} of {name} with seed {row.seed} is {earlier:g} in {where} and {value:g} in {folder}: "
                "a leaderboard has one score per seed; leave one of the folders out"
            )
    cells = {column: Cell({seed: value for seed, (value, _) in found.items()}) for column, found in seeds.items()}
    rows = [row for _, _, row in scored]
    changed: dict[str, tuple[str, ...]] = {}
    rates: dict[str, str] = {}
    for row in rows:
        given = row.changed_settings or ()
        free = [said for said in given if said.startswith(FREE)]
        if free:
            rates[row.measure] = free[0].removeprefix(FREE)
        if len(given) > len(free):
            changed[row.measure] = tuple(said for said in given if said not in free)
    return Entry(
        name=name,
        row=rows[0],
        cells=cells,
        superb_s=_superb_s(cells) if kind == PUBLISHED else None,
        missing=missing_tasks(cells) if kind == PUBLISHED else (),
        ranks={},
        predictions=tuple(dict.fromkeys(f"{row.measure}/{file}" for row in rows for file in row.predictions or ())),
        changed=changed,
        rates=rates,
    )


def _superb_s(cells: Mapping[str, Cell]) -> Cell | None:
    """The SUPERB score, seed by seed where all columns have the same seeds."""
    used = {column.name: cells[column.name] for column in reference_columns() if column.name in cells}
    seeds = {frozenset(cell.seeds) for cell in used.values()}
    if len(seeds) == 1:
        by_seed = {seed: superb_s({name: cell.seeds[seed] for name, cell in used.items()}) for seed in seeds.pop()}
        found = {seed: score for seed, score in by_seed.items() if score is not None}
        return Cell(found) if found else None
    of_means = superb_s({name: cell.value for name, cell in used.items()})  # linear: that of the means is the mean
    return None if of_means is None else Cell({None: of_means})


def _names(rows: Sequence[Row]) -> list[str]:
    """A name for every upstream: more than its entry only as far as that is needed to tell it from others."""
    names = [row.title for row in rows]
    names = [
        name if row.features in (None, EVERY_LAYER) else f"{name} -s {row.features}"
        for name, row in zip(names, rows, strict=True)
    ]
    for field in ("weights_digest", "train_step", "weights"):
        said = [getattr(row, field) for row in rows]
        shared = {name: {said[i] for i in range(len(rows)) if names[i] == name} for name in names}
        names = [
            f"{name}@{str(value)[:_SHORT]}" if len(shared[name]) > 1 and value is not None else name
            for name, value in zip(names, said, strict=True)
        ]
    return [f"{name} #{1 + names[:i].count(name)}" if names.count(name) > 1 else name for i, name in enumerate(names)]
