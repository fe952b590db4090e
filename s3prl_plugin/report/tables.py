"""The tables of a run: taps down and measures across, matrices of taps, tasks, and what their sums learned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from s3prl_plugin.analysis import about
from s3prl_plugin.inference import state_taps
from s3prl_plugin.report.cautions import GENERATED_SPEECH, RANDOM_WEIGHTS
from s3prl_plugin.report.sections import Cell, Column, Section, Table
from s3prl_plugin.results import Row
from s3prl_plugin.strides import ms_text

WEIGHT = "weight"  # the score of a row that says how much a task's weighted sum takes of a tap
GRID = "grid_"  # measures of a corpus and a frame rate alone
MATRIX = "_matrix"  # measures of pairs of taps
MATRIX_SCORES = ("r2", "cka")
EMPTY = Cell(text="")


def groups(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows that belong together: of one upstream, checkpoint and, of analyses, corpus; in the order of their writing.

    Tasks, which often have a corpus each, stand with the analyses of theirs, else with the last ones of their upstream.
    """
    found: dict[tuple[Any, ...], list[Row]] = {}
    tasks: list[Row] = []
    for row in rows:
        if row.tap is None or row.score == WEIGHT:
            tasks.append(row)
        else:
            found.setdefault((*row.model, row.corpus), []).append(row)
    analyses = list(found)
    for row in tasks:
        last = next((key for key in reversed(analyses) if key[:-1] == row.model), (*row.model, None))
        found.setdefault((*row.model, row.corpus) if (*row.model, row.corpus) in analyses else last, []).append(row)
    return list(found.values())


def of_run(rows: Sequence[Row], folder: str | None = None) -> Section:
    """Everything that a run's results say: whose they are, the layers, the tasks, what they learned.

    Args:
        rows: one of `groups`.
        folder: of the run, where there are several.
    """
    layers = layer_table(rows)
    lead = [*headline(rows, folder), *([] if layers.rows else ["no layer-wise results"])]
    tables = (layers, *matrix_tables(rows), task_table(rows), weights_table(rows))
    return Section(name="run", title="", lead=tuple(lead), tables=tuple(each for each in tables if each.rows))


def headline(rows: Sequence[Row], folder: str | None = None) -> list[str]:
    """Whose results these are, in one line, and what a reader must know before believing them.

    Args:
        rows: of one upstream.
        folder: of the run, where there are several.
    """
    first = rows[0]
    parts = [*([folder] if folder else []), first.title]
    parts += [f"{first.params / 1e6:.2f} M parameters"] if first.params else []
    corpora = dict.fromkeys(r.corpus for r in rows if r.corpus and r.tap is not None and r.score != WEIGHT)
    parts += ["on " + ", ".join(corpora)] if corpora else []
    random = any(r.weights == "random" for r in rows)
    generated = any(r.corpus_kind == "generated" for r in rows)
    return [" | ".join(parts), *[RANDOM_WEIGHTS] * random, *[GENERATED_SPEECH] * generated]


def layer_table(rows: Iterable[Row]) -> Table:
    """One line per tap and one column per measure, from the headline rows of analyses; without lines where none is.

    Args:
        rows: of one upstream; rows of SUPERB tasks and scores that are not headlines are passed over.
    """
    shown = [r for r in rows if r.headline and r.tap is not None]
    by_measure: dict[str, list[Row]] = {}
    for row in shown:
        by_measure.setdefault(label(row), []).append(row)
    best = [state_taps.best(own) if len(state_taps.valued(own)) > 1 else None for own in by_measure.values()]
    worst = max((r for r in shown if r.caveat), key=lambda r: r.number("first_component") or 0.0, default=None)
    most = "more than half of a tap's variance is one direction"
    caveat = f"{most}; of {worst.tap}: {worst.caveat}" if worst else None

    def cell(row: Row) -> Cell:
        return Cell(
            row.value, low=row.ci_low, high=row.ci_high, star=any(row is each for each in best), grey=row.grey,
            refused=row.refused, caveat=caveat if row.caveat else None,
        )  # fmt: skip

    intervals = "; ± half of the 95 % interval" if any(r.ci_low is not None for r in shown) else ""
    return _by_tap(by_measure, cell, f"best state tap of a measure{intervals}")


def weights_table(rows: Iterable[Row]) -> Table:
    """One line per tap and one column per task (and seed, where there are several); empty where nothing was learned.

    Args:
        rows: of one upstream; others than weights are passed over.
    """
    learned = [row for row in rows if row.score == WEIGHT and row.tap is not None and row.value is not None]
    several = len({row.seed for row in learned}) > 1
    by_task: dict[str, list[Row]] = {}
    for row in learned:
        by_task.setdefault(f"{row.measure} ({row.seed})" if several else row.measure, []).append(row)
    largest = [max(own, key=lambda row: row.value or 0) for own in by_task.values()]
    return _by_tap(
        by_task,
        lambda row: Cell(row.value, star=any(row is each for each in largest)),
        "largest. Those of a task add up to 1; how much of a layer goes into the sum also depends on how large its "
        "values are",
        "weights that the tasks learned for their sum over taps" + (", by seed" if several else ""),
    )


def _by_tap(columns: dict[str, list[Row]], cell: Any, star: str, title: str = "") -> Table:
    """Taps down, in execution order, and columns of rows across."""
    rows = [row for own in columns.values() for row in own]
    taps = {}
    for row in sorted(rows, key=lambda r: r.tap_index if r.tap_index is not None else 0):
        taps[str(row.tap), row.stride or 0] = row
    cells = {(row.tap, name): cell(row) for name, own in columns.items() for row in own}
    lines = tuple(
        (tap, ms_text(stride) if stride else "", *(cells.get((tap, name), EMPTY) for name in columns))
        for tap, stride in taps
    )
    heads = (Column("tap"), Column("ms", "number"), *(Column(name, "number", decimals=3) for name in columns))
    return Table(title=title, columns=heads, rows=lines, star=star)


def matrix_tables(rows: Iterable[Row]) -> list[Table]:
    """Every matrix of taps, in per cent, so that twenty taps fit beside each other.

    Args:
        rows: of one upstream; others than those of matrices are passed over.
    """
    return [_matrix(own) for own in in_matrices(rows).values()]


def in_matrices(rows: Iterable[Row]) -> dict[tuple[str, str, str | None], list[Row]]:
    """(measure, score, partner) -> the rows of that matrix."""
    found: dict[tuple[str, str, str | None], list[Row]] = {}
    for row in rows:
        if row.measure.endswith(MATRIX) and row.score in MATRIX_SCORES and row.tap2 is not None:
            found.setdefault((row.measure, row.score, row.upstream2), []).append(row)
    return found


def _matrix(rows: Sequence[Row]) -> Table:
    """One matrix: a line per tap, the taps that it is compared with across, by number."""
    cells = {(row.tap, row.tap2): row for row in rows}
    down = [tap for _, tap in sorted({(row.tap_index or 0, str(row.tap)) for row in rows})]
    within = rows[0].upstream2 is None
    across = down if within else list(dict.fromkeys(str(row.tap2) for row in rows))
    lines = []
    for i, tap in enumerate(down):
        own = [cells.get((tap, tap2)) for tap2 in across]
        lines.append((f"{i:>2} {tap}" if within else tap, *(_pair(row) for row in own)))
    whose = "taps of the same numbers" if within else f"taps of {rows[0].upstream2}"
    return Table(
        title=f"{rows[0].measure}, {rows[0].score} in %, {whose} across",
        columns=("", *(Column(str(i), "number") for i in range(len(across)))),
        rows=tuple(lines),
        note="" if within else "; ".join(f"{i} {tap}" for i, tap in enumerate(across)),
    )


def _pair(row: Row | None) -> Cell:
    if row is None:
        return Cell()
    return Cell(None if row.value is None else round(100 * row.value), grey=row.grey, refused=row.refused)


def task_table(rows: Iterable[Row]) -> Table:
    """One line per SUPERB task: score, corpus, the checkpoint that gave it, and its predictions."""
    tasks = [r for r in rows if r.tap is None and r.headline]
    several = len({r.seed for r in tasks}) > 1
    heads = ("task", Column("score", "text"), Column("", "number", decimals=4), "corpus", *["seed"] * several)
    lines = tuple(
        (
            *(r.measure, r.score, Cell(r.value, refused=r.refused), r.corpus or ""),
            *[Cell(r.seed, text=str(r.seed))] * several,
            *(r.task_checkpoint or "", some(r.predictions or [])),
        )
        for r in tasks
    )
    return Table(columns=(*heads, "checkpoint", "predictions"), rows=lines)


def some(files: Sequence[str]) -> str:
    """The first of some files, and how many more there are."""
    return f"{files[0]} + {len(files) - 1}" if len(files) > 1 else "".join(files)


def label(row: Row) -> str:
    """The column of a row; other protocols, parts of the frames and what is held constant stand beside the measure."""
    restricted = [f"{row.tap2} of {row.upstream2}"] if row.upstream2 else []
    usual = about.is_plain(row)
    restricted += [row.subset] if row.subset and not usual else []
    restricted += [f"given {row.control}"] if row.control and not usual else []
    restricted += [f"by {row.segments}"] if row.segments else []
    restricted += [f"{ms_text(row.frame_stride)} ms grid"] if row.frame_stride else []
    restricted += [row.units] if row.units else []
    restricted += [row.protocol] if row.protocol not in (None, "default") else []
    return f"{row.measure} ({', '.join(restricted)})" if restricted else row.measure
