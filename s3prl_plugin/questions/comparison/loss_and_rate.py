"""Two sections: what the auxiliary loss does, and what the lower frame rate does, each with all else the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.questions.comparison import contrasts, roles, verdicts
from s3prl_plugin.questions.comparison.contrasts import MEASURES, Scores, Shown
from s3prl_plugin.questions.comparison.grids import decimated, rate_ms
from s3prl_plugin.questions.comparison.roles import Pair
from s3prl_plugin.questions.comparison.runs import Run, Runs
from s3prl_plugin.report.sections import Contrast, Section

ONE_SEED = (
    "Every checkpoint is one training run: intervals speak of these checkpoints on other speakers, not of the methods "
    "that made them."
)
CHOSEN = (
    "Best tap: chosen on half of the folds and scored on the other half, both ways; the interval allows for the choice."
)
SPECTRUM = "cca_mel"
Make = Callable[[Scores], Estimate | tuple[Estimate, str]]


def loss(runs: Runs) -> Section:
    """With the auxiliary loss less without, in one architecture."""
    pairs, more = roles.shown(roles.loss_pairs(runs.plain))
    found = [each for pair in pairs for each in _of_pair(runs, pair, "loss")]
    if not pairs:
        near = roles.not_quite_loss_pairs(runs.plain)[:4]
        found = [_not_isolated(pair) for pair in near]
    done = contrasts.corrected(found)
    missing = _missing(
        pairs,
        "a multi-resolution checkpoint with a loss at its lower rates, and one of the same architecture with one "
        "prediction head",
    )
    return Section(
        name="loss",
        title="What does the auxiliary loss at the lower rates do?",
        verdict=verdicts.effect("the auxiliary loss", done, MEASURES),
        notes=(*missing, *more, *(_notes(done) if pairs else ())),
        contrasts=done,
    )


def rate(runs: Runs) -> Section:
    """With a lower frame rate in the middle less with one rate throughout; for context, other models."""
    pairs, more = roles.shown(roles.rate_pairs(runs.plain))
    found = [each for pair in pairs for each in (*_of_pair(runs, pair, "rate"), *_on_one_grid(runs, pair, "rate"))]
    context = roles.context_pairs(runs.plain, {pair.b.name: pair.b for pair in pairs}.values())
    found += [each for pair in context for each in _of_context(runs, pair)]
    done = contrasts.corrected(found)
    missing = _missing(
        pairs, "a multi-resolution checkpoint, and one with the same blocks whose frame rate is the same everywhere"
    )
    grids = "Where the two sides have frames of different length, the grid is in the difference: see the part on words."
    return Section(
        name="rate",
        title="What does the lower frame rate do?",
        verdict=verdicts.effect("the lower frame rate", done, MEASURES),
        notes=(*missing, *more, *((*_notes(done), grids) if pairs else ())),
        contrasts=done,
    )


def _of_pair(runs: Runs, pair: Pair, family: str) -> list[Contrast]:
    """Best tap, middle block and output of every measure, then the tasks."""
    shown = _shown(pair, family)
    found = []
    for measure in runs.measures((pair.a, pair.b), MEASURES):
        for place, make in _places(pair.a, pair.b, measure).items():
            label = _shown(pair, family, measure).named(f"{pair.name}, {place}")
            found.append(contrasts.contrast(runs, label, measure, make))
    return [*found, *contrasts.of_tasks(pair.a, pair.b, shown)]


def _shown(pair: Pair, family: str, measure: str | None = None) -> Shown:
    """Beside the numbers of a pair. To hold more of the spectrum is neither better nor worse: that is exploratory."""
    declared = not pair.grey and measure != SPECTRUM
    return Shown(pair.name, pair.differences.text(), family if declared else None, pair.grey)


def _places(a: Run, b: Run, measure: str) -> dict[str, Make]:
    """Where two models are compared."""

    def best(scores: Scores) -> tuple[Estimate, str]:
        (one, tap_a), (other, tap_b) = scores.best(a, measure), scores.best(b, measure)
        return one - other, f" ({tap_a} - {tap_b})"

    def middle(scores: Scores) -> Estimate:
        return scores.middle(a, measure) - scores.middle(b, measure)

    def outputs(scores: Scores) -> tuple[Estimate, str]:
        taps = contrasts.output(a), contrasts.output(b)
        found = scores.at(a, measure, taps[0]) - scores.at(b, measure, taps[1])
        return found, f" ({' - '.join(dict.fromkeys(taps))})"

    return {"best tap": best, "mean of the middle block": middle, "output": outputs}


def _on_one_grid(runs: Runs, pair: Pair, family: str) -> list[Contrast]:
    """The middle block again, at the lower rate on both sides."""
    found = []
    for measure in runs.measures((pair.a, pair.b), MEASURES):
        label = _shown(pair, family, measure).named(
            f"{pair.name}, mean of the middle block, both at {rate_ms(pair.a):g} ms"
        )

        def make(scores: Scores, measure: str = measure) -> Estimate:
            return scores.middle(pair.a, measure) - scores.middle(decimated(runs, pair.b, rate_ms(pair.a)), measure)

        found.append(contrasts.contrast(runs, label, measure, make))
    return found


def _of_context(runs: Runs, pair: Pair) -> list[Contrast]:
    """Best tap, output and tasks, grey: nothing is isolated."""
    grey = "context only: architecture, training and target units differ together"
    shown = Shown(pair.name, pair.differences.text(), None, grey)
    found = []
    for measure in runs.measures((pair.a, pair.b), MEASURES):
        places = _places(pair.a, pair.b, measure)
        for place in ("best tap", "output"):
            label = shown.named(f"{pair.name}, {place}")
            found.append(contrasts.contrast(runs, label, measure, places[place]))
    return [*found, *contrasts.of_tasks(pair.a, pair.b, shown)]


def _not_isolated(pair: Pair) -> Contrast:
    """A pair of which one might think that it isolates the loss."""
    said = [run.facts.training or {} for run in (pair.a, pair.b) if run.facts]
    heads = {each.get("prediction_heads") for each in said}
    what = f"{heads.pop()} prediction heads" if len(heads) == 1 and any(heads) else "the same losses"
    reason = f"both have {what}: this does not isolate the auxiliary loss"
    return contrasts.refused(Shown(pair.name, pair.differences.text()), "all", reason)


def _missing(pairs: Sequence[Pair], needed: str) -> tuple[str, ...]:
    return () if pairs else (f"Missing: {needed}. No two of these runs are that, by what their checkpoints contain.",)


def _notes(found: Sequence[Contrast]) -> tuple[str, ...]:
    chosen = any("best tap" in each.label and each.value is not None for each in found)
    return (ONE_SEED, CHOSEN) if chosen else (ONE_SEED,)
