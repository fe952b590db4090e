"""The numbers of every arm and seed, and what they say of loss and rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.questions.comparison import fact_differences
from s3prl_plugin.questions.comparison.contrasts import MEASURES, Scores, TaskKey, output, tasks
from s3prl_plugin.questions.comparison.runs import Missing, Run, Runs
from s3prl_plugin.questions.factorial.design import Arm, Design
from s3prl_plugin.questions.factorial.effects import SIMPLE, WEIGHTS, Cell, Effect, effect, over_seeds
from s3prl_plugin.report.sections import Contrast

MIXED = "the weight of the loss changes with the rate"
WORDS = {
    "loss": "auxiliary loss: with it less without, mean over both rates",
    "rate": "frame rate of the middle block: the lower one less the model's own, mean with and without the loss",
    "interaction": "interaction: what the loss adds at the lower rate less what it adds at the model's own",
    "words": "what the lower rate does to words less what it does to phones, mean with and without the loss",
}
WORD, PHONE = "_word", "_phone"
HEAD = "head on the weighted sum"


_Values = Mapping[str, Mapping[int, float]]


@dataclass(frozen=True)
class Numbers:
    """One summary of one measure.

    Attributes:
        measure, which: what it is.
        values: arm -> seed -> number.
        score: of the measure.
        missing: why numbers are missing, a sentence each.
        higher_is_better: of the score.
    """

    measure: str
    which: str
    values: dict[str, dict[int, float]]
    score: str
    missing: tuple[str, ...]
    higher_is_better: bool = True


def numbers_of(
    runs: Runs, arms: Sequence[Arm], measure: str, which: str, updates: Mapping[str, float] | None = None
) -> Numbers:
    """One summary of one measure, of every arm and seed.

    Args:
        runs: that are compared.
        arms: of the design.
        measure, which: the summary.
        updates: arm -> after how many updates, between checkpoints in proportion; None for those with most.
    """
    values: dict[str, dict[int, float]] = {}
    missing: list[str] = []
    for arm in arms:
        for seed, run in arm.runs.items():
            try:
                values.setdefault(arm.name, {})[seed] = (
                    summary(runs, run, measure, which)
                    if updates is None
                    else _between(runs, arm, seed, measure, which, updates[arm.name])
                )
            except Missing as error:
                missing.append(str(error))
    rows = [row for arm in arms for run in arm.runs.values() for row in run.layers.get((measure, None), [])]
    return Numbers(
        measure, which, values, rows[0].score if rows else "", tuple(dict.fromkeys(missing)),
        rows[0].higher_is_better if rows else True,
    )  # fmt: skip


def every_number(runs: Runs, found: Design, updates: Mapping[str, float] | None = None) -> list[Numbers]:
    """Every summary of every measure that any model has; `updates` as in `numbers_of`."""
    summaries = [
        numbers_of(runs, found.arms, measure, which, updates)
        for measure in runs.measures(runs.runs, SHOWN)
        for which in summaries_of(measure)
    ]
    tasks = of_tasks(found.arms) if updates is None else []
    return [each for each in (*summaries, *tasks) if any(each.values.values())]


def _between(runs: Runs, arm: Arm, seed: int, measure: str, which: str, updates: float) -> float:
    """A summary after so many updates, from the checkpoints before and behind it.

    Raises:
        Missing: there are none, or they have no number.
    """
    steps = sorted(arm.checkpoints[seed])
    before = max((step for step in steps if step <= updates), default=None)
    behind = min((step for step in steps if step >= updates), default=None)
    if before is None or behind is None:
        raise Missing(
            f"{arm.name}, seed {seed}: no checkpoints about {updates:.0f} updates were analysed, only {steps}"
        )
    low, high = (summary(runs, arm.checkpoints[seed][step], measure, which) for step in (before, behind))
    return low if before == behind else low + (high - low) * (updates - before) / (behind - before)


def equal_cost(found: Design) -> dict[str, float]:
    """Arm -> the updates after which it has cost as many multiply-accumulates as the cheapest of the cells in the end.

    A second of audio costs what a forward pass costs; an update hears as much audio in all arms. Empty where a cost is
    not known, all cost the same, or no earlier checkpoint was analysed.
    """
    earlier = any(len(steps) > 1 for arm in found.arms for steps in arm.checkpoints.values())
    costs = {arm.name: arm.facts.macs_per_s for arm in found.arms}
    known = {name: cost for name, cost in costs.items() if cost}
    if not earlier or len(known) < len(costs) or len(set(known.values())) < 2 or found.refused:
        return {}
    cheapest = min(found.cells.values(), key=lambda arm: known[arm.name])
    updates = max(step for steps in cheapest.checkpoints.values() for step in steps)
    return {name: min(1.0, known[cheapest.name] / cost) * updates for name, cost in known.items()}


def of_tasks(arms: Sequence[Arm]) -> list[Numbers]:
    """Every task that models were scored on: of each model the mean over the seeds of its head."""
    found: dict[TaskKey, dict[str, dict[int, float]]] = {}
    better: dict[TaskKey, bool] = {}
    for arm in arms:
        for seed, run in arm.runs.items():
            for key, rows in tasks(run).items():
                values = [row.value for row in rows.values() if row.value is not None]
                found.setdefault(key, {}).setdefault(arm.name, {})[seed] = math.fsum(values) / len(values)
                better[key] = next(iter(rows.values())).higher_is_better
    return [Numbers(key.task, HEAD, values, key.score, (), better[key]) for key, values in found.items()]


def words_less_phones(numbers: Sequence[Numbers]) -> list[Numbers]:
    """Of every measure of words the number less that of the same measure of phones."""
    by_name = {(each.measure, each.which): each for each in numbers}
    made = []
    for words in numbers:
        phones = by_name.get((words.measure.removesuffix(WORD) + PHONE, words.which))
        if words.measure.endswith(WORD) and phones is not None:
            made.append(replace(
                words, measure=f"{words.measure} - {phones.measure}", values=_less(words.values, phones.values)
            ))  # fmt: skip
    return made


def _less(one: _Values, other: _Values) -> dict[str, dict[int, float]]:
    return {
        arm: {seed: value - other[arm][seed] for seed, value in values.items() if seed in other.get(arm, {})}
        for arm, values in one.items()
    }


def _of_cells(found: Design, numbers: Numbers) -> dict[Cell, dict[int, float]]:
    return {cell: numbers.values.get(arm.name, {}) for cell, arm in found.cells.items()}


def main_effect(found: Design, numbers: Numbers, name: str) -> Contrast:
    """A main effect or the interaction."""
    try:
        if found.refused:
            raise Refused(found.refused)
        each = effect(_of_cells(found, numbers), WEIGHTS[name])
    except Refused as refused:
        return replace(_refused(f"{name}, {numbers.which}", numbers, refused), isolates=WORDS[name])
    made = _contrast(f"{name}, {numbers.which}", numbers, each, WORDS[name], family=name)
    return replace(made, grey=MIXED if found.grey else None)


def simple_effects(found: Design, numbers: Sequence[Numbers]) -> list[Contrast]:
    """The effect of one factor at each level of the other, and what the lower rate does to words less what it does to
    phones: exploratory."""
    made = [
        replace(main_effect(found, each, "rate"), isolates=WORDS["words"], family=None)
        for each in words_less_phones(numbers)
    ]
    for name, weights in SIMPLE.items():
        if any(cell not in found.cells for cell in weights) or found.refused:
            continue
        one, other = (found.cells[cell] for cell in weights)
        for each in numbers:
            label = f"{name}, {each.which}"
            try:
                made.append(_contrast(label, each, effect(_of_cells(found, each), weights), _isolated(one, other)))
            except Refused as refused:
                made.append(_refused(label, each, refused))
    return made


def further_arms(found: Design, numbers: Sequence[Numbers]) -> list[Contrast]:
    """Every further arm less the cell that it has most in common with: exploratory."""
    made = []
    for arm in found.arms:
        if arm.cell is not None or not found.cells:
            continue
        nearest = min(found.cells.values(), key=partial(_distance, arm))
        for each in numbers:
            ours, theirs = (each.values.get(side.name, {}) for side in (arm, nearest))
            common = sorted(set(ours) & set(theirs))
            label = f"{arm.name} - {nearest.name}, {each.which}"
            try:
                made.append(
                    _contrast(
                        label,
                        each,
                        over_seeds([ours[seed] - theirs[seed] for seed in common], common),
                        _isolated(arm, nearest),
                    )
                )
            except Refused as refused:
                made.append(_refused(label, each, refused))
    return made


def _distance(arm: Arm, cell: Arm) -> tuple[int, bool, bool]:
    """How much two arms differ in: a further arm with the same losses and resolutions is nearer."""
    one, other = arm.facts, cell.facts
    losses = [(each.training or {}).get("auxiliary_loss") for each in (one, other)]
    resolutions = [set(each.architecture.get("resolutions_ms", ())) for each in (one, other)]
    count = len(fact_differences.between(one, other).found)
    return count, losses[0] != losses[1], resolutions[0] != resolutions[1]


def _isolated(one: Arm, other: Arm) -> str:
    """What two arms differ in, seen at a seed that both have."""
    common = [seed for seed in one.runs if seed in other.runs]
    sides = [arm.runs[common[0]].facts if common else arm.facts for arm in (one, other)]
    ours, theirs = (side or arm.facts for side, arm in zip(sides, (one, other), strict=True))
    return fact_differences.between(ours, theirs).text()


def _contrast(label: str, numbers: Numbers, found: Effect, isolates: str = "", family: str | None = None) -> Contrast:
    own = "" if found.pooled or family is None else ", own error"
    return Contrast(
        label=f"{label} ({len(found.seeds)} seeds{own})",
        measure=numbers.measure,
        score=numbers.score,
        isolates=isolates,
        value=found.value,
        ci_low=found.low,
        ci_high=found.high,
        p=found.p,
        family=family,
        higher_is_better=numbers.higher_is_better,
    )


def _refused(label: str, numbers: Numbers, refused: Refused) -> Contrast:
    reason = "; ".join([refused.reason, *numbers.missing[:1]])
    return Contrast(label=label, measure=numbers.measure, score=numbers.score, refused=reason)


BEST, MIDDLE, OUTPUT = SUMMARIES = ("best tap", "middle block", "output")
RANK = "rank"
SHOWN = (*MEASURES, RANK)  # cca_intra has a reference of each model's own


def summary(runs: Runs, run: Run, measure: str, which: str) -> float:
    """One number of one model.

    Args:
        runs: that are compared, over common folds.
        run: one of them.
        measure: such as cca_word.
        which: "best tap": chosen on half of the folds and scored on the others, for all halvings, so that the choice
            does not favour it; "middle block": the mean over its layers, without what enters the first; "output": the
            model's.

    Raises:
        Missing: it cannot be had.
    """
    scores = Scores(runs)
    if which == BEST:
        return scores.best(run, measure)[0].value
    if which == MIDDLE:
        return scores.middle(run, measure).value
    return scores.at(run, measure, output(run)).value


def summaries_of(measure: str) -> tuple[str, ...]:
    """Those that mean something: nobody would choose the tap with most of the spectrum, or with the highest rank."""
    return SUMMARIES if measure.endswith((PHONE, WORD)) else (MIDDLE, OUTPUT)
