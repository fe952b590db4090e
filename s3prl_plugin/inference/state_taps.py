"""The taps among which a best one is looked for: the states, which a weighted sum sees.

Outputs of a model (`res_out0`, ...) are shown beside them and compared with none of them: they have skips built in, no
head can be put on one of them by `-l`, and every further tap makes the others' differences harder to see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import ASIDE

OUTPUT = "no state of the weighted sum; it is shown and not compared"


def is_output(row: Row) -> bool:
    """Whether a tap is an output, not a state."""
    return row.block == ASIDE or (row.block is None and str(row.tap).startswith("res_out"))


def states(rows: Iterable[Row]) -> list[Row]:
    """The rows of state taps."""
    return [row for row in rows if row.tap is not None and not is_output(row)]


def valued(rows: Iterable[Row]) -> list[Row]:
    """Those of the state taps that have a number; a base tap compared with itself has none that counts."""
    return [row for row in states(rows) if row.value is not None and not row.trivial]


def best(rows: Sequence[Row]) -> Row | None:
    """The state tap with the best number, the first one among equals; None where none has a number.

    Args:
        rows: of one measure, a row per tap.
    """
    found = valued(rows)
    if not found:
        return None
    sign = 1 if found[0].higher_is_better else -1
    return max(found, key=lambda row: sign * (row.value or 0.0))
