"""Cross-validation of a pair of views, over all folds and without each: the splits that every score is a mean over."""

from __future__ import annotations

import itertools

from s3prl_plugin.analysis.refusal import Refused
from s3prl_plugin.downstream.cca.folded_view import LeftOut
from s3prl_plugin.downstream.cca.pair import FoldedPair
from s3prl_plugin.downstream.cca.split import Split

MIN_FOLDS = 3


class Validation:
    """The splits of one pair of views.

    Args:
        pair: whose folds are held out in turn; folds of fewer than two rows are trained on and not scored.
        k: the number of directions that count.

    Attributes:
        scored: the folds that are scored.

    Raises:
        Refused: fewer than three folds have rows.
    """

    def __init__(self, pair: FoldedPair, k: int):
        self.pair = pair
        self.k = k
        self.scored = [i for i, n in enumerate(pair.sizes) if n > 1]
        if len(self.scored) < MIN_FOLDS:
            raise Refused(
                f"{len(self.scored)} folds with rows, {MIN_FOLDS} needed; more utterances or speakers would help"
            )

    def whole(self) -> list[Split]:
        """Every fold held out in turn: one split per scored fold."""
        return [self._splits(frozenset([i]))[0] for i in self.scored]

    def without_each(self) -> list[list[Split]]:
        """The whole cross-validation anew without each scored fold: as many lists of splits as there are such folds.

        Every training set without two folds is fitted once and scored on both: F (F - 1) / 2 fits.

        Raises:
            Refused: there are three scored folds, and none could be done without.
        """
        if len(self.scored) <= MIN_FOLDS:
            raise Refused(f"{len(self.scored)} folds with rows: a jackknife over folds needs {MIN_FOLDS + 1}")
        without: dict[int, list[Split]] = {i: [] for i in self.scored}
        for f, g in itertools.combinations(self.scored, 2):
            on_f, on_g = self._splits(frozenset([f, g]))
            without[g].append(on_f)
            without[f].append(on_g)
        return list(without.values())

    def _splits(self, left_out: LeftOut) -> list[Split]:
        """One fit without the folds left out, scored on each of these."""
        fitted = self.pair.fit(left_out, self.k)
        return [fitted.score(self.pair.held_out(i, left_out)) for i in sorted(left_out)]
