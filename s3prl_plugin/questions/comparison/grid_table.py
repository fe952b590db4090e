"""How far every frame rate blurs segments into each other: it bounds what a tap of a low rate can show."""

from __future__ import annotations

from s3prl_plugin.questions.comparison.runs import Runs
from s3prl_plugin.report.sections import PlainTable, Section
from s3prl_plugin.strides import milliseconds

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
            PlainTable(
                title="Segments that are blurred, %",
                columns=("segments", "corpus", "a segment is", *(f"{round(rate, 2):g} ms" for rate in rates)),
                rows=rows,
            ),
        ),
    )
