"""Where in a network a measure is highest, and which other taps could be the highest in truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.stats

from s3prl_plugin.analysis.intervals import LEVEL
from s3prl_plugin.inference.state_taps import states
from s3prl_plugin.report.differences import ROOTED
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
    if not _paired([each for each, _ in shown]):
        return Peak(row, depth)
    possible = _candidates([each for each, _ in shown], sign, level)
    places = [place for (_, place), could in zip(shown, possible, strict=True) if could]
    names = tuple(str(each.tap) for (each, _), could in zip(shown, possible, strict=True) if could)
    return Peak(row, depth, min(places), max(places), names)


def _paired(rows: Sequence[Row]) -> bool:
    """Whether the rows can be compared over common folds."""
    lengths = {len(row.replicates or ()) for row in rows}
    return len(rows) > 1 and len(lengths) == 1 and lengths.pop() > 1 and len({row.folds_id for row in rows}) == 1


def _candidates(rows: Sequence[Row], sign: int, level: float) -> list[bool]:
    """Which taps could be the highest; `corrected` is compared on the scale of its replicates, the product."""
    replicates = sign * np.array([row.replicates for row in rows])
    folds = replicates.shape[1]
    values = np.array([sign * (row.value or 0.0) for row in rows])
    values = values * np.abs(values) if rows[0].score == ROOTED else values
    above = values[None, :] - values[:, None]  # by how much tap j is above tap i
    differences = replicates[None, :, :] - replicates[:, None, :]
    spread = np.square(differences - differences.mean(axis=2, keepdims=True)).sum(axis=2)
    error = np.sqrt((folds - 1) / folds * spread)
    quantile = scipy.stats.t.ppf(1 - (1 - level) / (len(rows) - 1), folds - 1)
    return [bool(each) for each in ~(above > quantile * error).any(axis=1)]
