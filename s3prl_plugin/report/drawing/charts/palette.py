"""Colours, shapes and dashes that stay apart on white, on black and for colour-blind readers (after Okabe and Ito)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
RESOLUTION_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
MODEL_COLOURS = ("#1f7fc4", "#d55e00", "#009e73", "#cc79a7", "#b8860b")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))
NEUTRAL = "#8a8a8a"


def resolutions(strides: Iterable[Stride | float | None]) -> list[str]:
    """The names of resolutions, fine to coarse."""
    return [resolution(stride) for stride in sorted({stride or 0 for stride in strides})]


def resolution(stride: Stride | float | None) -> str:
    """A stride in samples at 16 kHz as text in milliseconds."""
    return f"{ms_text(stride)} ms" if stride else "unknown"


def model_styles(names: Sequence[str]) -> dict[str, tuple[str, tuple[int, ...]]]:
    """A colour and a dash for every model: colours first, then the same ones dashed."""
    colours = len(MODEL_COLOURS)
    return {
        name: (MODEL_COLOURS[i % colours], DASHES[i // colours % len(DASHES)])
        for i, name in enumerate(dict.fromkeys(names))
    }


def cycled(values: Sequence[str], count: int) -> list[str]:
    """As many values as are wanted, from the start again where they run out."""
    return [values[i % len(values)] for i in range(count)]


def resolution_style(stride: Stride | float | None) -> tuple[str, str]:
    """The colour and the shape of a resolution."""
    return OF_STRIDE.get(stride or 0, OTHER_STRIDE)
