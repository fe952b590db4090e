"""The sections of a report about the factorial."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from s3prl_plugin.questions.comparison import runs as comparison
from s3prl_plugin.questions.comparison.contrasts import MEASURES, corrected
from s3prl_plugin.questions.comparison.runs import Runs
from s3prl_plugin.questions.comparison.verdicts import NOT_DECIDED
from s3prl_plugin.questions.comparison.verdicts import effect as effect_of
from s3prl_plugin.questions.factorial import design
from s3prl_plugin.questions.factorial.contrasts import (
    Numbers,
    equal_cost,
    every_number,
    further_arms,
    main_effect,
    simple_effects,
)
from s3prl_plugin.questions.factorial.design import Arm, Design
from s3prl_plugin.questions.factorial.effects import MIN_SEEDS, WEIGHTS
from s3prl_plugin.report.sections import OVER_SEEDS, Contrast, Figure, Section, Table

GRID = (
    "So what the lower rate does to phones and words is in part the grid of long frames: `each_also: {pooled: "
    "{pool_to: 'mean:40'}}` in the study shows the same on one grid."
)
NOTES = (
    "Intervals are over training seeds, paired: the same seed is the same first weights, order and masks in every "
    "cell. They speak of training such a model anew, on this corpus and at these sizes.",
    "The best tap is chosen on one half of the folds and scored on the other; the middle block is the mean over its "
    "layers.",
    "The cells are told by what the checkpoints contain (ratios, prediction heads), not by names.",
)


def sections(folders: Sequence[str | Path], figures: bool = True) -> tuple[Section, ...]:
    """For each way to look at the models (at their own frame rates, and on each grid that was analysed): the main
    effects and the interaction; the effects of one factor at each level of the other; the further arms.

    Args:
        folders: with results, one per checkpoint.
        figures: whether they are made, too.

    Returns:
        None where there are not two cells of the design with one seed in common.

    Raises:
        UserError: a folder has no results, or they cannot be read.
    """
    runs = comparison.read(folders)
    return tuple(section for each in design.find(runs.runs) for section in _view(runs, each, figures))


def _view(runs: Runs, found: Design, figures: bool) -> list[Section]:
    """The sections of one view."""
    numbers = every_number(runs, found)
    view = found.view or "each layer at its own frame rate"
    notes = [*NOTES, *([f"{found.grey[0].upper()}{found.grey[1:]}."] if found.grey else [])]
    notes += [f"Seen: {view}." if found.view else f"Seen: {view}. {GRID}", *found.notes]
    seeds = sorted({seed for arm in found.cells.values() for seed in arm.runs})
    notes += [_who(arm, seeds) for arm in found.cells.values() if sorted(arm.runs) != seeds]
    name = OVER_SEEDS if not found.view else f"{OVER_SEEDS}-" + found.view.replace(" ", "-").replace(":", "-")
    ending = f" ({found.view})" if found.view else ""
    main = corrected([main_effect(found, each, which) for which in WEIGHTS for each in numbers])
    made = [
        Section(
            name=name,
            title="Is it the auxiliary loss or the frame rate?" + ending,
            verdict=_verdict(main, found.grey),
            notes=tuple(notes),
            contrasts=main,
            tables=(_design_table(found), _means_table(found, numbers)),
            figures=_figures(found, numbers) if figures else (),
        )
    ]
    exploratory = ("Exploratory: not corrected for the number of comparisons.",)
    at_cost = _at_equal_cost(runs, found)
    if at_cost is not None:
        made.append(replace(at_cost, name=f"{name}-cost", title=at_cost.title + ending))
    for suffix, title, contrasts in (
        ("each", "The loss at each rate, and the rate with and without the loss", simple_effects(found, numbers)),
        ("arms", "Further arms, each less the cell that it has most in common with", further_arms(found, numbers)),
    ):
        if contrasts:
            made.append(
                Section(name=f"{name}-{suffix}", title=title + ending, notes=exploratory, contrasts=tuple(contrasts))
            )
    return made


def _at_equal_cost(runs: Runs, found: Design) -> Section | None:
    """The effects where every arm has cost the same; None where no earlier checkpoint was analysed."""
    updates = equal_cost(found)
    if not updates:
        return None
    numbers = every_number(runs, found, updates)
    table = Table(
        title="Equal cost",
        columns=("arm", "multiply-accumulates of a second of audio (M)", "updates"),
        rows=tuple(
            (arm.name, round((arm.facts.macs_per_s or 0) / 1e6, 3), round(updates[arm.name])) for arm in found.arms
        ),
    )
    return Section(
        name="cost",
        title="The same at equal cost",
        notes=(
            "Every arm after as many updates as the multiply-accumulates of the cheapest cell pay for; between two "
            "checkpoints numbers are taken in proportion.",
            "Exploratory: not corrected for the number of comparisons.",
        ),
        contrasts=tuple(replace(main_effect(found, each, which), family=None) for which in WEIGHTS for each in numbers),
        tables=(table,),
    )


def _verdict(main: Sequence[Contrast], grey: str | None) -> str | None:
    """What the declared contrasts decide, by the rules that comparisons have."""
    if all(each.refused for each in main):
        return None
    if grey:
        return f"{NOT_DECIDED}: {grey}."
    units = {each.measure for each in main if each.measure in MEASURES}
    said = {"loss": "the auxiliary loss", "rate": "the lower rate", "interaction": "their interaction"}
    found = [effect_of(what, [c for c in main if c.family == name], sorted(units)) for name, what in said.items()]
    named = [
        sentence if what in sentence.lower() else f"{what}: {sentence[0].lower()}{sentence[1:]}"
        for what, sentence in zip(said.values(), found, strict=True)
    ]
    return " ".join(f"{sentence[0].upper()}{sentence[1:]}" for sentence in named)


def _who(arm: Arm, seeds: Sequence[int]) -> str:
    lacking = [str(seed) for seed in seeds if seed not in arm.runs]
    return f"{arm.name} lacks the seed{'s' * (len(lacking) != 1)} {', '.join(lacking)}, which then count for no effect."


def _design_table(found: Design) -> Table:
    """What the arms are."""
    rows = []
    for arm in found.arms:
        architecture, training = arm.facts.architecture, arm.facts.training or {}
        every = training.get("auxiliary_every", 1)
        loss = (
            "with" if every == 1 else f"with, every {every}nd frame" if every == 2 else f"with, every {every}th frame"
        )
        rows.append(
            (
                arm.name,
                " - ".join(f"{ms:g}" for ms in architecture.get("block_ms", ())),
                loss if training.get("auxiliary_loss") else "without",
                "simple" if architecture.get("plain_adapters") else "learned" if architecture.get("ratios") else "none",
                arm.facts.params,
                ", ".join(map(str, sorted(arm.runs))),
                "two-by-two" if arm.cell is not None else "further arm",
            )
        )
    note = f"No factorial: {found.refused}." if found.refused else ""
    columns = ("arm", "blocks (ms)", "auxiliary loss", "sampling", "parameters", "seeds", "part of")
    return Table(title="The models", columns=columns, rows=tuple(rows), note=note)


def _means_table(found: Design, numbers: Sequence[Numbers]) -> Table:
    """Mean and spread over seeds."""
    rows = []
    for each in numbers:
        for arm in found.arms:
            values = list(each.values.get(arm.name, {}).values())
            if values:
                sd = round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None
                rows.append(
                    (each.measure, each.which, arm.name, round(math.fsum(values) / len(values), 4), sd, len(values))
                )
    columns = ("measure", "of", "arm", "mean", "sd over seeds", "seeds")
    note = f"Fewer than {MIN_SEEDS} seeds carry no interval."
    return Table(title="Means over seeds", columns=columns, rows=tuple(rows), note=note)


def _figures(found: Design, numbers: Sequence[Numbers]) -> tuple[Figure, ...]:
    """Charts, where they can be made."""
    if importlib.util.find_spec("altair") is None or not numbers:
        return ()
    from s3prl_plugin.questions.factorial import charts

    return charts.figures(found, numbers)
