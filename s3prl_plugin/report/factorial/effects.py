"""Effects of a two-by-two design with paired seeds: pure functions of one number per cell and seed.

With y_rl the number of a cell, r the rate (1: the middle block at the lower rate, 0: at the model's own) and l the loss
(1: with an auxiliary loss, 0: without), a seed s says

    loss         ((y_11 - y_10) + (y_01 - y_00)) / 2     what the auxiliary loss adds, on average over the rates
    rate         ((y_11 - y_01) + (y_10 - y_00)) / 2     what the lower rate adds, on average over the losses
    interaction   (y_11 - y_10) - (y_01 - y_00)          how much more the loss adds at the lower rate

Seeds of the same number share initial weights, order of the data and masks, so that what they have in common cancels
within a seed; intervals are over seeds, with t quantiles of S - 1 degrees of freedom, and speak of training anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s3prl_plugin.analysis import intervals
from s3prl_plugin.analysis.intervals import LEVEL
from s3prl_plugin.analysis.refusal import Refused

MIN_SEEDS = 3

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
}


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect over seeds.

    Attributes:
        value: its mean.
        low, high: 95 % interval.
        p: two-sided, of no effect.
        seeds: it is over.
    """

    value: float
    low: float
    high: float
    p: float
    seeds: tuple[int, ...]


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
    return over_seeds(each, common, level)


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
