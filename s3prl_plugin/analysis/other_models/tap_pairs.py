"""Every tap with every tap: the pairs of a matrix, and their frames in folds."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from s3prl_plugin.analysis.other_models.sampled import SampledFrames
from s3prl_plugin.analysis.statistics.view_moments import Array
from s3prl_plugin.states.taps import Tap

Pair = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Side:
    """The taps of one model.

    Attributes:
        taps: of it.
        frames: of these taps, all averaged over the same cells.
        upstream: the model's name; None for that of the run.
    """

    taps: tuple[Tap, ...]
    frames: SampledFrames
    upstream: str | None = None


class TapPairs:
    """The pairs of a matrix: of one model's taps with each other, or with another model's.

    Within a model a pair is computed once and stands in both of its places.

    Args:
        own: the run's model.
        other: another one; None for a matrix within the run's.
        fold: (N,) of every row that a reservoir can have.
        folds: how many.
    """

    def __init__(self, own: Side, other: Side | None, fold: np.ndarray, folds: int):
        self.own = own
        self.other = other or own
        self.within = other is None
        self._fold = fold
        self._folds = folds

    @property
    def pairs(self) -> list[Pair]:
        """Positions of the taps of each pair that is computed, row by row of the matrix."""
        left, right = range(len(self.own.taps)), range(len(self.other.taps))
        return list(itertools.combinations_with_replacement(left, 2) if self.within else itertools.product(left, right))

    @property
    def widest(self) -> int:
        """The largest dimension of a tap."""
        return max(tap.dim for tap in (*self.own.taps, *self.other.taps))

    def rows(self) -> np.ndarray:
        """(n,) the rows that both models have: in one of two runs, a file may have been unreadable."""
        return np.intersect1d(self.own.frames.rows(), self.other.frames.rows())

    def parts(self, rows: np.ndarray) -> list[np.ndarray]:
        """Positions in `rows` per fold, of the folds that have two at least."""
        fold = self._fold[rows]
        return [part for f in range(self._folds) if len(part := np.flatnonzero(fold == f)) > 1]

    def places(self, pair: Pair) -> Iterator[tuple[Tap, Tap, dict[str, Any]]]:
        """Where the number of a pair stands: the tap, the one that it is compared with, and further row fields."""
        x, y = self.own.taps[pair[0]], self.other.taps[pair[1]]
        fields = {"upstream2": self.other.upstream, "trivial": self.within and pair[0] == pair[1]}
        yield x, y, {"tap2": y.name, **fields}
        if self.within and x != y:
            yield y, x, {"tap2": x.name, **fields}

    def line(self, measure: str, seconds_each: float) -> str:
        """What a user should know before the pass: how many pairs, and about how long they take after it."""
        whose = "of this model's taps" if self.within else f"with taps of {self.other.upstream}"
        count = len(self.pairs)
        minutes = round(count * seconds_each / 60)
        how_long = "a minute or less" if minutes < 2 else f"about {minutes} minutes"
        return f"{measure}: {count} pairs {whose}, after the pass: {how_long}"


def seconds_of_product(n: int, d: int) -> float:
    """How long this machine takes for the cross scatter of two views, measured on fewer rows.

    Args:
        n: rows.
        d: dimensions of each.
    """
    few = min(n, 256)
    rows: Array = np.random.default_rng(0).standard_normal((few, d))
    start = time.perf_counter()
    rows.T @ rows
    return (time.perf_counter() - start) * n / few
