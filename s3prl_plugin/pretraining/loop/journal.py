"""What a training tells about itself: a row of `training.jsonl`, tensorboard's scalars, and a line for the user."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from s3prl_plugin.results import replace_file

FILE_NAME = "training.jsonl"
LAST = "checkpoint_last.pt"
"""What a training becomes, beside it."""


class Journal:
    """Takes scalars in as tensorboard's writer does, and writes those of one step together.

    Args:
        folder: of the run.
        step: where training goes on; what was written later is dropped.
        writes: whether this process does; another one's journal takes everything in and keeps nothing.
    """

    def __init__(self, folder: Path, step: int, writes: bool):
        self._path = folder / FILE_NAME
        self._row: dict[str, Any] = {}
        self._writer = None
        if writes:
            from tensorboardX import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=step + 1)
            if self._path.is_file():
                kept = [row for row in read(folder) if row["step"] <= step]
                replace_file(self._path, "".join(json.dumps(row) + "\n" for row in kept).encode())

    def add_scalar(self, tag: str, scalar_value: float, global_step: int, **_: Any) -> None:
        """A number; its name in `training.jsonl` is the tag without the upstream's name."""
        if self._writer is not None:
            self._writer.add_scalar(tag, scalar_value, global_step=global_step)
        self._row[tag.rpartition("/")[2]] = float(scalar_value)

    def end_row(self, step: int) -> dict[str, Any]:
        """Write what was added since the last row; return it."""
        row, self._row = {"step": step, **self._row}, {}
        if self._writer is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        return row

    def close(self) -> None:
        """End tensorboard's file."""
        if self._writer is not None:
            self._writer.close()


def read(folder: str | Path) -> list[dict[str, Any]]:
    """The rows of a training; one that was cut off by a crash is left out."""
    rows = []
    for line in (Path(folder) / FILE_NAME).read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "step" in row:
            rows.append(row)
    return rows


def as_json(folder: str | Path) -> str:
    """The rows of a training, or of those of a file with cells, a line each, with the checkpoint that it became.

    Args:
        folder: of the run.
    """
    found = [path.parent for path in sorted(Path(folder).rglob(FILE_NAME))]
    return "\n".join(json.dumps({"checkpoint": str(of / LAST), **row}) for of in found for row in read(of))


def line_of(row: dict[str, Any]) -> str:
    """A row for the user."""
    named = {name.removeprefix("train-"): value for name, value in row.items() if name != "step"}
    shown = ", ".join(f"{name} {value:.4g}" for name, value in named.items())
    return f"step {row['step']}: {shown}"
