"""Tables of tab-separated values: a header row, no quoting."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from s3prl_plugin.errors import UserError, did_you_mean


def read_table(path: Path, needed: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table.

    Args:
        path: the file; UTF-8, with or without a byte order mark.
        needed: columns that must be there; others may be.

    Yields:
        (line number, column -> cell, stripped), one per row; empty lines are skipped.

    Raises:
        UserError: no such file, not UTF-8, the header lacks a needed column, or a row is longer or shorter than it.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a folder that holds it")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header, needed)
            for row in reader:
                cells = list(map(str.strip, row))
                if not any(cells):
                    continue
                if len(cells) != len(header):
                    raise UserError(
                        f"{path}, line {reader.line_num}: {len(cells)} cells under {len(header)} columns; "
                        "separate the cells by single tabs"
                    )
                yield reader.line_num, dict(zip(header, cells, strict=True))
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8; save it as UTF-8 text") from None
    except csv.Error as error:
        raise UserError(f"{path}: not a table of tab-separated values ({error}); write it afresh") from None


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table that `read_table` reads.

    Raises:
        ValueError: a cell holds a tab or a line break, which a table without quoting cannot.
    """
    lines = ["\t".join(header)]
    for row in rows:
        cells = [str(cell) for cell in row]
        if any(mark in cell for cell in cells for mark in "\t\n\r"):
            raise ValueError(f"{path}: a cell of {cells} holds a tab or a line break")
        lines.append("\t".join(cells))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _check_header(path: Path, header: list[str], needed: Sequence[str]) -> None:
    """Refuse a header with a needed column missing or any named twice."""
    if not any(header):
        raise UserError(f"{path}, line 1: no header row; the first line names the columns: {', '.join(needed)}, ...")
    for name in needed:
        if name not in header:
            raise UserError(f"{path}, line 1: no column {name!r}: {did_you_mean(name, header)}")
    for name in header:
        if header.count(name) > 1:
            raise UserError(f"{path}, line 1: two columns are called {name!r}; remove one")
