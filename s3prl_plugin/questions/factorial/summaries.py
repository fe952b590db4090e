"""One number per model: of its best tap, which is chosen without bias, its middle block, or its output."""

from __future__ import annotations

from s3prl_plugin.questions.comparison.contrasts import MEASURES, Scores, output
from s3prl_plugin.questions.comparison.runs import Run, Runs

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
