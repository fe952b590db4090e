"""One tap for a task, from what its measures say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s3prl_plugin.inference.state_taps import is_output
from s3prl_plugin.report.tables import WEIGHT
from s3prl_plugin.results import Row
from s3prl_plugin.select.choice import Absent, Choice, choose, lowest, rows_of
from s3prl_plugin.select.criteria import Criterion
from s3prl_plugin.select.source import Source

PREFERENCES = ("cheapest", "best")
NORMALISED = "--upstream_feature_normalize"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """What is recommended for a task on an upstream.

    Attributes:
        criterion: how taps are chosen.
        source: the run.
        choices: what each measure says, the deciding one first.
        absent: the measures that say nothing.
        tap: a row of the recommended one; None where no measure says anything.
        why: it is that one, in a sentence.
        agree: whether a tap is among the best of all measures; None with fewer than two measures.
        notes: what a reader must know, a sentence each.
        weights: tap -> the mean weight in a learned sum of normalised states; empty where there is none.
    """

    criterion: Criterion
    source: Source
    choices: tuple[Choice, ...]
    absent: tuple[Absent, ...]
    tap: Row | None
    why: str
    agree: bool | None
    notes: tuple[str, ...]
    weights: dict[str, float]


def recommend(criterion: Criterion, source: Source, prefer: str = "cheapest") -> Recommendation:
    """Choose a tap.

    Args:
        criterion: of the task.
        source: of the measures.
        prefer: "cheapest": of the taps that are as good, the lowest; "best": the one with the highest score.
    """
    found = [choose(source.rows, measure) for measure in criterion.measures]
    choices = tuple(each for each in found if isinstance(each, Choice))
    absent = tuple(each for each in found if isinstance(each, Absent))
    deciding = _deciding(choices)
    tap, why = _decide(deciding, prefer) if choices else (None, "")
    weights, on_weights = _weights(criterion.task, source.rows)
    notes = (
        *_grid(choices),
        *_limits(choices),
        *_caveats(choices, deciding),
        *_outputs(choices, source.rows),
        *on_weights,
    )
    return Recommendation(
        criterion=criterion,
        source=source,
        choices=choices,
        absent=absent,
        tap=tap,
        why=why,
        agree=bool(_common([each.not_told_apart for each in deciding])) if len(deciding) > 1 else None,
        notes=notes,
        weights=weights,
    )


def _deciding(choices: Sequence[Choice]) -> tuple[Choice, ...]:
    """The measures that have a say: those that see all of a layer, where there are such."""
    sound = tuple(each for each in choices if not any(row.caveat for row in each.rows))
    return sound or tuple(choices)


def _caveats(choices: Sequence[Choice], deciding: Sequence[Choice]) -> list[str]:
    """What some measures do not see, and whether they have a say all the same."""
    notes = []
    for each in choices:
        blind = [row for row in each.rows if row.caveat]
        if blind:
            worst = max(blind, key=lambda row: row.number("first_component") or 0.0)
            say = "it decides nothing here" if each not in deciding else "no other measure is there to decide"
            also = f" (and of {len(blind) - 1} others more than half)" if len(blind) > 1 else ""
            notes.append(f"{each.measure}, {worst.tap}: {worst.caveat}{also}; {say}")
    return notes


def _decide(choices: Sequence[Choice], prefer: str) -> tuple[Row, str]:
    """The tap, and why it is that one."""
    first = choices[0]
    measures = " and ".join(each.measure for each in choices)
    extreme = f"the {'highest' if first.best.higher_is_better else 'lowest'} {first.measure}"
    possible, close = (_common([getattr(each, name) for each in choices]) for name in ("not_told_apart", "close"))
    if len(first.rows) == 1:
        return first.best, f"the only state tap that {first.measure} has a number of"
    if not all(each.tested for each in choices):
        return first.best, f"{extreme}; whether others are as good could not be tested"
    if not possible:
        return first.best, f"the best by {first.measure}, which decides where the measures disagree"
    if prefer == "cheapest" and close:
        tap = lowest(close)
        if len(choices) == 1 and tap is first.best:
            return tap, f"the best by {measures}; none below it is within one standard error of it"
        if len(close) == 1:
            return tap, f"the only tap within one standard error of the best by {measures}"
        return (
            tap,
            f"the lowest, so the cheapest, of {_taps(close)} within one standard error of the best by {measures}",
        )
    if len(possible) == 1 and possible[0] is not first.best:
        return possible[0], f"the only tap that is not told apart from the best by {measures} alike"
    sign = 1 if first.best.higher_is_better else -1
    tap = max(possible, key=lambda row: sign * (row.value or 0.0))
    if tap is first.best:
        return tap, extreme + (", not told apart from the best by the others" if choices[1:] else "")
    return tap, f"{extreme} of {_taps(possible)} not told apart from the best by {measures}"


def _taps(rows: Sequence[Row]) -> str:
    return f"{len(rows)} tap{'s' * (len(rows) != 1)}"


def _common(sets: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows of the first set whose taps are in all of them."""
    names = [{row.tap for row in rows} for rows in sets]
    return [row for row in sets[0] if all(row.tap in found for found in names)]


def _grid(choices: Sequence[Choice]) -> list[str]:
    """That segments suffer from coarse frames whatever the layer holds."""
    strides = {row.stride for each in choices for row in each.rows}
    if len(strides) < 2 or not any(each.measure.endswith(("_phone", "_word")) for each in choices):
        return []
    return [
        "coarser taps score lower on phones and words from their grid alone, whatever they hold; a run with "
        "-g configs/upstream/pool_to_40ms.yaml compares all taps on one grid"
    ]


def _limits(choices: Sequence[Choice]) -> list[str]:
    """What the data barely support, or refuse."""
    notes = []
    for each in choices:
        greys = dict.fromkeys(row.grey for row in each.rows if row.grey)
        notes += [f"{each.measure}, in brackets: {reason}" for reason in greys]
        for reason in dict.fromkeys(reason for _, reason in each.left_out):
            taps = [tap for tap, why in each.left_out if why == reason]
            notes.append(f"{each.measure}: not compared with the others: {', '.join(taps)} ({reason})")
        if each.tested and each.score is None:
            notes.append(f"{each.measure}: fewer than four folds, so no score of the choice on other folds")
    return notes


def _outputs(choices: Sequence[Choice], rows: Sequence[Row]) -> list[str]:
    """An output of the model that scores higher than every state."""
    notes = []
    for each in choices:
        sign = 1 if each.best.higher_is_better else -1
        others = [row for row in rows_of(rows, each.measure) if is_output(row)]
        higher = [row for row in others if row.value is not None and sign * (row.value - (each.best.value or 0)) > 0]
        if higher:
            names = ", ".join(f"{row.tap} ({row.value:.3f})" for row in higher)
            notes.append(f"{each.measure} of an output is higher still: {names}; chosen among are the states of layers")
    return notes


def _weights(task: str, rows: Sequence[Row]) -> tuple[dict[str, float], list[str]]:
    """The mean learned weight of every tap, where it says something; else why it is not shown."""
    learned = [row for row in rows if row.measure == task and row.score == WEIGHT and row.value is not None]
    normalised = [row for row in learned if NORMALISED in (row.features or "")]
    if learned and not normalised:
        return {}, [
            f"the weights that {task} learned for its sum are no evidence: its states were not normalised, so a large "
            f"weight may belong to small values ({NORMALISED} in the run of the task)"
        ]
    taps = list(dict.fromkeys(str(row.tap) for row in sorted(normalised, key=lambda row: row.tap_index or 0)))
    values = {tap: [row.value for row in normalised if row.tap == tap and row.value is not None] for tap in taps}
    return {tap: sum(found) / len(found) for tap, found in values.items()}, []
