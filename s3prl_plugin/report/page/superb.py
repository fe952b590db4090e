"""SUPERB's tasks: the leaderboard's tables."""

from __future__ import annotations

from collections.abc import Sequence

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.leaderboard import standings, text
from s3prl_plugin.report.leaderboard.standings import PUBLISHED, Board, Entry
from s3prl_plugin.report.page.models import Model
from s3prl_plugin.report.page.tables import Shown, Table, columns
from s3prl_plugin.report.text.table import WEIGHT


def tables(models: Sequence[Model]) -> tuple[list[Table], list[str]]:
    """One table per board, and notes on what is not in them."""
    refused = [
        f"{model.name}, {row.measure}: refused: {row.refused}"
        for model in models
        for row in model.rows
        if row.tap is None and row.headline and row.refused
    ]
    if not any(row.tap is None and row.headline and row.value is not None for model in models for row in model.rows):
        return [], refused
    names = {model.first.model: model.name for model in models}
    try:
        boards = standings.boards([(model.folders[0], model.rows) for model in models])
    except UserError as error:
        return [], [*refused, str(error)]
    return [_table(board, names) for board in boards], [*refused, *_others(models, boards)]


def _others(models: Sequence[Model], boards: Sequence[Board]) -> list[str]:
    """Scores of tasks that no board has a column for."""
    shown = {column.task for board in boards for column in board.columns}
    return [
        f"{model.name}, {row.measure} ({row.score}): {row.value:.4f}"
        for model in models
        for row in model.rows
        if row.tap is None
        and row.headline
        and row.value is not None
        and row.measure not in shown
        and row.score != WEIGHT
    ]


def _table(board: Board, names: dict[tuple[object, ...], str]) -> Table:
    """One board."""
    scored, ranked = board.kind == PUBLISHED, board.entries[0].superb_r is not None
    head: list[tuple[str, str]] = [("model", "")]
    head += [("superb_s ↑", "over all ten tasks: 0 is FBANK, 1000 the best published")] if scored else []
    head += [("superb_r ↑", f"models of this table that it beats, over {', '.join(board.tasks)}")] if ranked else []
    for column in board.columns:
        better = "↑" if column.higher_is_better else "↓"
        head.append((f"{column.name} {column.unit} {better}".replace("  ", " "), f"{column.task}, {column.score}"))
    rows = tuple(tuple(_line(board, entry, _name(entry, names), scored, ranked)) for entry in board.entries)
    return Table(text.banner(board), columns(head), rows, tuple(_notes(board)))


def _name(entry: Entry, names: dict[tuple[object, ...], str]) -> Shown:
    """The page's name of an upstream; what its tasks saw of it, where that is not every layer."""
    features = entry.row.features
    small = f"-s {features}" if features not in (None, standings.EVERY_LAYER) else ""
    return Shown(names.get(entry.row.model, entry.name), small)


def _line(board: Board, entry: Entry, name: Shown, scored: bool, ranked: bool) -> list[Shown]:
    """One upstream."""
    line = [name]
    if scored:
        total = entry.points
        lacks = f"lacks {', '.join(entry.missing)}"
        line.append(_missing(lacks) if total is None else Shown(str(total), sort=total, kind="number"))
    if ranked:
        line.append(Shown(f"{entry.superb_r:.2f}", sort=entry.superb_r, kind="number"))
    for column in board.columns:
        score = entry.cells.get(column.name)
        if score is None:
            line.append(_missing())
            continue
        best = entry.ranks[column.name] == 1 and any(other.ranks.get(column.name, 1) > 1 for other in board.entries)
        spread = "" if score.spread is None else f"±{score.spread:.{column.decimals}f}"
        hint = f"{len(score.seeds)} seed{'s' * (len(score.seeds) > 1)} of the head; rank {entry.ranks[column.name]}"
        kind = "best number" if best else "number"
        line.append(Shown(f"{score.value:.{column.decimals}f}", spread, score.value, kind, hint))
    return line


def _missing(why: str = "not run") -> Shown:
    return Shown("–", sort=float("-inf"), kind="number", hint=why)


def _notes(board: Board) -> list[str]:
    """What must be known to read a board."""
    notes = ["↑ higher is better, ↓ lower is better; bold: the best of its column; – not run"]
    if any(score.spread is not None for entry in board.entries for score in entry.cells.values()):
        notes.append("± standard deviation over the seeds of the heads: it does not cover another pre-training")
    if board.kind != PUBLISHED:
        notes.append("no superb_s: it compares with scores on SUPERB's own corpora, and this is none of them")
    notes += [f"{name}: {said}" for name, said in text.differs(board).items()]
    for entry in board.entries:
        if entry.missing:
            notes.append(f"{entry.name}: no superb_s, which is over all ten tasks: it lacks {', '.join(entry.missing)}")
        if entry.rates:
            own = ", ".join(f"{task} {rate}" for task, rate in entry.rates.items())
            notes.append(f"{entry.name}: learning rate of its own, which SUPERB leaves free: {own}")
        if entry.changed:
            tasks = ", ".join(entry.changed)
            settings = dict.fromkeys(key.rpartition(".")[2] for keys in entry.changed.values() for key in keys)
            notes.append(f"{entry.name}: settings other than SUPERB's in {tasks} ({', '.join(settings)})")
    return list(dict.fromkeys(notes))
