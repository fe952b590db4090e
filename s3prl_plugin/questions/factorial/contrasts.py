"""The numbers of every arm and seed, and what they say of loss and rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.questions.comparison import fact_differences
from s3prl_plugin.questions.comparison.contrasts import MEASURES, Scores, output
from s3prl_plugin.questions.comparison.runs import Missing, Run, Runs
from s3prl_plugin.questions.factorial.design import Arm, Design
from s3prl_plugin.questions.factorial.effects import SIMPLE, WEIGHTS, Cell, Effect, effect, over_seeds
from s3prl_plugin.report.sections import Contrast

MIXED = "the weight of the loss changes with the rate"
WORDS = {
    "loss": "auxiliary loss: with it less without, mean over both rates",
    "rate": "frame rate of the middle block: the lower one less the model's own, mean with and without the loss",
    "interaction": "interaction: what the loss adds at the lower rate less what it adds at the model's own",
}


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


def numbers_of(runs: Runs, arms: Sequence[Arm], measure: str, which: str) -> Numbers:
    """One summary of one measure, of every arm and seed."""
    values: dict[str, dict[int, float]] = {}
    missing: list[str] = []
    for arm in arms:
        for seed, run in arm.runs.items():
            try:
                values.setdefault(arm.name, {})[seed] = summary(runs, run, measure, which)
            except Missing as error:
                missing.append(str(error))
    rows = [row for arm in arms for run in arm.runs.values() for row in run.layers.get((measure, None), [])]
    return Numbers(
        measure, which, values, rows[0].score if rows else "", tuple(dict.fromkeys(missing)),
        rows[0].higher_is_better if rows else True,
    )  # fmt: skip


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
    """The effect of one factor at each level of the other: exploratory."""
    made = []
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
    return SUMMARIES if measure.endswith(("_phone", "_word")) else (MIDDLE, OUTPUT)
