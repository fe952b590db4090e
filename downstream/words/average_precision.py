"""Average precision of pairs that are ranked by distance, and what it is without the pairs of a speaker."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class RankedPairs:
    """Pairs of tokens of different speakers, the nearest first.

    Args:
        distances: (N, N) of all tokens; those of i < j are read.
        label: (N,) which word each is.
        speaker: (N,) who says it.
    """

    def __init__(self, distances: np.ndarray, label: np.ndarray, speaker: np.ndarray):
        one, other = np.nonzero(np.triu(speaker[:, None] != speaker, 1))
        distance = distances[one, other]
        order = np.argsort(distance, kind="stable")
        self._one, self._other = speaker[one[order]], speaker[other[order]]
        self._same = label[one[order]] == label[other[order]]
        ordered = distance[order]
        self._ends = np.append(ordered[1:] != ordered[:-1], True)  # the last of those that are equally far

    def __len__(self) -> int:
        """The number of pairs."""
        return len(self._same)

    @property
    def positives(self) -> int:
        """How many are of the same word."""
        return int(self._same.sum())

    @property
    def average_precision(self) -> float:
        """See `average_precision`; NaN without positives."""
        return average_precision(self._same, self._ends)

    def without_each(self, speakers: np.ndarray) -> Iterator[float]:
        """The same without all pairs in which a speaker has a part, one speaker after the other."""
        group = np.cumsum(self._ends) - self._ends
        for who in speakers:
            kept = (self._one != who) & (self._other != who)
            mine = group[kept]
            yield average_precision(self._same[kept], np.append(mine[1:] != mine[:-1], True)[: len(mine)])


def average_precision(same: np.ndarray, ends: np.ndarray) -> float:
    """The mean over positives of the precision down to their rank; equally far pairs share the last one's.

    Args:
        same: (P,) whether each pair is a positive, the nearest first.
        ends: (P,) whether it is the last one of those that are equally far.

    Returns:
        NaN without positives.

    Reference:
        scikit-learn's `average_precision_score(same, -distance)`. Carlin et al. 2011, "Rapid evaluation of speech
        representations for spoken term discovery", put positives first among ties, which is more.
    """
    if not same.any():
        return float("nan")
    at = np.flatnonzero(ends)
    found = np.cumsum(same)[at]
    return float((np.diff(found, prepend=0) / found[-1]) @ (found / (at + 1)))
