"""Tap by tap: how alike the states of two taps are, as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.drawing.figures import style
from s3prl_plugin.report.matrices import SCORES, SUFFIX
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

COLOURS = "viridis"  # its lightness rises all the way, so it reads in grey
PER_PAGE = 2


def heat_map(rows: Sequence[Row], model: str | None = None, *, width: str = "page") -> Figure:
    """Draw every matrix of taps: the taps down, those that they are compared with across.

    A dot marks a number that the data barely support, a cross a refused one; lines part the network's blocks.

    Args:
        rows: of one upstream; others than those of matrices are passed over.
        model: its name; by default the upstream's.
        width: "page" (two maps side by side) or "column".

    Raises:
        UserError: matplotlib is not installed, or there is no matrix.
    """
    found: dict[tuple[str, str, str | None], list[Row]] = {}
    for row in rows:
        if row.measure.endswith(SUFFIX) and row.score in SCORES and row.tap2 is not None:
            found.setdefault((row.measure, row.score, row.upstream2), []).append(row)
    if not found:
        raise UserError("no matrix of taps to draw; measure cca_matrix or cka_matrix")
    with style.in_style():
        columns = min(len(found), PER_PAGE if width == "page" else 1)
        lines = -(-len(found) // columns)
        side = style.inches(width) / (PER_PAGE if width == "page" else 1)
        figure = style.blank(width, side * lines + 0.6)
        axes = figure.subplots(lines, columns, squeeze=False)
        for axis, cells in zip(axes.flat, found.values(), strict=False):
            image = _map(axis, cells)
        for axis in list(axes.flat)[len(found) :]:
            axis.set_visible(False)
        bar = figure.colorbar(
            image, ax=axes, location="bottom", shrink=0.5 if columns > 1 else 0.8, aspect=40, pad=0.02
        )
        bar.outline.set_linewidth(0.5)
        said = style.said_of({model or rows[0].upstream: [row for own in found.values() for row in own]})
        figure.suptitle(style.wrapped(said, width), fontsize=style.TITLE)
    return figure


def _map(axis: Axes, cells: Sequence[Row]) -> AxesImage:
    """One matrix."""
    import numpy as np

    first = cells[0]
    order = sorted({(row.tap_index or 0, str(row.tap)) for row in cells})
    down = [tap for _, tap in order]
    own = first.upstream2 is None
    across = down if own else list(dict.fromkeys(str(row.tap2) for row in cells))
    values = np.full((len(down), len(across)), np.nan)
    for row in cells:
        y, x = down.index(str(row.tap)), across.index(str(row.tap2))
        if row.value is None:
            axis.plot(x, y, "x", color="0.4", markersize=3, markeredgewidth=0.6)
        else:
            values[y, x] = row.value
            if row.grey:
                axis.plot(x, y, ".", color="white", markersize=2.5)
    least = min([0.0, *(row.value for row in cells if row.value is not None)])
    image = axis.imshow(values, cmap=COLOURS, vmin=least, vmax=1.0, interpolation="nearest")
    small: dict[str, Any] = {"fontsize": 5.0} if max(values.shape) > 20 else {}
    axis.set_xticks(range(len(across)), across, rotation=90, **small)
    axis.set_yticks(range(len(down)), down, **small)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    for names, line in ((down, axis.axhline), (across, axis.axvline)):
        for i, (one, other) in enumerate(pairwise(names)):
            if _block(one) != _block(other):
                line(i + 0.5, color="white", linewidth=0.8)
    with_whom = "" if own else f" with {first.upstream2}"
    axis.set_title(f"{first.measure}{with_whom} ({first.score})", fontweight="bold")
    return image


def _block(tap: str) -> str:
    """What the name of a tap begins with: its block."""
    return tap.partition(".")[0].rstrip("0123456789") if tap.startswith("res_out") else tap.partition(".")[0]
