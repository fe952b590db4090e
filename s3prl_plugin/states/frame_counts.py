"""How many frames an upstream makes of so many samples, learned by asking it.

Convolutions, windows and spectrograms all count frames by one law: the first frame is there after so many samples,
and another one every stride. Two numbers per layer, found with a dozen utterances of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil

from s3prl_plugin.strides import SAMPLE_RATE, Stride

SHORT = SAMPLE_RATE
# How much longer the long utterance is: a multiple of 5, 10, 12.5, 20, 25, 40, 80, 100 ms, which all strides divide.
SPAN = 4 * SAMPLE_RATE
STEPS = 8  # that are looked for, at most

Count = Callable[[int], Sequence[int]]


@dataclass(frozen=True, slots=True)
class FrameCount:
    """The law by which a layer counts frames.

    Attributes:
        stride: samples from one frame to the next.
        first: samples that give the first frame; below 1 where the network pads.
    """

    stride: Stride
    first: Stride

    def __call__(self, samples: int) -> int:
        """The frames of an utterance of so many samples."""
        return max(0, (samples - self.first) // self.stride + 1)


def measured_strides(count: Count) -> list[Fraction | None]:
    """Samples per frame and layer, as they are; None where a longer utterance has no more frames.

    Args:
        count: the frames of every layer, given the samples of one utterance.
    """
    more = [long - short for short, long in zip(count(SHORT), count(SHORT + SPAN), strict=True)]
    return [Fraction(SPAN, frames) if frames > 0 else None for frames in more]


def learn(count: Count, strides: Sequence[Stride]) -> list[FrameCount | None]:
    """The law of every layer; None for a layer that follows none.

    Args:
        count: the frames of every layer, given the samples of one utterance.
        strides: of every layer, in samples.
    """
    count = cache(count)  # layers that count alike ask the same questions
    laws = []
    for layer, (stride, before) in enumerate(zip(strides, count(SHORT), strict=True)):
        # Where the next frames arise, the whole sample after the moment: of a stride that is a fraction, several tell.
        steps = [_next_step(count, layer, stride, before + i) for i in range(min(stride.denominator, STEPS))]
        laws.append(FrameCount(stride, min(step - (before + i) * stride for i, step in enumerate(steps))))
    after = {ceil(law(SHORT) * law.stride + law.first) for law in laws}
    held_out = [SHORT, SHORT + 12345, SHORT + SPAN, *after, *(step - 1 for step in after)]
    return [
        law if all(law(samples) == count(samples)[layer] for samples in held_out) else None
        for layer, law in enumerate(laws)
    ]


def _next_step(count: Count, layer: int, stride: Stride, frames: int) -> int:
    """The least number of samples that give a layer more than so many frames, by bisection."""
    ahead = frames - count(SHORT)[layer]
    low, high = SHORT + int(ahead * stride), SHORT + ceil((ahead + 1) * stride)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle)[layer] > frames else (middle, high)
    return high
