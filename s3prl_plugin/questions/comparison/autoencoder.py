"""How much a model behaves like an autoencoder: whether its last decoder layer comes back to what went in."""

from __future__ import annotations

from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.questions.comparison import contrasts, grids
from s3prl_plugin.questions.comparison.contrasts import Scores, Shown, last_layer
from s3prl_plugin.questions.comparison.runs import Missing, Run, Runs
from s3prl_plugin.report.sections import Contrast, Section

MEASURES = ("cca_intra", "cca_mel")
FAMILY = "autoencoder"
SKIP = "a skip connection adds the encoder's output to it, so that it comes near the input whatever the decoder does"


def autoencoder(runs: Runs) -> Section | None:
    """The last decoder layer, and apart from it the output, each less the middle block; None without such a model."""
    models = [run for run in runs.plain if _has_decoder(run)]
    found = [each for run in models for each in _of_model(runs, run)]
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


def _of_model(runs: Runs, run: Run) -> list[Contrast]:
    """Two rows per measure, on one grid; grey where the model was not run on one."""
    ms = grids.rate_ms(run)
    grey = None
    try:
        seen, grid = (run, "") if _one_rate(run) else (grids.decimated(runs, run, ms), f", all at {ms:g} ms")
    except Missing as error:
        seen, grid, grey = run, ", each at its own rate", f"the grid is in it: {error}"
    decoder, end = last_layer(run, "dec"), contrasts.output(run)
    found = []
    for measure in runs.measures((seen,), MEASURES):

        def last(scores: Scores, measure: str = measure) -> Estimate:
            return scores.at(seen, measure, decoder) - scores.middle(seen, measure)

        def skipped(scores: Scores, measure: str = measure) -> Estimate:
            return scores.at(seen, measure, end) - scores.middle(seen, measure)

        shown = Shown(f"{run.name}: {decoder} - mean of the middle block{grid}", "", None if grey else FAMILY, grey)
        found.append(contrasts.contrast(runs, shown, measure, last))
        label = f"{run.name}: {end} - mean of the middle block{grid}"
        apart = Shown(label, "the decoder and the skip together", None, grey)
        found.append(contrasts.contrast(runs, apart, measure, skipped))
    return found


def _one_rate(run: Run) -> bool:
    return len({tap.stride for tap in (run.facts.taps if run.facts else ())}) == 1
