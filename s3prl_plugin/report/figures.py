"""Layer curves as pictures: one panel per measure, taps in execution order, coloured by resolution."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.report.table import label
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, told apart by colour-blind readers too; fine to coarse.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def layer_curves(rows: Sequence[Row], path: str | Path, title: str | None = None) -> Path:
    """Draw the headline score of every measure over the taps.

    Bars are 95 % intervals, hollow marks are numbers that the data barely support, the dashed line is chance, and
    shades separate the network's blocks. Refused numbers leave a gap.

    Args:
        rows: of one upstream.
        path: where to write; the ending decides the format (png, svg, pdf).
        title: above the panels; by default the upstream, with what a reader must know.

    Returns:
        The path.

    Raises:
        UserError: matplotlib is not installed, or there is nothing to draw.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [r for r in rows if r.headline and r.tap is not None and r.value is not None]
    if not shown:
        raise UserError(f"{path}: no layer-wise number to draw; every measure was refused or none was computed")
    measures = list(dict.fromkeys(label(r) for r in shown))
    columns = min(3, len(measures))
    lines = -(-len(measures) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.3 * lines + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(lines, columns, squeeze=False)
    taps = sorted(
        {(r.tap_index or 0, str(r.tap), str(r.block or ""), r.stride or 0) for r in rows if r.tap is not None}
    )
    strides = sorted({stride for *_, stride in taps})
    colours = {stride: COLOURS[i % len(COLOURS)] for i, stride in enumerate(strides)}
    for axis, measure in zip(axes.flat, measures, strict=False):
        _panel(axis, [r for r in shown if label(r) == measure], taps, colours)
    for axis in list(axes.flat)[len(measures) :]:
        axis.set_visible(False)
    handles = [
        axes[0, 0].plot([], [], "o", color=colour, label=f"{1000 * stride / 16000:g} ms")[0]
        for stride, colour in colours.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, title="frame rate")
    figure.suptitle(title or _title(shown), fontsize=10)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path


def require_matplotlib() -> None:
    """Say how to install matplotlib where it is absent.

    Raises:
        UserError: it is absent.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("figures need matplotlib: pip install 's3prl_plugin[demo]'")


def _panel(axis: Axes, rows: Sequence[Row], taps: Sequence[tuple[int, str, str, int]], colours: dict[int, str]) -> None:
    """One measure over all taps."""
    place = {name: i for i, (_, name, _, _) in enumerate(taps)}
    rows = sorted(rows, key=lambda r: place[str(r.tap)])
    for i, (_, group) in enumerate(groupby(taps, key=lambda tap: tap[2])):
        members = [place[name] for _, name, _, _ in group]
        if i % 2 == 0:
            axis.axvspan(members[0] - 0.5, members[-1] + 0.5, color="0.95", zorder=0)
    places, values = [place[str(row.tap)] for row in rows], [row.value or 0.0 for row in rows]
    axis.plot(places, values, color="0.7", linewidth=1, zorder=1)
    for row, x, y in zip(rows, places, values, strict=True):
        colour = colours[row.stride or 0]
        style: dict[str, Any] = {"markerfacecolor": "white"} if row.grey or row.trivial else {}
        axis.errorbar(x, y, _bar(row), fmt="o", color=colour, ms=5, capsize=2, zorder=2, **style)
    chance = next((r.chance for r in rows if r.chance is not None), None)
    if chance is not None:
        axis.axhline(chance, color="0.4", linestyle="--", linewidth=0.8)
    axis.set_title(f"{label(rows[0])} ({rows[0].score})", fontsize=10)
    axis.set_xticks(range(len(taps)), [name for _, name, _, _ in taps], rotation=90, fontsize=7)
    axis.tick_params(axis="y", labelsize=8)
    axis.set_xlim(-0.5, len(taps) - 0.5)
    axis.margins(y=0.15)
    axis.spines[["top", "right"]].set_visible(False)


def _bar(row: Row) -> list[list[float]] | None:
    """The error bar below and above the value, or none."""
    if row.ci_low is None or row.ci_high is None or row.value is None:
        return None
    return [[max(0.0, row.value - row.ci_low)], [max(0.0, row.ci_high - row.value)]]


def _title(rows: Sequence[Row]) -> str:
    """Whose results these are, with the warnings a picture must carry when it travels alone."""
    first = rows[0]
    parts = [first.upstream, str(first.corpus)]
    if first.weights == "random":
        parts.append("random weights")
    if first.corpus_kind == "generated":
        parts.append("generated speech, not a finding about speech")
    return "  ·  ".join(parts)
