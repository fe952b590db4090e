"""Which frames of a tap lie in an interval of time: those whose centres do, both ends included, in exact arithmetic.

    closed        the rule above, of ABXpy and fastabx
    librilight    its last frame is left out, as in Libri-light's tool and ZeroSpeech's until 2021: an interval of one
                  frame has none. Here in exact arithmetic, as fastabx has it behind FASTABX_WITH_LIBRILIGHT_BUG

Frame i of a tap of stride s has its centre at (i + 1/2) s. On alignments in steps of 10 ms, half of all edges are
centres of 20 ms frames; such a frame belongs to both neighbours, and floating point would change one interval in 17.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from s3prl_plugin.strides import Stride

CLOSED, LIBRILIGHT = RULES = ("closed", "librilight")


def frames_inside(
    start: np.ndarray, end: np.ndarray, stride: Stride, rule: str = CLOSED
) -> tuple[np.ndarray, np.ndarray]:
    """The frames whose centres lie in closed intervals; not clipped to an utterance.

    Args:
        start, end: (N,) samples: whole numbers, or objects that are fractions.
        stride: of the tap, in samples.
        rule: one of `RULES`.

    Returns:
        first, last: (N,) frame numbers, `last` exclusive; no frames where `last` <= `first`.

    Reference:
        Schatz 2016, "ABX-discriminability measures and applications" (ABXpy), as fastabx has it.
    """
    ticks, width = 2 * stride.denominator, stride.numerator  # a sample has `ticks`, a frame twice `width`
    first = -((width - ticks * np.asarray(start)) // (2 * width))
    last = (ticks * np.asarray(end) - width) // (2 * width) + (rule == CLOSED)
    return first.astype(np.int64), last.astype(np.int64)


def frames_at_rate(onset: Fraction, offset: Fraction, rate: Fraction, rule: str = CLOSED) -> tuple[int, int]:
    """The same for one interval in seconds.

    Args:
        onset, offset: of it, in seconds.
        rate: frames a second.
        rule: one of `RULES`.

    Returns:
        first, last: frame numbers, `last` exclusive.
    """
    half = Fraction(1, 2)
    return -((half - onset * rate) // 1), (offset * rate - half) // 1 + (rule == CLOSED)
