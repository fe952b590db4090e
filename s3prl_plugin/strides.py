"""Samples at 16 kHz from one frame to the next, exactly: a whole number, or a fraction for a model of another rate.

EnCodec makes 75 frames a second of 24 kHz, one every 640/3 samples at 16 kHz. Rounded, its frames would be off by one
after a few seconds; so arithmetic stays exact, and times become integers of a finer clock where arrays are computed.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np

SAMPLE_RATE = 16000
Stride: TypeAlias = int | Fraction


def exact_stride(value: Stride | str) -> Stride:
    """A stride as code has it: an int where it is whole.

    Args:
        value: a number, or a text as `written_stride` gives it.

    Raises:
        ValueError: the text is no fraction above 0.
    """
    if type(value) is int:
        return value
    try:
        found = Fraction(value)
    except ZeroDivisionError:
        raise ValueError(f"{value!r} is no fraction") from None
    if found <= 0:
        raise ValueError(f"{value!r} is not above 0")
    return found.numerator if found.denominator == 1 else found


def from_float(value: float) -> Stride:
    """The stride that a plain number stands for; of models at up to 192 kHz denominators are below 1000."""
    return exact_stride(Fraction(value).limit_denominator(1000))


def written_stride(stride: Stride | None) -> int | str | None:
    """A stride as files hold it: 320, "640/3"."""
    return str(stride) if isinstance(stride, Fraction) else stride


def stride_number(stride: Stride) -> int | float:
    """A stride as a plain number, an int where it is whole."""
    return float(stride) if isinstance(stride, Fraction) else stride


def milliseconds(stride: Stride | float) -> float:
    """A stride in milliseconds."""
    return float(1000 * stride / SAMPLE_RATE)


def ms_text(stride: Stride | float) -> str:
    """A stride in milliseconds as names and tables have it, to two decimals: "20", "2.5", "13.33"."""
    return f"{milliseconds(stride):.2f}".rstrip("0").rstrip(".")


def clock(*strides: Stride) -> int:
    """The least number of ticks to a sample with which all of these are whole numbers of ticks."""
    return lcm(*(stride.denominator for stride in strides))


def frame_at(moment: np.ndarray, stride: Stride) -> np.ndarray:
    """The number of the frame that covers each moment, floor(moment / stride).

    Args:
        moment: (n,) whole samples.
        stride: of the frames.
    """
    return moment * stride.denominator // stride.numerator
