"""Colours, shapes and dashes that stay apart on white, on black and for colour-blind readers (after Okabe and Ito)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s3prl_plugin.strides import Stride, ms_text

# stride in samples at 16 kHz -> colour, shape: the same in every chart, whatever other resolutions there are
OF_STRIDE: dict[Stride | float, tuple[str, str]] = {
    320: ("#1f7fc4", "circle"),
    640: ("#d55e00", "square"),
    1280: ("#009e73", "triangle-up"),
    160: ("#cc79a7", "diamond"),
    2560: ("#b8860b", "triangle-down"),
}
OTHER_STRIDE = ("#8a8a8a", "cross")
MODEL_COLOURS = ("#1f7fc4", "#d55e00", "#009e73", "#cc79a7", "#b8860b")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))
NEUTRAL = "#8a8a8a"
SHADE = "#f1f3f5"
PAPER = "#ffffff"  # inside hollow marks

Style = tuple[str, tuple[int, ...]]  # a colour and a dash


@dataclass(frozen=True, slots=True)
class Look:
    """How large marks are, in pixels on a page, which are points in print.

    Attributes:
        point: the area of a mark; line, bar: widths; cross, word: of letters.
        printed: nothing can be pointed at.
        config: of Vega-Lite.
    """

    point: float = 46
    line: float = 1.8
    bar: float = 1.3
    cross: float = 15
    word: float = 10
    printed: bool = False

    @property
    def config(self) -> Mapping[str, Any]:
        """Of Vega-Lite; the page has its own."""
        return PRINTED if self.printed else {}


SCREEN = Look()
PRINT = Look(point=13, line=1.0, bar=0.8, cross=9, word=6, printed=True)
# Liberation Sans has Arial's widths, and comes with vl-convert.
FONT = "Arial, Helvetica, 'Liberation Sans', sans-serif"
PRINTED: Mapping[str, Any] = {
    "font": FONT,
    "background": PAPER,
    "padding": 2,
    "view": {"stroke": None},
    "title": {"fontSize": 8, "subtitleFontSize": 7, "subtitleColor": "#444444", "offset": 4, "fontWeight": "bold"},
    "axis": {
        "labelFontSize": 6.5,
        "titleFontSize": 7,
        "titleFontWeight": "normal",
        "titlePadding": 3,
        "labelPadding": 2,
        "gridColor": "#e6e6e6",
        "gridWidth": 0.4,
        "domainWidth": 0.6,
        "tickWidth": 0.5,
        "tickSize": 2.5,
        "domainColor": "#666666",
        "tickColor": "#666666",
    },
    "legend": {
        "labelFontSize": 6.5,
        "titleFontSize": 6.5,
        "titleFontWeight": "normal",
        "symbolSize": 22,
        "rowPadding": 1,
        "symbolStrokeWidth": 1.2,
        "columnPadding": 8,
        "labelOffset": 2,
        "offset": 2,
        "titlePadding": 2,
        "layout": {"bottom": {"direction": "vertical", "anchor": "start", "margin": 3}},
    },
    "concat": {"spacing": 9},
}


def resolutions(strides: Iterable[Stride | float | None]) -> list[str]:
    """The names of resolutions, fine to coarse."""
    return [resolution(stride) for stride in sorted({stride or 0 for stride in strides})]


def resolution(stride: Stride | float | None) -> str:
    """A stride in samples at 16 kHz as text in milliseconds."""
    return f"{ms_text(stride)} ms" if stride else "unknown"


def model_styles(names: Sequence[str]) -> dict[str, Style]:
    """A colour and a dash for every model: colours first, then the same ones dashed."""
    colours = len(MODEL_COLOURS)
    return {
        name: (MODEL_COLOURS[i % colours], DASHES[i // colours % len(DASHES)])
        for i, name in enumerate(dict.fromkeys(names))
    }


def resolution_style(stride: Stride | float | None) -> tuple[str, str]:
    """The colour and the shape of a resolution."""
    return OF_STRIDE.get(stride or 0, OTHER_STRIDE)
