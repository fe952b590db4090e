"""Where in a network a measure is highest, and which other taps could be the highest in truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.inference.differences import estimate, same_folds
from s3prl_plugin.inference.intervals import LEVEL
from s3prl_plugin.inference.state_taps import states
from s3prl_plugin.results import Row


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest tap of a measure.

    Attributes:
        row: of that tap.
        depth: its relative depth, 0 at the first state tap and 1 at the last.
        low, high: the depths of the first and the last tap that could be the highest; None without replicates.
        candidates: those taps.
    """

    row: Row
    depth: float
    low: float | None = None
    high: float | None = None
    candidates: tuple[str, ...] = ()


def find(rows: Sequence[Row], level: float = LEVEL) -> Peak | None:
    """The peak of one measure of one network.

    A tap could be the highest one unless another is higher than it beyond what folds explain: some paired difference
    from it exceeds the one-sided t quantile (Bonferroni over the other taps). The tap that is the highest in truth is
    among these candidates with a probability of at least `level`, whichever was found highest here.

    Args:
        rows: a row per tap, in execution order; outputs are passed over.
        level: of the candidates.

    Returns:
        None where no tap has a number.

    Reference:
        Mogstad, Romano, Shaikh & Wilhelm 2024, "Inference for ranks", Review of Economic Studies 91, section 3, with
        Bonferroni's correction.
    """
    taps = states(rows)
    depths = [i / max(len(taps) - 1, 1) for i in range(len(taps))]
    shown = [(row, depth) for row, depth in zip(taps, depths, strict=True) if row.value is not None and not row.trivial]
    if not shown:
        return None
    sign = 1 if shown[0][0].higher_is_better else -1
    row, depth = max(shown, key=lambda each: sign * (each[0].value or 0.0))
    if len(shown) < 2 or not same_folds([each for each, _ in shown]):
        return Peak(row, depth)
    possible = _candidates([each for each, _ in shown], sign, level)
    places = [place for (_, place), could in zip(shown, possible, strict=True) if could]
    names = tuple(str(each.tap) for (each, _), could in zip(shown, possible, strict=True) if could)
    return Peak(row, depth, min(places), max(places), names)


def _candidates(rows: Sequence[Row], sign: int, level: float) -> list[bool]:
    """Which taps could be the highest."""
    from scipy.special import stdtrit

    estimates = [estimate(row) for row in rows]
    values = sign * np.array([each.value for each in estimates])
    deviations = np.stack([each.deviations for each in estimates])
    above = values[None, :] - values[:, None]  # by how much tap j is above tap i
    error = np.linalg.norm(deviations[None, :, :] - deviations[:, None, :], axis=2)
    quantile = stdtrit(estimates[0].degrees, 1 - (1 - level) / (len(rows) - 1))
    return [bool(each) for each in ~(above > quantile * error).any(axis=1)]
