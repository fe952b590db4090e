"""Matrices of taps with taps as text: one line per tap, the taps that it is compared with across, by number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from s3prl_plugin.results import Row

SUFFIX = "_matrix"
SCORES = ("r2", "cka")


def matrix_tables(rows: Iterable[Row]) -> str:
    """Every matrix among some rows; empty where there is none.

    Args:
        rows: of one upstream; others than those of matrices are passed over.
    """
    found: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        if row.measure.endswith(SUFFIX) and row.score in SCORES and row.tap2 is not None:
            found.setdefault((row.measure, row.upstream2), []).append(row)
    return "\n\n".join(_table(group) for group in found.values())


def _table(rows: Sequence[Row]) -> str:
    """One matrix, in per cent, so that twenty taps fit beside each other."""
    cells = {(row.tap, row.tap2): row for row in rows}
    down = [tap for _, tap in sorted({(row.tap_index or 0, str(row.tap)) for row in rows})]
    across = list(dict.fromkeys(str(row.tap2) for row in rows if row.tap == down[0]))
    within = rows[0].upstream2 is None
    across = down if within else across
    width = max(map(len, down))
    number = max(3, *(len(_cell(row)) for row in rows))
    whose = "taps of the same numbers" if within else f"taps of {rows[0].upstream2}"
    lines = [f"{rows[0].measure}, {rows[0].score} in %, {whose} across"]
    lines.append(" " * (width + 4) + " ".join(f"{i:>{number}}" for i in range(len(across))))
    for i, tap in enumerate(down):
        values = " ".join(f"{_cell(cells.get((tap, tap2))):>{number}}" for tap2 in across)
        lines.append(f"{i:>2} {tap:<{width}} {values}" if within else f"   {tap:<{width}} {values}")
    if not within:
        lines.append("; ".join(f"{i} {tap}" for i, tap in enumerate(across)))
    lines += [f"() {grey}" for grey in dict.fromkeys(row.grey for row in rows if row.grey)]
    lines += [f"- {reason}" for reason in dict.fromkeys(row.refused for row in rows if row.refused)]
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    """A number in brackets where the data barely support it."""
    if row is None or row.value is None:
        return "-"
    text = f"{100 * row.value:.0f}"
    return f"({text})" if row.grey else text
