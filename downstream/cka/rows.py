"""From a pair's fold moments to its results row: linear CKA with its jackknife."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from s3prl_plugin.analysis.cka import linear_cka
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.components import caveat, first_component
from s3prl_plugin.analysis.statistics.view_moments import Moments, ViewMoments
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

SCORE = "cka"


class CkaRows:
    """Makes the rows of CKA, one per pair of views.

    CKA inverts no covariance, and across folds it is not biased by few rows, so that it has no least number of rows per
    dimension; what few rows cost shows in the interval. It is refused where a view has no size to normalise by. It is
    about the largest directions, as rows say where one holds most of the variance.

    Args:
        make_row: of the analysis.
    """

    family = "cka"

    def __init__(self, make_row: RowMaker):
        self.make_row = make_row

    def view(self, folds: Sequence[ViewMoments]) -> None:
        """See `PairRows`: nothing is shared."""

    def rows(
        self, tap: Tap, measure: str, folds: Sequence[Moments], x: None = None, y: None = None, **fields: Any
    ) -> list[Row]:
        """See `PairRows`; one row."""
        n = sum(fold.n for fold in folds)
        try:
            estimate = linear_cka(folds)
        except Refused as refused:
            return self.refusals(tap, measure, refused.reason, n=n, **fields)
        share = first_component(np.sum([fold.x.scatter for fold in folds], axis=0))
        fields |= {"first_component": share, "caveat": caveat(share, "its similarities")}
        return [self.of_estimate(tap, measure, estimate, n, headline=True, **fields)]

    def of_estimate(self, tap: Tap, measure: str, estimate: Estimate, n: int, **fields: Any) -> Row:
        """The row of a CKA that is computed already; a view with itself has no interval."""
        found: dict[str, Any] = {}
        if not fields.get("trivial") and estimate.replicates is not None:
            low, high = estimate.interval()
            found = {"ci_low": low, "ci_high": high, "replicates": estimate.replicates.tolist()}
        return self.make_row.row(
            tap, measure, SCORE, value=estimate.value, n=n, n_over_d=n / tap.dim, chance=0.0, **found, **fields
        )

    def refusals(self, tap: Tap, measure: str, reason: str, headline: bool = True, **fields: Any) -> list[Row]:
        """See `PairRows`."""
        return [self.make_row.row(tap, measure, SCORE, headline=headline, refused=reason, **fields)]
