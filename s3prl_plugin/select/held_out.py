"""The score of the tap that is chosen, from folds that had no part in choosing it.

The best of several taps owes its place to luck in part, so its own score is too high. Here half of the folds choose the
best tap and the other half score it, for every way of halving them (of many folds or speakers, for SPLITS ways drawn at
random); the score is the mean. What a fold says by itself comes from the replicates: theta + (F - 1) (mean - theta_-f),
whose mean is theta (the folds' own values where theta is their mean, and a first-order approximation where it is not).

The interval is a t interval around that mean. Its standard error is the larger of two: the jackknife's of the tap that
is best on all folds, and the jackknife's of the whole procedure, choices included.

Simulated with 2, 6 and 15 taps, 6 and 8 folds, 400 runs each: the bias, in standard errors of one tap's score, of the
best tap's own score and of this one, as estimates of the true score of the tap that is best on all folds, and how often
their 95 % intervals cover that. Taps have independent noise, and as a rule the folds much in common besides:

                                               the best tap's own score             this one
                                               bias          covers      bias          covers
    independent noise alone
        taps that are equal                +0.5 to +1.8    72 to 97 %   -0.1 to  0.0    97 to 99.8 %
        taps on a slope of 3 fold sd        0.0 to +0.9    92 to 97 %   -0.3 to  0.0    92 to 99 %
        one better than the rest by 1 sd   +0.1 to +0.9    87 to 97 %   -0.7 to -0.1    90 to 97 %
    and three times as much in common
        taps that are equal                +0.1 to +0.6    93 to 95 %   -0.1 to +0.1    95 to 97 %
        taps on a slope of 3 fold sd       -0.1 to +0.3    94 to 95 %   -0.1 to +0.1    94 to 98 %
        one better than the rest by 1 sd    0.0 to +0.3    94 to 96 %   -0.2 to  0.0    94 to 97 %

(`tests/s3prl_plugin/select/test_held_out.py` repeats a part of it.) Where one tap is better by little, the halves miss
it at times, and the score is a little low: it is that of the tap which such a choice finds.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s3prl_plugin.analysis.intervals import Estimate, fold_values, jackknife, signed_root
from s3prl_plugin.report.differences import ROOTED, estimate
from s3prl_plugin.results import Row

Array = npt.NDArray[np.float64]
SPLITS = 200  # halvings where there are more than can all be tried
FEWEST_FOLDS = 4


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The score of a tap chosen so, on the scale that tables show.

    Attributes:
        value: the mean over halvings.
        ci_low, ci_high: 95 % interval.
        halvings: over how many.
    """

    value: float
    ci_low: float
    ci_high: float
    halvings: int


def held_out(rows: Sequence[Row]) -> HeldOut | None:
    """The score of the best of these taps, chosen and scored on different folds.

    Args:
        rows: of one measure over the same folds, a row per tap, with replicates.

    Returns:
        None with fewer than four folds.
    """
    estimates = [estimate(row) for row in rows]
    sign = 1.0 if rows[0].higher_is_better else -1.0
    parts = sign * np.array([fold_values(each) for each in estimates])
    if parts.shape[1] < FEWEST_FOLDS:
        return None
    score, without, halvings = procedure(parts)
    best = int(parts.mean(axis=1).argmax())
    whole = jackknife(score, without)
    error = max(whole.standard_error, estimates[best].standard_error)
    found = Estimate(sign * score, error, parts.shape[1] - 1)
    ends = found.interval()
    value, low, high = (signed_root(x) if rows[0].score == ROOTED else x for x in (found.value, *ends))
    return HeldOut(value, low, high, halvings)


def procedure(parts: Array) -> tuple[float, Array, int]:
    """The score of the best tap, chosen on one half of the folds and scored on the other.

    Args:
        parts: (taps, F) what every fold says; higher is better.

    Returns:
        the mean over halvings; (F,) the same without each fold; the number of halvings.
    """
    folds = parts.shape[1]
    choosing = halvings(folds)
    fewer = halvings(folds - 1)
    without = [_mean_score(np.delete(parts, fold, axis=1), fewer) for fold in range(folds)]
    return _mean_score(parts, choosing), np.array(without), len(choosing)


def halvings(folds: int) -> npt.NDArray[np.bool_]:
    """(halvings, F): which folds choose. Each halving comes both ways round, so that every fold scores as often."""
    half = folds // 2
    if folds <= 10:
        found = np.array([[f in chosen for f in range(folds)] for chosen in itertools.combinations(range(folds), half)])
        return np.concatenate([found, ~found]) if folds % 2 else found  # of an even number both ways are there
    rng = np.random.default_rng(folds)
    drawn = np.array([rng.permutation(folds) < half for _ in range(SPLITS // 2)])
    return np.concatenate([drawn, ~drawn])


def _mean_score(parts: Array, choosing: npt.NDArray[np.bool_]) -> float:
    """The mean over halvings of what the other half says of the tap that is best on the choosing half."""
    ours = choosing.astype(np.float64).T
    others = 1 - ours
    chosen = (parts @ ours / ours.sum(axis=0)).argmax(axis=0)
    scores = parts @ others / others.sum(axis=0)
    return float(scores[chosen, np.arange(scores.shape[1])].mean())
