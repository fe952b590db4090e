"""What a second of units costs: by their number, and by how often each of them comes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.strides import Stride


def nominal(stride: Stride, units: int) -> float:
    """Bits per second when every unit takes log2 K bits.

    Args:
        stride: samples from one unit to the next.
        units: K.
    """
    return float(SAMPLE_RATE / stride) * math.log2(units)


def by_entropy(stride: Stride, counts: npt.ArrayLike) -> float:
    """Bits per second of an ideal coder of single units: units per second times H(unit).

    Neighbours are taken as independent, so a coder that looks back needs less. The entropy is that of the counts
    themselves, which is below the true one by about (K - 1) / (2 n ln 2) bits for n counted units.

    Args:
        stride: samples from one unit to the next.
        counts: (K,) of every unit.

    Raises:
        Refused: nothing was counted.
    """
    counts = np.asarray(counts, dtype=np.float64)
    if not counts.sum():
        raise Refused("no frames in the folds that are scored; more speech would help")
    return float(SAMPLE_RATE / stride) * float(entr(counts / counts.sum()).sum() / math.log(2))


def jackknifed(stride: Stride, counts: npt.ArrayLike) -> Estimate | None:
    """`by_entropy` with a delete-one-speaker jackknife; None with fewer than two speakers.

    Args:
        stride: samples from one unit to the next.
        counts: (U, K) per speaker.
    """
    counts = np.asarray(counts, dtype=np.float64)
    counts = counts[counts.any(axis=1)]
    if len(counts) < 2:
        return None
    total = counts.sum(axis=0)
    without = [by_entropy(stride, total - speaker) for speaker in counts]
    return intervals.jackknife(by_entropy(stride, total), without)
