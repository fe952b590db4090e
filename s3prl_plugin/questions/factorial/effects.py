"""Effects of a two-by-two design with paired seeds: pure functions of one number per cell and seed.

With y_rl the number of a cell, r the rate (1: the middle block at the lower rate, 0: at the model's own) and l the loss
(1: with an auxiliary loss, 0: without), a seed s says

    loss         ((y_11 - y_10) + (y_01 - y_00)) / 2     what the auxiliary loss adds, on average over the rates
    rate         ((y_11 - y_01) + (y_10 - y_00)) / 2     what the lower rate adds, on average over the losses
    interaction   (y_11 - y_10) - (y_01 - y_00)          how much more the loss adds at the lower rate

Seeds of the same number share initial weights, order of the data and masks, so that what they have in common cancels
within a seed; intervals are over seeds, and speak of training anew.

The error is pooled: cells of one variance give the three effects one error, that of the cells less what cells and seeds
each have in common, with 3 (S - 1) degrees of freedom in place of S - 1. With three seeds an effect of two cell
deviations is then found in 83 % of experiments, and in 48 % with an effect's own error. Where the variances of the
three effects differ (Bartlett's test, .05), or a seed lacks a cell, every effect has its own error.

Reference:
    Montgomery, "Design and Analysis of Experiments": the 2^2 design in randomised blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc

from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import LEVEL, Estimate
from s3prl_plugin.inference.refusal import Refused

MIN_SEEDS = 3
EQUAL_VARIANCES = 0.05

Cell = tuple[bool, bool]
"""(lower rate, auxiliary loss)."""

CELLS: tuple[Cell, ...] = ((True, True), (True, False), (False, True), (False, False))
WEIGHTS: dict[str, dict[Cell, float]] = {
    "loss": {(True, True): 0.5, (True, False): -0.5, (False, True): 0.5, (False, False): -0.5},
    "rate": {(True, True): 0.5, (True, False): 0.5, (False, True): -0.5, (False, False): -0.5},
    "interaction": {(True, True): 1.0, (True, False): -1.0, (False, True): -1.0, (False, False): 1.0},
}
SIMPLE: dict[str, dict[Cell, float]] = {
    "loss at the lower rate": {(True, True): 1.0, (True, False): -1.0},
    "loss at the model's own rate": {(False, True): 1.0, (False, False): -1.0},
    "rate with the auxiliary loss": {(True, True): 1.0, (False, True): -1.0},
    "rate without it": {(True, False): 1.0, (False, False): -1.0},
    "the loss alone less the lower rate alone": {(False, True): 1.0, (True, False): -1.0},
}


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect over seeds.

    Attributes:
        value: its mean.
        low, high: 95 % interval.
        p: two-sided, of no effect.
        seeds: it is over.
        pooled: whether its error is that of all effects.
    """

    value: float
    low: float
    high: float
    p: float
    seeds: tuple[int, ...]
    pooled: bool = False


def effect(numbers: Mapping[Cell, Mapping[int, float]], weights: Mapping[Cell, float], level: float = LEVEL) -> Effect:
    """A weighted sum of cells, seed by seed.

    Args:
        numbers: cell -> seed -> number; a seed counts where all cells of `weights` have it.
        weights: of the cells, such as `WEIGHTS["loss"]`.
        level: of the interval.

    Raises:
        Refused: a cell has no number, or fewer than three seeds are in all of them.
    """
    for cell in weights:
        if not numbers.get(cell):
            raise Refused(f"no number of the cell {named(cell)}; train and analyse it")
    common = sorted(set.intersection(*(set(numbers[cell]) for cell in weights)))
    each = [sum(weight * numbers[cell][seed] for cell, weight in weights.items()) for seed in common]
    complete = all(set(numbers.get(cell, ())) >= set(common) for cell in CELLS)
    variance = pooled_variance(numbers, common) if complete and len(common) >= MIN_SEEDS else None
    if variance is None:
        return over_seeds(each, common, level)
    count = len(common)
    size = sum(weight**2 for weight in weights.values())
    found = Estimate(sum(each) / count, math.sqrt(variance * size / count), len(WEIGHTS) * (count - 1))
    return Effect(found.value, *found.interval(level), found.p_value, tuple(common), pooled=True)


def pooled_variance(numbers: Mapping[Cell, Mapping[int, float]], seeds: Sequence[int]) -> float | None:
    """The variance of one cell's number about what its cell and its seed have in common; None where it is not one.

    Args:
        numbers: cell -> seed -> number, of all cells and seeds.
        seeds: three or more.

    Returns:
        None where the variances of the three effects, each over the square root of its weights' sum of squares, differ
        by Bartlett's test at .05.
    """
    y = np.array([[numbers[cell][seed] for cell in CELLS] for seed in seeds])
    weights = np.array([[effect.get(cell, 0.0) for cell in CELLS] for effect in WEIGHTS.values()])
    unit = weights / np.linalg.norm(weights, axis=1, keepdims=True)
    variances = (y @ unit.T).var(axis=0, ddof=1)
    return float(variances.mean()) if _equal(variances, len(seeds)) else None


def _equal(variances: npt.NDArray[np.float64], n: int) -> bool:
    """Bartlett's test of the variances of normal samples of n numbers each, at .05."""
    if not variances.any():
        return True
    if not variances.all():
        return False
    k, each = len(variances), n - 1
    statistic = k * each * np.log(variances.mean()) - each * np.log(variances).sum()
    correction = 1 + (k / each - 1 / (k * each)) / (3 * (k - 1))
    return bool(chdtrc(k - 1, statistic / correction) >= EQUAL_VARIANCES)


def over_seeds(values: Sequence[float], seeds: Sequence[int], level: float = LEVEL) -> Effect:
    """The mean of one number per seed.

    Args:
        values: (S,).
        seeds: (S,) which these are.

    Raises:
        Refused: there are fewer than three.
    """
    count = len(values)
    if count < MIN_SEEDS:
        raise Refused(f"{count} seed{'s' * (count != 1)} in common, {MIN_SEEDS} are needed; train more")
    found = intervals.mean_of(values)
    return Effect(found.value, *found.interval(level), found.p_value, tuple(seeds))


def named(cell: Cell) -> str:
    """A cell in words."""
    low, auxiliary = cell
    return f"{'lower rate' if low else 'own rate'}, {'with' if auxiliary else 'without'} auxiliary loss"
