"""The summary numbers of one checkpoint: where phones and words peak, what is lost to the top, what returns there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.inference.differences import estimate, same_folds
from s3prl_plugin.inference.intervals import LEVEL, combined
from s3prl_plugin.inference.state_taps import is_output, states
from s3prl_plugin.questions.trajectories.runs import Checkpoint
from s3prl_plugin.results import Row

PEAKING = ("cca_phone", "cca_word", "mi_phone", "mi_word")
RETURNING = ("cca_mel", "cca_intra")
RANK = "rank"
KINDS = {
    "peak": "relative depth of the highest tap",
    "drop": "highest tap less the top tap",
    "return": "top tap less the middle",
    "output": "model's output less the middle",
    "rank": "effective rank",
}


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


def peak(rows: Sequence[Row], level: float = LEVEL) -> Peak | None:
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


@dataclass(frozen=True, slots=True)
class Number:
    """One summary number of a checkpoint.

    Attributes:
        kind: one of `KINDS`.
        measure: as `table.label` names it; of `rank`, with the tap.
        taps: what it was computed from, for reading.
        value: of it; None where a tap has no number.
        low, high: 95 % interval; None where there are no replicates.
        terms: (weight, row) whose sum it is, so that checkpoints can be compared; empty for a depth.
        refused: why there is no number.
    """

    kind: str
    measure: str
    taps: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    terms: tuple[tuple[float, Row], ...] = ()
    refused: str | None = None


def of_checkpoint(checkpoint: Checkpoint, measures: Sequence[str]) -> list[Number]:
    """All summary numbers that a checkpoint's measures allow.

    Args:
        checkpoint: one of a run.
        measures: as `table.label` names them.
    """
    found: list[Number] = []
    for measure in measures:
        rows = checkpoint.of(measure)
        if not rows:
            continue
        if rows[0].measure in PEAKING:
            found += _peaking(measure, rows)
        elif rows[0].measure in RETURNING:
            found += _returning(measure, rows)
        elif rows[0].measure == RANK:
            found += [_combined("rank", f"{measure}, {where}", [(1.0, row)]) for where, row in _places(rows).items()]
    return found


def middle(rows: Sequence[Row]) -> Row:
    """The tap in the middle of a network: the last of its middle block, or of a network without blocks the one at half.

    Args:
        rows: of its state taps, in execution order.
    """
    blocks = {row.block for row in rows}
    own = [row for row in rows if row.block == "mid"]
    return own[-1] if own and len(blocks) > 1 else rows[(len(rows) - 1) // 2]


def _places(rows: Sequence[Row]) -> dict[str, Row]:
    """The middle and the top tap."""
    taps = states(rows)
    return {"middle": middle(taps), "top": taps[-1]} if taps else {}


def _peaking(measure: str, rows: Sequence[Row]) -> list[Number]:
    """Where a measure peaks, and how much lower the top is."""
    highest = peak(rows)
    if highest is None:
        reason = next((row.refused for row in rows if row.refused), "no tap has a number")
        return [Number(kind, measure, "", refused=reason) for kind in ("peak", "drop")]
    taps = str(highest.row.tap)
    others = [name for name in highest.candidates if name != highest.row.tap]
    said = f"{taps}; could be {', '.join(others)}" if others else taps
    depth = Number("peak", measure, said, highest.depth, highest.low, highest.high)
    return [depth, _combined("drop", measure, [(1.0, highest.row), (-1.0, states(rows)[-1])])]


def _returning(measure: str, rows: Sequence[Row]) -> list[Number]:
    """How much more of the input the top has than the middle; the output, which has a skip, apart."""
    places = _places(rows)
    if not places:
        return []
    outputs = [row for row in rows if is_output(row)]
    found = [_combined("return", measure, [(1.0, places["top"]), (-1.0, places["middle"])])]
    if outputs and any((row.block or "").startswith("dec") for row in rows):  # else it is the top tap itself
        found.append(_combined("output", measure, [(1.0, outputs[-1]), (-1.0, places["middle"])]))
    return found


def _combined(kind: str, measure: str, terms: Sequence[tuple[float, Row]]) -> Number:
    """A weighted sum of rows."""
    names = " - ".join(str(row.tap) for _, row in terms)
    lacking = next((row for _, row in terms if row.value is None or row.trivial), None)
    if lacking is not None:
        why = lacking.refused or "the two views are the same"
        return Number(kind, measure, names, refused=f"{lacking.tap}: {why}")
    value, low, high = weighted(terms)
    return Number(kind, measure, names, value, low, high, tuple(terms))


def weighted(terms: Sequence[tuple[float, Row]]) -> tuple[float, float | None, float | None]:
    """(value, low, high) of a weighted sum of rows of the same folds; without an interval where folds are not kept."""
    merged: dict[int, tuple[float, Row]] = {}
    for weight, row in terms:  # a tap less itself is exactly 0
        merged[id(row)] = (merged.get(id(row), (0.0, row))[0] + weight, row)
    left = [(weight, row) for weight, row in merged.values() if weight]
    value = sum(weight * (row.value or 0.0) for weight, row in left)
    if not left or not same_folds([row for _, row in left]):
        return value, None, None
    return (value, *combined([(weight, estimate(row)) for weight, row in left]).interval())
