"""What all figures share: sizes of a printed column, fonts, and marks that stay apart in colour and in grey."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from textwrap import fill
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.report.drawing.charts import palette
from s3prl_plugin.results import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = {"column": 3.4, "page": 7.0}  # inches: of one column of a paper, and of its text
MARKERS = dict(zip(palette.RESOLUTION_SHAPES, "os^DPv", strict=True))
TITLE = 7.5  # points
SHADE = "0.955"
GREY = "0.45"
RC: Mapping[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 7.0,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.0,
    "xtick.labelsize": 6.0,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "legend.title_fontsize": 6.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.5,
    "ytick.major.width": 0.5,
    "xtick.major.size": 2.0,
    "ytick.major.size": 2.5,
    "pdf.fonttype": 42,  # letters, not outlines: text can be searched and edited, and publishers accept it
    "svg.fonttype": "none",
    "svg.hashsalt": "s3prl_plugin",  # the same figure gives the same file
}


def require_matplotlib() -> None:
    """Say how to install matplotlib where it is absent.

    Raises:
        UserError: it is absent.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise UserError("figures need matplotlib: pip install 's3prl_plugin[report]'")


def in_style() -> AbstractContextManager[Any]:
    """Inside the block matplotlib's settings are those of these figures."""
    require_matplotlib()
    import matplotlib

    settings: Any = dict(RC)  # whose keys matplotlib's types list one by one
    return matplotlib.rc_context(settings)


def blank(width: str, height: float) -> Figure:
    """An empty figure, that no window shows.

    Args:
        width: a name of `WIDTHS`.
        height: in inches.

    Raises:
        UserError: there is no such width.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(inches(width), height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def inches(width: str) -> float:
    """The width of a figure.

    Raises:
        UserError: it is no name of `WIDTHS`.
    """
    if width not in WIDTHS:
        raise UserError(f"width {width!r} of a figure: {did_you_mean(str(width), WIDTHS)}")
    return WIDTHS[width]


def wrapped(text: str, width: str) -> str:
    """A title in lines that fit a figure's width."""
    return fill(text, int(16 * inches(width)))


def resolution_styles(rows: Sequence[Row]) -> dict[str, tuple[str, str]]:
    """Resolution -> its colour and marker, as on the report page."""
    styles = {stride: palette.resolution_style(stride) for stride in sorted({row.stride or 0 for row in rows})}
    return {palette.resolution(stride): (colour, MARKERS[shape]) for stride, (colour, shape) in styles.items()}


def said_of(models: Mapping[str, Sequence[Row]]) -> str:
    """Whose results these are, with the warnings that a figure must carry when it travels alone."""
    rows = [row for own in models.values() for row in own]
    parts = list(models) if len(models) == 1 else []
    parts += [", ".join(dict.fromkeys(row.corpus for row in rows if row.corpus and row.corpus != "generated"))]
    random = [row.weights == "random" for row in rows]
    parts += ["random weights"] if all(random) else ["some weights random"] if any(random) else []
    if any(row.corpus_kind == "generated" for row in rows):
        parts.append("generated speech, not a finding about speech")
    return "  ·  ".join(part for part in parts if part)
