"""The score of the tap that is chosen, from folds that had no part in choosing it.

The best of several taps owes its place to luck in part, so its own score is too high. Here half of the folds choose the
best tap and the other half score it, for every way of halving them (of many folds or speakers, for SPLITS ways drawn at
random); the score is the mean. What a fold says by itself is its value, or the pseudo-value of a jackknifed score.

The interval is a t interval around that mean. Its standard error is the larger of two: that of the tap that is best on
all folds, and the jackknife's of the whole procedure, choices included, as many times larger as the former is than the
jackknife's of the same folds.

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

(`tests/s3prl_plugin/report/test_held_out.py` repeats a part of it.) Where one tap is better by little, the halves miss
it at times, and the score is a little low: it is that of the tap which such a choice finds. Differences of two models'
best taps (2 to 15 taps, equal or up to 3 fold sd apart, 6 to 10 folds, 300 runs each) covered 97 to 99 % of jackknifed
scores and 99 to 100 % of scores with a value per fold.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from s3prl_plugin.inference.differences import estimate
from s3prl_plugin.inference.intervals import Estimate, jackknife
from s3prl_plugin.results import Row

Array = npt.NDArray[np.float64]
SPLITS = 200  # halvings where there are more than can all be tried
FEWEST_FOLDS = 4


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The score of a tap chosen so.

    Attributes:
        estimate: the mean over halvings, which can be compared with another's over the same folds.
        halvings: over how many.
        chosen: tap -> in how many of them it was chosen, the most first.
    """

    estimate: Estimate
    halvings: int
    chosen: dict[str, int]


def held_out(rows: Sequence[Row]) -> HeldOut | None:
    """The score of the best of these taps, chosen and scored on different folds.

    Args:
        rows: of one measure over the same folds, a row per tap, with what its folds say.

    Returns:
        None with fewer than four folds.
    """
    estimates = [estimate(row) for row in rows]
    sign = 1.0 if rows[0].higher_is_better else -1.0
    parts = sign * np.array([each.folds for each in estimates])
    folds = parts.shape[1]
    if folds < FEWEST_FOLDS:
        return None
    score, without, chosen = procedure(parts)
    best = estimates[int(parts.mean(axis=1).argmax())]
    whole = jackknife(sign * score, sign * without)
    overlap = best.standard_error / (float(best.folds.std(ddof=1)) / np.sqrt(folds) or 1.0)  # 1 where jackknifed
    error = max(overlap * whole.standard_error, best.standard_error)
    counts = {str(rows[tap].tap): int((chosen == tap).sum()) for tap in range(len(rows))}
    ordered = {tap: n for tap, n in sorted(counts.items(), key=lambda each: -each[1]) if n}
    return HeldOut(replace(whole, standard_error=error, replicates=None), len(chosen), ordered)


def procedure(parts: Array) -> tuple[float, Array, npt.NDArray[np.intp]]:
    """The score of the best tap, chosen on one half of the folds and scored on the other.

    Args:
        parts: (taps, F) what every fold says; higher is better.

    Returns:
        the mean over halvings; (F,) the same without each fold; (halvings,) the tap that each chose.
    """
    folds = parts.shape[1]
    fewer = halvings(folds - 1)
    without = [_mean_score(np.delete(parts, fold, axis=1), fewer)[0] for fold in range(folds)]
    score, chosen = _mean_score(parts, halvings(folds))
    return score, np.array(without), chosen


def halvings(folds: int) -> npt.NDArray[np.bool_]:
    """(halvings, F): which folds choose. Each halving comes both ways round, so that every fold scores as often."""
    half = folds // 2
    if folds <= 10:
        found = np.array([[f in chosen for f in range(folds)] for chosen in itertools.combinations(range(folds), half)])
        return np.concatenate([found, ~found]) if folds % 2 else found  # of an even number both ways are there
    rng = np.random.default_rng(folds)
    drawn = np.array([rng.permutation(folds) < half for _ in range(SPLITS // 2)])
    return np.concatenate([drawn, ~drawn])


def _mean_score(parts: Array, choosing: npt.NDArray[np.bool_]) -> tuple[float, npt.NDArray[np.intp]]:
    """The mean over halvings of what the other half says of the tap that is best on the choosing half; these taps."""
    ours = choosing.astype(np.float64).T
    others = 1 - ours
    chosen = (parts @ ours / ours.sum(axis=0)).argmax(axis=0)
    scores = parts @ others / others.sum(axis=0)
    return float(scores[chosen, np.arange(scores.shape[1])].mean()), chosen
