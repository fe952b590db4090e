"""The leaderboard for reading: on the terminal, and in Markdown."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from textwrap import fill
from typing import NamedTuple

from s3prl_plugin.report.leaderboard import superb_score
from s3prl_plugin.report.leaderboard.standings import GENERATED, PUBLISHED, Board, Cell, Entry
from s3prl_plugin.report.leaderboard.superb_score import Column
from s3prl_plugin.report.text import table
from s3prl_plugin.results import Row

ABSENT, UNKNOWN = "-", "?"
WIDTH = 120  # of the notes on the terminal
BANNERS = {
    PUBLISHED: "SUPERB's corpora",
    GENERATED: "GENERATED SPEECH: for trying the software, never a finding about speech",
}


class Style(NamedTuple):
    """How a way of writing marks things.

    Attributes:
        best: around the best score of a column.
        title: before the title of a board.
        markdown: whether tables are Markdown's.
    """

    best: tuple[str, str]
    title: str
    markdown: bool


TERMINAL = Style(best=("", "*"), title="", markdown=False)
MARKDOWN = Style(best=("**", "**"), title="## ", markdown=True)


def text(boards: Sequence[Board], style: Style = TERMINAL) -> str:
    """All boards, what the upstreams on them are, and what a reader must know to read them."""
    parts = ["# SUPERB leaderboard"] if style.markdown else []
    for board in boards:
        parts += [style.title + banner(board), _scores(board, style), _notes(_score_notes(board), style)]
    parts += [style.title + "The upstreams", _upstreams(boards, style), _notes(_upstream_notes(boards), style)]
    if any(board.kind == PUBLISHED for board in boards):
        parts += [style.title + "What superb_s is", _references(style), _notes(_reference_notes(), style)]
    parts += [style.title + "Reading the tables", _notes(_reading_notes(boards, style), style)]
    return "\n\n".join(parts) + "\n"


def banner(board: Board) -> str:
    """What speech a board's scores come from."""
    if board.kind in BANNERS:
        named = f" ({board.corpus})" if board.corpus not in (None, "generated") else ""
        return BANNERS[board.kind] + named
    return f"Real speech that is not SUPERB's: {board.corpus}; not comparable with published scores"


def heading(column: Column) -> list[str]:
    """A column's name, its unit and which way is better, in three lines."""
    task, _, score = column.name.partition(" ")
    return [task, score, f"{column.unit} {'↑' if column.higher_is_better else '↓'}".strip()]


def _scores(board: Board, style: Style) -> str:
    """The table of scores."""
    ranked, scored = board.entries[0].superb_r is not None, board.kind == PUBLISHED
    header = [["upstream", "", ""]]
    header += [["superb_s", "", "↑"]] if scored else []
    header += [["superb_r", "", "↑"]] if ranked else []
    header += [heading(column) for column in board.columns]
    lines = []
    for entry in board.entries:
        line = [entry.name]
        line += [_superb_s(board, entry, style)] if scored else []
        line += [f"{entry.superb_r:.2f}"] if ranked else []
        lines.append(line + [_cell(board, entry, column, style) for column in board.columns])
    return _table(header, lines, style)


def _cell(board: Board, entry: Entry, column: Column, style: Style) -> str:
    """A score."""
    if column.name not in entry.cells:
        return _padded(ABSENT, style)
    worse = any(other.ranks.get(column.name, 1) > 1 for other in board.entries)
    best = entry.ranks[column.name] == 1 and worse
    return _number(entry.cells[column.name], column.decimals, best, style)


def _superb_s(board: Board, entry: Entry, style: Style) -> str:
    """The SUPERB score."""
    if entry.superb_s is None:
        return _padded(ABSENT, style)
    scores = [other.points for other in board.entries if other.points is not None]
    best = len(scores) > 1 and entry.points == max(scores) > min(scores)
    return _number(entry.superb_s, 0, best, style)


def _number(cell: Cell, decimals: int, best: bool, style: Style) -> str:
    """A number with its spread, marked if it is the best."""
    spread = f" ±{cell.spread:.{decimals}f}" if cell.spread is not None else ""
    shown = f"{cell.value:.{decimals}f}{spread}"
    return f"{style.best[0]}{shown}{style.best[1]}" if best else _padded(shown, style)


def _padded(shown: str, style: Style) -> str:
    """Numbers stand below each other, whether a mark follows or not."""
    return shown if style.markdown else shown + " " * len(style.best[1])


def _score_notes(board: Board) -> list[str]:
    """What must be said of a board's scores alone."""
    notes = []
    if board.entries[0].superb_r is not None:
        over = f"on average over {', '.join(board.tasks)}" if board.tasks else ""
        notes.append(f"superb_r: how many upstreams of this table it beats, {over}; none where it has no score")
    if board.kind != PUBLISHED:
        notes.append("no superb_s: it compares with scores on SUPERB's own corpora, and this is none of them")
    elif any(entry.superb_s for entry in board.entries):
        said = superb_score.about()
        notes.append(f"superb_s: {said['zero']} has 0, the {said['best']} of every score 1000")
    missing = [f"{entry.name} lacks {', '.join(entry.missing)}" for entry in board.entries if entry.missing]
    notes += [f"no superb_s, which is over all ten tasks: {line}" for line in missing]
    notes += [f"{name}: {said}" for name, said in differs(board).items()]
    for entry in board.entries:
        if entry.rates:
            own = ", ".join(f"{task} {rate}" for task, rate in entry.rates.items())
            notes.append(f"learning rate of its own, which SUPERB leaves free: {entry.name}: {own}")
    changed = [f"{entry.name}: {_changed(entry)}" for entry in board.entries if entry.changed]
    return notes + [f"settings other than SUPERB's: {line}" for line in changed]


def differs(board: Board) -> dict[str, str]:
    """Column -> how its scores are made otherwise than by SUPERB's recipe, of the columns of a board."""
    shown = {column.name for column in board.columns}
    return {name: said for name, said in superb_score.about()["differs"].items() if name in shown}


def _changed(entry: Entry) -> str:
    """The settings that are not the published ones, and the tasks that have them."""
    tasks: dict[tuple[str, ...], list[str]] = {}
    for task, keys in entry.changed.items():
        tasks.setdefault(tuple(dict.fromkeys(key.rpartition(".")[2] for key in keys)), []).append(task)
    return "; ".join(f"{', '.join(those)} ({', '.join(keys)})" for keys, those in tasks.items())


def _reading_notes(boards: Sequence[Board], style: Style) -> list[str]:
    """What the tables have in common."""
    mark = "bold" if style.markdown else style.best[1]
    notes = ["↑ higher is better, ↓ lower is better", f"{ABSENT} not run"]
    if any(len(board.entries) > 1 for board in boards):
        notes.insert(1, f"{mark} the best of its column")
    counts = {len(cell.seeds) for board in boards for entry in board.entries for cell in entry.cells.values()}
    if counts != {1}:
        several = " to ".join(str(n) for n in dict.fromkeys((min(counts), max(counts))))
        notes.append(f"± standard deviation over the seeds of the heads ({several}), beside the mean")
    return notes


def _upstreams(boards: Sequence[Board], style: Style) -> str:
    """The table of what the upstreams are."""
    header = [
        ["upstream"],
        ["weights"],
        ["checkpoint"],
        ["parameters", "M"],
        ["MACs for 1 s", "G"],
        ["pre-training data"],
        ["units of", "HuBERT iteration"],
    ]
    lines = [[name, *_said(row)] for name, row in _every(boards).items()]
    return _table([[*column, ""][:2] for column in header], lines, style)


def _every(boards: Sequence[Board]) -> dict[str, Row]:
    """The upstreams of all boards by name, each with one of its rows."""
    found: dict[str, Row] = {}
    for entry in (entry for board in boards for entry in board.entries):
        found.setdefault(entry.name, entry.row)
    return found


def _said(row: Row) -> list[str]:
    """What is known of an upstream."""
    known = row.checkpoint_sha256 or row.weights_id
    untrained = row.weights in (None, "random")  # None: there are no weights
    units = UNKNOWN if row.unit_iteration is None else str(row.unit_iteration or "no HuBERT")
    return [
        row.weights or "none",
        known[:8] if known else ABSENT if row.weights is None else UNKNOWN,
        UNKNOWN if row.params is None else f"{row.params / 1e6:.2f}",
        UNKNOWN if row.macs_per_s is None else f"{row.macs_per_s / 1e9:.3g}",
        "none" if untrained else row.pretraining or UNKNOWN,
        "none" if untrained else units,
    ]


def _upstream_notes(boards: Sequence[Board]) -> list[str]:
    """What the table of upstreams needs said."""
    notes = []
    if any(UNKNOWN in _said(row) for row in _every(boards).values()):
        notes.append(f"{UNKNOWN} not known: the upstream does not say")
    notes.append("checkpoint: the first digits of its file's SHA-256, or where no file is known of its weights'")
    notes.append(
        "MACs: multiply-accumulates of convolutions, linear layers, attention and other matrix products, for one "
        "second of audio alone; longer audio costs more per second, for attention grows with the square of the length"
    )
    files: dict[str, dict[str, None]] = {}
    for file in (file for board in boards for entry in board.entries for file in entry.predictions):
        files.setdefault(file.partition("/")[0], {})[file] = None
    if files:
        first = ", ".join(table.some(list(found)) for found in files.values())
        notes.append(f"predictions, for a submission, in the folder of every run: {first}")
    return notes


def _references(style: Style) -> str:
    """The scores that superb_s is measured against."""
    said = superb_score.about()
    lines = []
    for upstream in said["upstreams"]:
        scores = {column.name: column.published[upstream] for column in superb_score.reference_columns()}
        total = superb_score.superb_s(scores)
        shown = [f"{scores[column.name]:g}" for column in superb_score.reference_columns()]
        lines.append([f"published: {upstream}", ABSENT if total is None else str(round(total)), *shown])
    columns = superb_score.reference_columns()
    header = [["reference", "", ""], ["superb_s", "", "↑"], *(heading(column) for column in columns)]
    return _table(header, lines, style)


def _reference_notes() -> list[str]:
    """Formula and source of superb_s."""
    said = superb_score.about()
    return [f"superb_s = {said['formula']}, as a whole number", f"reference scores: {said['source']}"]


def _notes(lines: Sequence[str], style: Style) -> str:
    """Lines below a table."""
    if style.markdown:
        return "\n".join(f"- {line}" for line in lines)
    return "\n".join(fill(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False) for line in lines)


def _table(header: Sequence[Sequence[str]], lines: Sequence[Sequence[str]], style: Style) -> str:
    """A table, from the lines of every column's heading."""
    if style.markdown:
        rows = [[" ".join(part for part in column if part) for column in header]]
        rows += [["---" if i == 0 else "---:" for i in range(len(header))]]
        rows += [[cell.replace("|", "\\|") for cell in line] for line in lines]
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    rows = [list(line) for line in zip(*header, strict=True)] + [list(line) for line in lines]
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(header))]
    available = shutil.get_terminal_size(fallback=(200, 24)).columns + 2
    pieces: list[list[int]] = [[]]
    for i in range(1, len(widths)):
        if pieces[-1] and widths[0] + sum(widths[k] for k in [*pieces[-1], i]) > available:
            pieces.append([])
        pieces[-1].append(i)
    return "\n\n".join(table.aligned([[row[i] for i in (0, *piece)] for row in rows]) for piece in pieces)
