"""The same checkpoint on the grid of a lower rate: every n-th frame, as adapters of kernel 1 do."""

from __future__ import annotations

from s3prl_plugin.questions.comparison.contrasts import MIDDLE
from s3prl_plugin.questions.comparison.runs import GRID, RANDOM, Missing, Run, Runs
from s3prl_plugin.report.sections import Section, Table
from s3prl_plugin.strides import milliseconds


def rate_ms(run: Run) -> float:
    """The resolution of a model's middle block.

    Raises:
        Missing: it has none.
    """
    taps = run.facts.taps if run.facts else ()
    found = next((tap.resolution_ms for tap in taps if tap.block == MIDDLE), None)
    if found is None:
        raise Missing(f"{run.name} has no middle block")
    return found


def decimated(runs: Runs, run: Run, milliseconds: float) -> Run:
    """The run of the same checkpoint with its taps brought down to a rate.

    Raises:
        Missing: there is none.
    """
    option = f"decimate:{milliseconds:g}"
    found = runs.same_checkpoint(run, **{GRID: option})
    if found is None:
        raise Missing(f"{run.name} was not run with {GRID}: {option}")
    return found


def random(runs: Runs, run: Run, milliseconds: float | None = None) -> Run:
    """A run of the same architecture with random weights, at its own rates or brought down to one.

    Raises:
        Missing: there is none.
    """
    grid = {GRID: f"decimate:{milliseconds:g}"} if milliseconds is not None else {}
    found = runs.random_of(run, **grid)
    if found is None:
        options = ", ".join(f"{name}: {value}" for name, value in {RANDOM: "true", **grid}.items())
        raise Missing(f"{run.name} was not run with {options}")
    return found


WORDS = {
    ("grid_phone", "outside"): "phones whose frames reach outside the phone",
    ("grid_phone", "shared"): "phones that share a frame with a neighbour",
    ("grid_word", "outside"): "words whose frames reach outside the word",
    ("grid_word", "shared"): "words that share a frame with a neighbour",
}
MEANS = {None: "mean of whole frames", "overlap": "weighted by overlap", "centre": "the one frame at the centre"}


def grid_table(runs: Runs) -> Section | None:
    """Per kind of segment, the share that each rate blurs; None where no run says it."""
    found: dict[tuple[str, str | None, str, str | None], dict[float, float]] = {}
    for run in runs.runs:
        for row in run.rows:
            if (row.measure, row.score) in WORDS and row.value is not None and row.stride:
                key = (row.measure, row.corpus, row.score, row.segments)
                found.setdefault(key, {})[milliseconds(row.stride)] = row.value
    if not found:
        return None
    rates = sorted({rate for values in found.values() for rate in values})
    rows = tuple(
        (
            WORDS[measure, score],
            corpus,
            MEANS.get(segments, segments),
            *(round(100 * values[rate], 1) if rate in values else None for rate in rates),
        )
        for (measure, corpus, score, segments), values in sorted(found.items(), key=lambda item: str(item[0]))
    )
    return Section(
        name="grid",
        title="How far does each frame rate blur phones and words?",
        notes=("It is a property of the corpus and the frame rate, not of any model.",),
        tables=(
            Table(
                title="Segments that are blurred, %",
                columns=("segments", "corpus", "a segment is", *(f"{round(rate, 2):g} ms" for rate in rates)),
                rows=rows,
            ),
        ),
    )
