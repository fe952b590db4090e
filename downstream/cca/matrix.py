"""cca_matrix: CCA of every tap with every tap, from sampled frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from s3prl_plugin.analysis.other_models.tap_pairs import Pair, TapPairs, seconds_of_product
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments
from s3prl_plugin.downstream.cca import r2
from s3prl_plugin.downstream.cca.pair import FoldedView, PairOfViews
from s3prl_plugin.downstream.cca.protocols import HEADLINE, about, with_interval
from s3prl_plugin.downstream.cca.r2 import R2
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

NAME = "cca_matrix"
PRODUCTS_PER_FIT = 5  # of two (d, d) matrices: a regression, the inverses, and the cross scatter of their rows


class CcaMatrix:
    """The CCA of every pair; a tap is whitened once per training set for all its partners.

    A pair is fitted once. As everywhere, the mean is over as many directions as the second tap has, so that the two
    places of a pair of taps of other dimensions differ by that factor.

    Args:
        pairs: of taps.
        make_row: of the analysis.
        intervals: whether rows get Nadeau and Bengio's interval.
    """

    def __init__(self, pairs: TapPairs, make_row: RowMaker, intervals: bool):
        self.pairs = pairs
        self.make_row = make_row
        self.intervals = intervals

    def __len__(self) -> int:
        """One list of rows per pair."""
        return len(self.pairs.pairs)

    def line(self, folds: int) -> str:
        """What a user should know before the pass.

        Args:
            folds: how many.
        """
        d = self.pairs.widest
        taps = len(self.pairs.own.taps) + (0 if self.pairs.within else len(self.pairs.other.taps))
        memory = 2 * 8 * folds * d * d * taps  # a scatter and its inverse each
        seconds = folds * seconds_of_product(PRODUCTS_PER_FIT * d, d)
        return f"{self.pairs.line(NAME, seconds)}, {memory / 1e9:.2f} GB"

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one pair after the other."""
        rows = self.pairs.rows()
        parts = self.pairs.parts(rows)
        views: dict[tuple[bool, int], FoldedView] = {}
        for pair in self.pairs.pairs:
            try:
                folds = self._folds(pair, rows, parts, views)
                x, y = (views[key] for key in self._keys(pair))
                found = r2.cross_validate(PairOfViews(folds, x, y))
                found.limit.check()
            except Refused as refused:
                yield self._refusals(pair, refused.reason, len(rows))
            else:
                both_ways = (found, found.turned())
                yield [self._row(*place, each) for place, each in zip(self.pairs.places(pair), both_ways, strict=False)]

    def _folds(
        self, pair: Pair, rows: np.ndarray, parts: list[np.ndarray], views: dict[tuple[bool, int], FoldedView]
    ) -> list[Moments]:
        """The joint moments of a pair per fold; each view's own are computed once."""
        sides = (self.pairs.own, self.pairs.other)
        x, y = (side.frames.frames(tap, rows).astype(np.float64) for side, tap in zip(sides, pair, strict=True))
        for key, frames in zip(self._keys(pair), (x, y), strict=True):
            if key not in views:
                views[key] = FoldedView([ViewMoments.of(frames[part]) for part in parts])
        of_x, of_y = (views[key].folds for key in self._keys(pair))
        return [Moments(a, b, _cross(x[part], a.mean, y[part])) for part, a, b in zip(parts, of_x, of_y, strict=True)]

    def _keys(self, pair: Pair) -> tuple[tuple[bool, int], tuple[bool, int]]:
        """Which views a pair is made of: of the other model or not, and the tap."""
        return (False, pair[0]), (not self.pairs.within, pair[1])

    def _row(self, tap: Tap, tap2: Tap, fields: dict[str, Any], found: R2) -> Row:
        """The row of one place of a pair."""
        shown = self.intervals and not fields["trivial"]
        number = with_interval(found.estimate) if shown else {"value": found.value}
        rests_on = {"n": found.n, "n_over_d": found.n_train / tap.dim, "grey": found.limit.grey, **about(found)}
        return self.make_row.row(tap, NAME, HEADLINE, chance=0.0, **number, **rests_on, **fields)

    def _refusals(self, pair: Pair, reason: str, n: int) -> list[Row]:
        """The rows of a pair that is not available."""
        found = []
        for tap, _, fields in self.pairs.places(pair):
            found += self.make_row.refuse(tap, NAME, (HEADLINE,), "", reason, n=n, **fields)
        return found


def _cross(x: Array, mean: Array, y: Array) -> Array:
    """The cross scatter of two views, of which one need be centred only."""
    return (x - mean).T @ y
