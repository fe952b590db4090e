"""The leaderboard for reading: a section per board, what its upstreams are, and what a reader must know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from s3prl_plugin.report import tables
from s3prl_plugin.report.cautions import CHECK
from s3prl_plugin.report.leaderboard import superb_score
from s3prl_plugin.report.leaderboard.standings import EVERY_LAYER, GENERATED, PUBLISHED, Board, Entry
from s3prl_plugin.report.leaderboard.superb_score import Column as Score
from s3prl_plugin.report.sections import Cell, Column, Section, Table
from s3prl_plugin.results import Row

UNKNOWN = "?"
BANNERS = {PUBLISHED: "SUPERB's corpora", GENERATED: f"GENERATED SPEECH. {CHECK}"}


def sections(boards: Sequence[Board]) -> list[Section]:
    """All boards, what the upstreams on them are, and what a reader must know to read them."""
    found = [Section(name=f"board-{i}", title=banner(board), tables=(board_table(board),), notes=tuple(notes(board)))
             for i, board in enumerate(boards)]  # fmt: skip
    found.append(
        Section(name="upstreams", title="The upstreams", tables=(_upstreams(boards),), notes=_upstream_notes(boards))
    )
    if any(board.kind == PUBLISHED for board in boards):
        said = superb_score.about()
        sources = (
            f"superb_s = {said['formula']}, as a whole number",
            f"reference scores: {said['source']}",
        )
        found.append(Section(name="superb_s", title="What superb_s is", tables=(_references(),), notes=sources))
    return [*found, Section(name="reading", title="Reading the tables", notes=reading(boards))]


def banner(board: Board) -> str:
    """What speech a board's scores come from."""
    if board.kind in BANNERS:
        named = f" ({board.corpus})" if board.corpus not in (None, "generated") else ""
        return BANNERS[board.kind] + named
    return f"Real speech that is not SUPERB's: {board.corpus}; not comparable with published scores"


def board_table(board: Board, names: Mapping[tuple[Any, ...], str] | None = None) -> Table:
    """The scores of a board; stars at the best of every column.

    Args:
        board: whose.
        names: of the models, where upstreams are called otherwise than on the board.
    """
    ranked, scored = board.entries[0].superb_r is not None, board.kind == PUBLISHED
    over = f", over {', '.join(board.tasks)}" if board.tasks else ""
    heads = [Column("upstream")]
    heads += [Column("superb_s\n\n↑", hint="over all ten tasks: 0 is FBANK, 1000 the best published")] * scored
    heads += [Column("superb_r\n\n↑", hint=f"upstreams of this table that it beats{over}", decimals=2)] * ranked
    heads += [Column(heading(score), hint=f"{score.task}, {score.score}") for score in board.columns]
    totals = [entry.points for entry in board.entries if entry.points is not None]
    rows = []
    for entry in board.entries:
        line: list[Cell] = [_name(entry, names or {})]
        if scored:
            best = len(totals) > 1 and entry.points == max(totals) > min(totals)
            spread = entry.superb_s.spread if entry.superb_s else None
            line.append(_cell(entry.points, spread, 0, best, f"lacks {', '.join(entry.missing)}"))
        line += [Cell(entry.superb_r)] * ranked
        for score in board.columns:
            found = entry.cells.get(score.name)
            if found is None:
                line.append(Cell(hint="not run"))
                continue
            best = entry.ranks[score.name] == 1 and any(e.ranks.get(score.name, 1) > 1 for e in board.entries)
            hint = f"{len(found.seeds)} seed{'s' * (len(found.seeds) > 1)} of the head; rank {entry.ranks[score.name]}"
            line.append(_cell(found.value, found.spread, score.decimals, best, hint))
        rows.append(tuple(line))
    return Table(columns=tuple(heads), rows=tuple(rows), star="the best of its column")


def _name(entry: Entry, names: Mapping[tuple[Any, ...], str]) -> Cell:
    """An upstream; on a page by the page's name, with what its tasks saw of it, where that is not every layer."""
    features = entry.row.features
    if entry.row.model not in names:
        return Cell(entry.name)
    return Cell(names[entry.row.model] + (f" -s {features}" if features not in (None, EVERY_LAYER) else ""))


def _cell(value: float | None, spread: float | None, decimals: int, best: bool, hint: str) -> Cell:
    """A number with its spread, marked if it is the best."""
    if value is None:
        return Cell(hint=hint)
    more = f" ±{spread:.{decimals}f}" if spread is not None else ""
    return Cell(value, text=f"{value:.{decimals}f}{more}", star=best, hint=hint)


def heading(score: Score) -> str:
    """A column's name, its unit and which way is better, in three lines."""
    task, _, name = score.name.partition(" ")
    return "\n".join([task, name, f"{score.unit} {'↑' if score.higher_is_better else '↓'}".strip()])


def notes(board: Board) -> list[str]:
    """What must be said of a board's scores alone."""
    found = []
    if board.entries[0].superb_r is not None:
        over = f"on average over {', '.join(board.tasks)}" if board.tasks else ""
        found.append(f"superb_r: how many upstreams of this table it beats, {over}; none where it has no score")
    if board.kind != PUBLISHED:
        found.append("no superb_s: it compares with scores on SUPERB's own corpora, and this is none of them")
    elif any(entry.superb_s for entry in board.entries):
        said = superb_score.about()
        found.append(f"superb_s: {said['zero']} has 0, the {said['best']} of every score 1000")
    shown = {column.name for column in board.columns}
    missing = [f"{entry.name} lacks {', '.join(entry.missing)}" for entry in board.entries if entry.missing]
    found += [f"no superb_s, which is over all ten tasks: {line}" for line in missing]
    found += [f"{name}: {said}" for name, said in superb_score.about()["differs"].items() if name in shown]
    for entry in board.entries:
        if entry.rates:
            own = ", ".join(f"{task} {rate}" for task, rate in entry.rates.items())
            found.append(f"learning rate of its own, which SUPERB leaves free: {entry.name}: {own}")
    changed = [f"{entry.name}: {_changed(entry)}" for entry in board.entries if entry.changed]
    return found + [f"settings other than SUPERB's: {line}" for line in changed]


def _changed(entry: Entry) -> str:
    """The settings that are not the published ones, and the tasks that have them."""
    by_keys: dict[tuple[str, ...], list[str]] = {}
    for task, keys in entry.changed.items():
        by_keys.setdefault(tuple(dict.fromkeys(key.rpartition(".")[2] for key in keys)), []).append(task)
    return "; ".join(f"{', '.join(those)} ({', '.join(keys)})" for keys, those in by_keys.items())


def reading(boards: Sequence[Board]) -> tuple[str, ...]:
    """What the tables have in common."""
    found = ["↑ higher is better, ↓ lower is better", "- not run"]
    counts = {len(cell.seeds) for board in boards for entry in board.entries for cell in entry.cells.values()}
    if counts != {1}:
        several = " to ".join(str(n) for n in dict.fromkeys((min(counts), max(counts))))
        found.append(f"± standard deviation over the seeds of the heads ({several}), beside the mean: it does not "
                     "cover another pre-training")  # fmt: skip
    return tuple(found)


def _upstreams(boards: Sequence[Board]) -> Table:
    """The table of what the upstreams are."""
    heads = ("upstream", Column("weights", "text"), Column("checkpoint", "text"),
             Column("parameters\nM", "number", decimals=2), Column("MACs for 1 s\nG", "number"),
             Column("pre-training data", "text"), Column("units of\nHuBERT iteration", "text"))  # fmt: skip
    return Table(columns=heads, rows=tuple((name, *_said(row)) for name, row in _every(boards).items()))


def _every(boards: Sequence[Board]) -> dict[str, Row]:
    """The upstreams of all boards by name, each with one of its rows."""
    found: dict[str, Row] = {}
    for entry in (entry for board in boards for entry in board.entries):
        found.setdefault(entry.name, entry.row)
    return found


def _said(row: Row) -> list[Cell]:
    """What is known of an upstream."""
    known = row.checkpoint_sha256 or row.weights_id
    untrained = row.weights in (None, "random")  # None: there are no weights
    units = UNKNOWN if row.unit_iteration is None else str(row.unit_iteration or "no HuBERT")
    macs = None if row.macs_per_s is None else row.macs_per_s / 1e9
    return [
        Cell(row.weights or "none"),
        Cell(known[:8] if known else None if row.weights is None else UNKNOWN),
        Cell(UNKNOWN) if row.params is None else Cell(row.params / 1e6),
        Cell(UNKNOWN) if macs is None else Cell(macs, text=f"{macs:.3g}"),
        Cell("none" if untrained else row.pretraining or UNKNOWN),
        Cell("none" if untrained else units),
    ]


def _upstream_notes(boards: Sequence[Board]) -> tuple[str, ...]:
    """What the table of upstreams needs said."""
    unknown = any(cell.value == UNKNOWN for row in _every(boards).values() for cell in _said(row))
    found = [f"{UNKNOWN} not known: the upstream does not say"] * unknown
    found.append("checkpoint: the first digits of its file's SHA-256, or where no file is known of its weights'")
    found.append(
        "MACs: multiply-accumulates of convolutions, linear layers, attention and other matrix products, for one "
        "second of audio alone; longer audio costs more per second, for attention grows with the square of the length"
    )
    files: dict[str, dict[str, None]] = {}
    for file in (file for board in boards for entry in board.entries for file in entry.predictions):
        files.setdefault(file.partition("/")[0], {})[file] = None
    if files:
        first = ", ".join(tables.some(list(own)) for own in files.values())
        found.append(f"predictions, for a submission, in the folder of every run: {first}")
    return tuple(found)


def _references() -> Table:
    """The scores that superb_s is measured against."""
    said = superb_score.about()
    columns = superb_score.reference_columns()
    rows = []
    for upstream in said["upstreams"]:
        scores = {column.name: column.published[upstream] for column in columns}
        total = superb_score.superb_s(scores) or 0.0
        shown = [Cell(scores[column.name], text=f"{scores[column.name]:g}") for column in columns]
        rows.append((f"published: {upstream}", Cell(total, text=f"{total:.0f}"), *shown))
    heads = ("reference", "superb_s\n\n↑", *(Column(heading(column), "number") for column in columns))
    return Table(columns=heads, rows=tuple(rows))
