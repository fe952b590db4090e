"""Tables as the page shows them: cells with a text, what they are sorted by, and whether they are grey."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s3prl_plugin.report.sections import Cell, PlainTable


@dataclass(frozen=True, slots=True)
class Shown:
    """One cell.

    Attributes:
        text: what is read first.
        small: what stands below it; "" for nothing.
        sort: what it is sorted by; by default the text.
        kind: "number", "grey", "best", "refused" or "text".
        hint: shown when pointed at.
    """

    text: str
    small: str = ""
    sort: float | str | None = None
    kind: str = "text"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page.

    Attributes:
        title: its caption; "" for none.
        columns: their heads, each with an explanation and with what stands below it, or "".
        rows: as many cells each.
        notes: what must be known to read it.
        folded: shown only on request.
    """

    title: str
    columns: tuple[tuple[str, str, str], ...]
    rows: tuple[tuple[Shown, ...], ...]
    notes: tuple[str, ...] = ()
    folded: bool = False


def plain(table: PlainTable) -> Table:
    """A section's table."""
    return Table(
        table.title,
        columns(table.columns),
        tuple(zip(*(_column(name, cells) for name, cells in _columns(table)), strict=True)),
        (table.note,) if table.note else (),
    )


def _columns(table: PlainTable) -> list[tuple[str, list[Cell]]]:
    """Every column with its cells."""
    return [(name, [row[i] for row in table.rows]) for i, name in enumerate(table.columns)]


def _column(name: str, cells: list[Cell]) -> list[Shown]:
    """The cells of a column: numbers with as many decimals as the column needs, four at most; p values as such."""
    floats = [value for value in cells if isinstance(value, float)]
    if name == "p" or name.startswith("p ("):
        return [p_value(value) if isinstance(value, float) else cell(value) for value in cells]
    if not floats or max(map(abs, floats)) >= 1e4:
        return [cell(value) for value in cells]
    decimals = max(len(f"{value:.4f}".rstrip("0").partition(".")[2]) for value in floats)
    return [
        Shown(f"{value:.{decimals}f}", sort=value, kind="number") if isinstance(value, float) else cell(value)
        for value in cells
    ]


def p_value(p: float) -> Shown:
    """A p value with three digits."""
    return Shown("< .001" if p < 0.001 else f"{p:.3f}", sort=p, kind="number")


def cell(value: Cell) -> Shown:
    """A plain cell; numbers with four digits."""
    if value is None:
        return Shown("–", sort=float("-inf"), kind="number")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Shown(str(value))
    return Shown(f"{value:,}" if isinstance(value, int) else number(value), sort=value, kind="number")


def number(value: float) -> str:
    """Four digits, never in powers of ten where that can be helped."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:.3g}"


def columns(names: Iterable[Sequence[str]]) -> tuple[tuple[str, str, str], ...]:
    """Heads: a name, or a name with an explanation, or with what stands below it, too."""
    padded = ((name,) if isinstance(name, str) else name for name in names)
    return tuple((*name, "", "")[:3] for name in padded)  # type: ignore[misc]


def without_empty(table: Table) -> Table:
    """The same without columns in which nothing stands."""
    kept = [
        i for i in range(len(table.columns)) if any(row[i].text not in ("", "–", "?") for row in table.rows) or i == 0
    ]
    return Table(
        table.title,
        tuple(table.columns[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in table.rows),
        table.notes,
        table.folded,
    )
