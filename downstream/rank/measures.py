"""The rows of embedding rank, from the frame scatters that a pass gathered.

With few frames the entropy ranks fall short of what more would give: of 200 equally strong directions `effective_rank`
finds 78 % at 2 frames per dimension, 91 % at 5 and 95 % at 10, and is refused or grey there. `participation_ratio` is
not; few frames show in its interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from s3prl_plugin.analysis.information.seeds import interval_fields
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.frame_statistics import FrameStatistics
from s3prl_plugin.analysis.statistics.view_moments import ViewMoments
from s3prl_plugin.downstream.rank.spectrum import effective_rank, jackknifed_participation, participation_ratio, rankme
from s3prl_plugin.inference.intervals import Estimate, jackknife
from s3prl_plugin.inference.refusal import Refused, data_limit
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

NAME = "rank"
HEADLINE = "participation_ratio"
OVER_DIM = "participation_over_dim"
ENTROPY: dict[str, Callable[[ViewMoments], float]] = {"effective_rank": effective_rank, "rankme": rankme}
SCORES = (HEADLINE, OVER_DIM, *ENTROPY)
MIN_FOLDS = 3


class EmbeddingRank:
    """The rank of every tap; intervals are the delete-one-fold jackknife's.

    Args:
        statistics: what is kept of the frames.
        make_row: of the analysis.
        with_intervals: whether rows have intervals.
    """

    def __init__(self, statistics: FrameStatistics, make_row: RowMaker, with_intervals: bool):
        self.statistics = statistics
        self.make_row = make_row
        self.with_intervals = with_intervals

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.statistics.taps)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        for tap in self.statistics.taps:
            folds = [fold for fold in self.statistics.of(tap) if fold.n]
            n = sum(fold.n for fold in folds)
            fields = {"n": n, "n_over_d": n / tap.dim}
            yield [*self._participation(tap, folds, fields), *self._entropy(tap, folds, n, fields)]

    def _participation(self, tap: Tap, folds: Sequence[ViewMoments], fields: Mapping[str, Any]) -> list[Row]:
        """The headline, and the same over the tap's dimension."""
        try:
            intervals = self.with_intervals and sum(fold.n > 1 for fold in folds) >= MIN_FOLDS
            whole = jackknifed_participation(folds) if intervals else Estimate(participation_ratio(folds), 0.0, 1)
        except Refused as refused:
            return self.make_row.refuse(tap, NAME, (HEADLINE, OVER_DIM), HEADLINE, refused.reason, **fields)
        made = []
        for score, size in ((HEADLINE, 1), (OVER_DIM, tap.dim)):
            found: dict[str, Any] = {}
            if whole.replicates is not None:
                found = interval_fields([jackknife(whole.value / size, whole.replicates / size)])
            unit = "dimensions" if score == HEADLINE else None
            made.append(
                self.make_row.row(
                    tap, NAME, score, headline=score == HEADLINE, value=whole.value / size, unit=unit, **found, **fields
                )
            )
        return made

    def _entropy(self, tap: Tap, folds: Sequence[ViewMoments], n: int, fields: Mapping[str, Any]) -> list[Row]:
        """The entropy ranks, where there are frames enough for them."""
        try:
            verdict = data_limit(n, tap.dim)
            verdict.check()
            whole = ViewMoments.merge(folds)
            without = [ViewMoments.merge([*folds[:f], *folds[f + 1 :]]) for f in range(len(folds))]
            made = []
            for score, function in ENTROPY.items():
                value, found = function(whole), {}
                if self.with_intervals and len(folds) >= MIN_FOLDS:
                    found = interval_fields([jackknife(value, [function(moments) for moments in without])])
                row = self.make_row.row(
                    tap, NAME, score, value=value, grey=verdict.grey, unit="dimensions", **found, **fields
                )
                made.append(row)
            return made
        except Refused as refused:
            return self.make_row.refuse(tap, NAME, ENTROPY, HEADLINE, refused.reason, **fields)
