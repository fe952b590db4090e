"""What models are set against: the same with random weights, and an autoencoder, whose end comes back to its input."""

from __future__ import annotations

from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.questions.comparison import contrasts, grids
from s3prl_plugin.questions.comparison.contrasts import MEASURES, Scores, Shown, last_layer
from s3prl_plugin.questions.comparison.runs import Missing, Run, Runs
from s3prl_plugin.report.sections import Contrast, Section, Table

RANDOM_WEIGHTS, AUTOENCODER = "random weights", "autoencoder"  # families
OF_INPUT = ("cca_intra", "cca_mel")
SKIP = "a skip connection adds the encoder's output to it, so that it comes near the input whatever the decoder does"


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
    found = [each for run, random in sides for each in _trained_less_random(runs, run, random)]
    return Section(
        name="random",
        title="What does the architecture give before any training?",
        notes=tuple(missing),
        contrasts=contrasts.corrected(found),
        tables=(_table(runs, sides),),
    )


def _trained_less_random(runs: Runs, run: Run, random: Run) -> list[Contrast]:
    """The best tap of each."""
    found = []
    for measure in runs.measures((run,), MEASURES):

        def best(scores: Scores, measure: str = measure) -> Estimate:
            return scores.best(run, measure)[0] - scores.best(random, measure)[0]

        shown = Shown(f"{run.name} - the same with random weights, best tap", "training", RANDOM_WEIGHTS)
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


def autoencoder(runs: Runs) -> Section | None:
    """The last decoder layer, and apart from it the output, each less the middle block; None without such a model."""
    models = [run for run in runs.plain if _has_decoder(run)]
    found = [each for run in models for each in _last_less_middle(runs, run)]
    if not found:
        return None
    return Section(
        name="autoencoder",
        title="Does the decoder come back to the input?",
        notes=(
            "Above 0: the last decoder layer has more in common with the input (cca_intra: the first layer's input; "
            "cca_mel: the spectrum) than the middle block has, as in an autoencoder.",
            f"The model's output is shown apart: {SKIP}.",
        ),
        contrasts=contrasts.corrected(found),
    )


def _has_decoder(run: Run) -> bool:
    return any((tap.block or "").startswith("dec") for tap in (run.facts.taps if run.facts else ()))


def _last_less_middle(runs: Runs, run: Run) -> list[Contrast]:
    """Two rows per measure, on one grid; grey where the model was not run on one."""
    ms = grids.rate_ms(run)
    grey = None
    try:
        seen, grid = (run, "") if _one_rate(run) else (grids.decimated(runs, run, ms), f", all at {ms:g} ms")
    except Missing as error:
        seen, grid, grey = run, ", each at its own rate", f"the grid is in it: {error}"
    decoder, end = last_layer(run, "dec"), contrasts.output(run)
    found = []
    for measure in runs.measures((seen,), OF_INPUT):

        def last(scores: Scores, measure: str = measure) -> Estimate:
            return scores.at(seen, measure, decoder) - scores.middle(seen, measure)

        def skipped(scores: Scores, measure: str = measure) -> Estimate:
            return scores.at(seen, measure, end) - scores.middle(seen, measure)

        shown = Shown(
            f"{run.name}: {decoder} - mean of the middle block{grid}", "", None if grey else AUTOENCODER, grey
        )
        found.append(contrasts.contrast(runs, shown, measure, last))
        label = f"{run.name}: {end} - mean of the middle block{grid}"
        apart = Shown(label, "the decoder and the skip together", None, grey)
        found.append(contrasts.contrast(runs, apart, measure, skipped))
    return found


def _one_rate(run: Run) -> bool:
    return len({tap.stride for tap in (run.facts.taps if run.facts else ())}) == 1
