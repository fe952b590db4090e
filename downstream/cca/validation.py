"""Cross-validation of a pair of views, over all folds and without each: the splits that every score is a mean over."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Protocol, TypeVar

from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca.pair import FoldedPair, LeftOut
from s3prl_plugin.inference.refusal import Refused

MIN_FOLDS = 3
Scored = TypeVar("Scored", covariant=True)


class Fit(Protocol[Scored]):
    """What was learned from training folds."""

    def score(self, held_out: Moments) -> Scored:
        """What held-out rows say of it."""
        ...


class Validation:
    """The splits of one pair of views.

    Args:
        pair: whose folds are held out in turn; folds of fewer than two rows are trained on and not scored.

    Attributes:
        scored: the folds that are scored.

    Raises:
        Refused: fewer than three folds have rows.
    """

    def __init__(self, pair: FoldedPair):
        self.pair = pair
        self.scored = [i for i, n in enumerate(pair.sizes) if n > 1]
        if len(self.scored) < MIN_FOLDS:
            raise Refused(
                f"{len(self.scored)} folds with rows, {MIN_FOLDS} needed; more utterances or speakers would help"
            )

    def whole(self, fit: Callable[[LeftOut], Fit[Scored]]) -> list[Scored]:
        """Every fold held out in turn: one split per scored fold.

        Args:
            fit: learns from all folds but those that are left out.
        """
        return [self._splits(fit, frozenset([i]))[0] for i in self.scored]

    def without_each(self, fit: Callable[[LeftOut], Fit[Scored]]) -> list[list[Scored]]:
        """The whole cross-validation anew without each scored fold: as many lists of splits as there are such folds.

        Every training set without two folds is fitted once and scored on both: F (F - 1) / 2 fits.

        Args:
            fit: see `whole`.

        Raises:
            Refused: there are three scored folds, and none could be done without.
        """
        if len(self.scored) <= MIN_FOLDS:
            raise Refused(f"{len(self.scored)} folds with rows: a jackknife over folds needs {MIN_FOLDS + 1}")
        without: dict[int, list[Scored]] = {i: [] for i in self.scored}
        for f, g in itertools.combinations(self.scored, 2):
            on_f, on_g = self._splits(fit, frozenset([f, g]))
            without[g].append(on_f)
            without[f].append(on_g)
        return list(without.values())

    def _splits(self, fit: Callable[[LeftOut], Fit[Scored]], left_out: LeftOut) -> list[Scored]:
        """One fit without the folds left out, scored on each of these."""
        fitted = fit(left_out)
        return [fitted.score(self.pair.held_out(i, left_out)) for i in sorted(left_out)]
