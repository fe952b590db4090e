"""The leaderboard for other programs: JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from s3prl_plugin.report.leaderboard import superb_score
from s3prl_plugin.report.leaderboard.sections import banner
from s3prl_plugin.report.leaderboard.standings import Board, Cell, Entry

_ABOUT = ("variant", "checkpoint_sha256", "weights_id", "weights", "train_step", "features", "params")
_ALSO = ("pretraining", "unit_iteration")


def document(boards: Sequence[Board]) -> dict[str, Any]:
    """All boards as plain values; a score has its mean, its spread over seeds, its seeds and its rank."""
    said = superb_score.about()
    references = {u: {c.name: c.published[u] for c in superb_score.reference_columns()} for u in said["upstreams"]}
    return {
        "boards": [_board(board) for board in boards],
        "columns": {
            c.name: {"task": c.task, "score": c.score, "unit": c.unit or "MTWV", "higher_is_better": c.higher_is_better}
            for c in superb_score.columns()
        },
        "superb_s": {
            **{key: said[key] for key in ("formula", "source", "zero", "best")},
            "references": references,
        },
    }


def to_json(boards: Sequence[Board]) -> str:
    """`document` as text."""
    return json.dumps(document(boards), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def to_csv(boards: Sequence[Board]) -> str:
    """One line per upstream and board; what is not there or not known is empty."""
    header = ["board", "corpus", "upstream", *_ABOUT, "macs_for_1_s", *_ALSO]
    header += ["superb_s", "superb_s sd", "superb_s lacks", "superb_r", "superb_r tasks", "learning rates"]
    for column in superb_score.columns():
        better = "higher" if column.higher_is_better else "lower"
        name = f"{column.name} {column.unit}".strip()
        header += [f"{name} ({better} is better)", f"{name} sd", f"{name} seeds", f"{name} rank"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(_line(board, entry) for board in boards for entry in board.entries)
    return text.getvalue()


def _board(board: Board) -> dict[str, Any]:
    """One board."""
    said = {"kind": board.kind, "corpus": board.corpus, "banner": banner(board)}
    return {**said, "superb_r_tasks": board.tasks, "upstreams": [_entry(board, entry) for entry in board.entries]}


def _entry(board: Board, entry: Entry) -> dict[str, Any]:
    """One upstream."""
    row = entry.row
    scores = {name: {**_said(cell), "rank": entry.ranks[name]} for name, cell in entry.cells.items()}
    total = None if entry.superb_s is None else {**_said(entry.superb_s), "value": entry.points}
    why = f"no {', '.join(entry.missing)}" if entry.missing else "its reference scores are of SUPERB's own corpora"
    absent = {"superb_s_absent": why} if total is None else {}
    return {
        "name": entry.name,
        "upstream": row.upstream,
        **{name: getattr(row, name) for name in _ABOUT},
        "macs_for_1_s": row.macs_per_s,
        **{name: getattr(row, name) for name in _ALSO},
        "superb_s": total,
        **absent,
        "superb_r": entry.superb_r,
        "scores": scores,
        "changed_settings": entry.changed,
        "learning_rates": entry.rates,
        "predictions": entry.predictions,
    }


def _said(cell: Cell) -> dict[str, Any]:
    """A score."""
    return {"value": cell.value, "sd": cell.spread, "seeds": [s for s in cell.seeds if s is not None]}


def _line(board: Board, entry: Entry) -> list[Any]:
    """One upstream, in the order of the CSV's header; `None` is written as nothing."""
    row, total = entry.row, entry.superb_s
    line: list[Any] = [board.kind, board.corpus, entry.name, *(getattr(row, name) for name in _ABOUT)]
    line += [row.macs_per_s, *(getattr(row, name) for name in _ALSO)]
    line += [entry.points, total and total.spread, " ".join(entry.missing)]
    line += [entry.superb_r, " ".join(board.tasks) if entry.superb_r is not None else ""]
    line.append("; ".join(f"{task} {rate}" for task, rate in entry.rates.items()))
    for column in superb_score.columns():
        cell = entry.cells.get(column.name)
        line += [None] * 4 if cell is None else [cell.value, cell.spread, len(cell.seeds), entry.ranks[column.name]]
    return line
