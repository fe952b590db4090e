"""cca_matrix: CCA of every tap with every tap, from sampled frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from s3prl_plugin.analysis.other_models.tap_pairs import Pair, TapPairs, seconds_of_eigenvectors
from s3prl_plugin.analysis.refusal import Refused, Verdict, data_limit
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments
from s3prl_plugin.downstream.cca.default import Scores, cross_validate
from s3prl_plugin.downstream.cca.folded_view import FoldedView
from s3prl_plugin.results import Row
from s3prl_plugin.taps import Tap

NAME = "cca_matrix"
SCORES = ("corrected", "r")
EIGENVECTORS_PER_FIT = 2  # a fit of 768 dimensions takes about as long again beside them


class CcaMatrix:
    """The CCA of every pair; a tap is whitened once per training set for all its partners.

    A pair is fitted once. As everywhere, the mean is over as many directions as the second tap has dimensions, so that
    the two places of a pair of taps of other dimensions differ by that factor.

    Args:
        pairs: of taps.
        make_row: of the analysis.
        fast: whether `r` gets Nadeau and Bengio's interval.
    """

    def __init__(self, pairs: TapPairs, make_row: RowMaker, fast: bool):
        self.pairs = pairs
        self.make_row = make_row
        self.fast = fast

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
        memory = 2 * 8 * folds * d * d * taps  # a scatter and a whitening each
        seconds = folds * EIGENVECTORS_PER_FIT * seconds_of_eigenvectors(d)
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
                verdict = _verdict(folds)
                scores = cross_validate(folds, y.folds[0].dim, x=x, y=y)
            except Refused as refused:
                yield self._refusals(pair, refused.reason, len(rows))
            else:
                yield [row for place in self.pairs.places(pair) for row in self._rows(*place, scores, verdict)]

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

    def _rows(self, tap: Tap, tap2: Tap, fields: dict[str, Any], scores: Scores, verdict: Verdict) -> list[Row]:
        """The rows of one place of a pair."""
        share = scores.k / tap2.dim  # the fit's mean is over the dimensions of its own second tap
        interval: dict[str, Any] = {}
        if self.fast and not fields["trivial"]:
            low, high = scores.fast("r").interval()
            interval = {"ci_low": low * share, "ci_high": high * share}
        common = {"n": scores.n, "n_over_d": scores.n_train / tap.dim, "grey": verdict.grey, "chance": 0.0, **fields}
        return [
            self.make_row.row(tap, NAME, "corrected", value=scores.corrected * share, **common),
            self.make_row.row(tap, NAME, "r", value=scores.r * share, **interval, **common),
        ]

    def _refusals(self, pair: Pair, reason: str, n: int) -> list[Row]:
        """The rows of a pair that cannot be had."""
        found = []
        for tap, _, fields in self.pairs.places(pair):
            found += self.make_row.refuse(tap, NAME, SCORES, "", reason, n=n, **fields)
        return found


def _verdict(folds: list[Moments]) -> Verdict:
    """Whether a pair can be shown.

    Raises:
        Refused: there are too few rows for its dimensions.
    """
    sizes = [fold.n for fold in folds]
    if not sizes:
        raise Refused("no fold has two sampled frames; more speech would help")
    verdict = data_limit(sum(sizes) - max(sizes), max(folds[0].x.dim, folds[0].y.dim))
    verdict.check()
    return verdict


def _cross(x: Array, mean: Array, y: Array) -> Array:
    """The cross scatter of two views, of which one need be centred only."""
    return (x - mean).T @ y
