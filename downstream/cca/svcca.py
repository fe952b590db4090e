"""SVCCA, on request: canonical correlations of the directions that hold 99 % of each view's variance.

Unlike the scores of the default protocol it depends on the views' scales: it is the same under rotations and one scale
for all dimensions, and under nothing else. A few huge dimensions, which layers have, decide it alone. The number of
directions differs from tap to tap, so its taps are not on one footing.

Reference:
    Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017, "SVCCA: Singular Vector Canonical Correlation Analysis for Deep
    Learning Dynamics and Interpretability".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from s3prl_plugin.analysis.statistics.view_moments import ViewMoments
from s3prl_plugin.downstream.cca.canonical import Whitening, varying
from s3prl_plugin.downstream.cca.pair import FoldedPair, LeftOut
from s3prl_plugin.downstream.cca.split import Fitted, Split
from s3prl_plugin.downstream.cca.validation import Validation
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import Estimate

KEPT_VARIANCE = 0.99


def whiten_truncated(view: ViewMoments) -> Whitening:
    """A whitening of the fewest singular directions that hold 99 % of a view's variance.

    Args:
        view: training moments.
    """
    live = np.flatnonzero(varying(view))
    if not live.size:
        return Whitening(np.zeros((0, view.dim)))
    values, vectors = np.linalg.eigh(view.scatter[np.ix_(live, live)])
    values, vectors = values[::-1], vectors[:, ::-1]
    # The last singular values are rounding noise and may be negative; the whole is the trace all the same.
    held = np.cumsum(values) / values.sum()
    count = int(np.searchsorted(held, KEPT_VARIANCE * (1 - 1e-12))) + 1
    whole = np.zeros((count, view.dim))
    whole[:, live] = (vectors[:, :count] / np.sqrt(values[:count])).T
    return Whitening(whole)


def cross_validate(pair: FoldedPair) -> Estimate:
    """The mean held-out correlation, with Nadeau and Bengio's interval.

    The directions are the singular directions and canonical directions of the training folds; the mean is over all that
    there are (the fewer of both views), as the paper defines it.

    Args:
        pair: of views.

    Raises:
        Refused: fewer than three folds have rows, or a view is constant.
    """
    validation, fit = _whitened(pair)
    return intervals.nadeau_bengio(_per_split(validation.whole(fit)))


def jackknife(pair: FoldedPair) -> Estimate:
    """`cross_validate` with the delete-one-fold jackknife in place of the interval; four folds at least."""
    validation, fit = _whitened(pair)
    replicates = [np.mean(_per_split(splits)) for splits in validation.without_each(fit)]
    return intervals.jackknife(float(np.mean(_per_split(validation.whole(fit)))), replicates)


def _whitened(pair: FoldedPair) -> tuple[Validation, Callable[[LeftOut], Fitted]]:
    """The validation of a pair, and how it is fitted."""
    truncated = pair.whitened_by(whiten_truncated)
    return Validation(truncated), lambda left_out: truncated.fit(left_out, pair.k_max)


def _per_split(splits: Sequence[Split]) -> list[float]:
    """The mean over the directions that a split found."""
    return [float(split.correlations[: split.found].mean()) for split in splits]
