"""What every architecture gives with random weights, beside what training makes of it."""

from __future__ import annotations

from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.questions.comparison import contrasts, grids
from s3prl_plugin.questions.comparison.contrasts import MEASURES, Scores, Shown
from s3prl_plugin.questions.comparison.runs import Missing, Run, Runs
from s3prl_plugin.report.sections import Contrast, Section, Table

FAMILY = "random weights"


def untrained(runs: Runs) -> Section | None:
    """Trained less random, per model and measure; None where no run has random weights by an option."""
    sides: list[tuple[Run, Run]] = []
    missing = []
    for run in runs.plain:
        if run.facts is not None and not run.facts.params:
            continue
        try:
            sides.append((run, grids.random(runs, run)))
        except Missing as error:
            missing.append(f"Missing: {error}.")
    if not sides:
        return None
    found = [each for run, random in sides for each in _of_model(runs, run, random)]
    return Section(
        name="random",
        title="What does the architecture give before any training?",
        notes=tuple(missing),
        contrasts=contrasts.corrected(found),
        tables=(_table(runs, sides),),
    )


def _of_model(runs: Runs, run: Run, random: Run) -> list[Contrast]:
    """The best tap of each."""
    found = []
    for measure in runs.measures((run,), MEASURES):

        def best(scores: Scores, measure: str = measure) -> Estimate:
            return scores.best(run, measure)[0] - scores.best(random, measure)[0]

        shown = Shown(f"{run.name} - the same with random weights, best tap", "training", FAMILY)
        found.append(contrasts.contrast(runs, shown, measure, best))
    return found


def _table(runs: Runs, sides: list[tuple[Run, Run]]) -> Table:
    """The middle block's mean of both."""
    rows = []
    for run, random in sides:
        for measure in runs.measures((run,), MEASURES):
            values = [_middle(runs, each, measure) for each in (run, random)]
            if any(value is not None for value in values):
                rows.append((run.name, measure, *values))
    return Table(
        title="Mean of the middle block (of a model without blocks: of all layers)",
        columns=("model", "measure", "as it is", "random weights"),
        rows=tuple(rows),
    )


def _middle(runs: Runs, run: Run, measure: str) -> float | None:
    scores = Scores(runs)
    try:
        return scores.middle(run, measure).value
    except Missing:
        pass
    try:
        found = [row.value for row in runs.rows(run, measure) if row.value is not None]
    except Missing:
        return None
    blocks = any(tap.block for tap in (run.facts.taps if run.facts else ()))
    return sum(found) / len(found) if found and not blocks else None
