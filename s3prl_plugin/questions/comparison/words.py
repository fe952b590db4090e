"""Do layers at a lower rate carry more of words? The grid taken out, within a model, against phones, without means."""

from __future__ import annotations

from collections.abc import Callable

from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.questions.comparison import contrasts, grids, roles, verdicts
from s3prl_plugin.questions.comparison.contrasts import Scores, Shown, last_layer
from s3prl_plugin.questions.comparison.loss_and_rate import ONE_SEED
from s3prl_plugin.questions.comparison.roles import Pair
from s3prl_plugin.questions.comparison.runs import Runs
from s3prl_plugin.report.sections import Contrast, Section

DECIDES = "cca_word"
MEASURES = (DECIDES, "mi_word")
PHONE = {"cca_word": "cca_phone", "mi_word": "mi_phone"}
CENTRE = "centre"
PRE = "mid.pre"
FAMILY = "words"
GRID = "the grid: the contrast of native rates less the contrast on one grid"

# How a row is told from the others; the three that decide, and those beside them.
ONE_GRID, WITHIN, AGAINST_PHONES = "one grid", "within", "against phones"
Row = tuple[str, str, Callable[[Scores], Estimate]]


def words(runs: Runs) -> Section:
    """All rows for every pair that differs in the frame rate of the middle block."""
    pairs, more = roles.shown(roles.rate_pairs(runs.plain))
    found: list[Contrast] = []
    decisive: list[dict[str, int]] = []
    for pair in pairs:
        places: dict[str, int] = {}
        for measure in runs.measures((pair.a, pair.b), MEASURES):
            for name, row in _rows(runs, pair, measure).items():
                if measure == DECIDES:
                    places[name] = len(found)
                found.append(row)
        decisive.append(places)
    done = contrasts.corrected(found)
    return Section(
        name="words",
        title="Do layers at a lower rate carry more of words?",
        verdict=_verdict(pairs, done, decisive),
        notes=(*_notes(pairs), *more),
        contrasts=done,
    )


def _verdict(pairs: list[Pair], done: tuple[Contrast, ...], decisive: list[dict[str, int]]) -> str:
    """Of every pair."""
    if not pairs:
        return f"{verdicts.NOT_DECIDED}: no two of these runs differ in the frame rate alone."
    said = []
    for pair, places in zip(pairs, decisive, strict=True):
        if not places:
            verdict = f"{verdicts.NOT_DECIDED}: {pair.name} has no {DECIDES}."
        else:
            verdict = verdicts.lower_carries_more(*(done[places[name]] for name in (ONE_GRID, WITHIN, AGAINST_PHONES)))
        said.append(verdict if len(pairs) == 1 else f"{pair.name}: {verdict}")
    return " ".join(said)


def _notes(pairs: list[Pair]) -> tuple[str, ...]:
    if not pairs:
        return ("Missing: a multi-resolution checkpoint, and one with the same blocks at one frame rate throughout.",)
    return (
        ONE_SEED,
        f"Rules, fixed beforehand, on {DECIDES}: lower carries more only if the first contrast excludes 0 and "
        f"the within-model contrast (difference of differences) and words against phones point the same way; no effect "
        f"only if its interval lies within ±{verdicts.NO_EFFECT:g}; else not decided.",
    )


def _rows(runs: Runs, pair: Pair, measure: str) -> dict[str, Contrast]:
    """The rows of one pair and measure, by what they are."""
    differ = pair.differences.text()
    made: dict[str, Contrast] = {}
    for name, (label, isolates, make) in _definitions(runs, pair, measure).items():
        shown = Shown(label, isolates or differ, None if pair.grey else FAMILY, pair.grey)
        made[name] = contrasts.contrast(runs, shown, measure, make)
    return made


def _definitions(runs: Runs, pair: Pair, measure: str) -> dict[str, Row]:
    """Label, what it isolates ("" for what the pair differs in), and how it is computed."""
    low, high = pair.a, pair.b
    ms = grids.rate_ms(low)
    mid, encoder = last_layer(low, "mid"), last_layer(low, "enc")
    phone = PHONE[measure]
    names = f"{low.name} - {high.name}"

    def one_grid(scores: Scores, measure: str = measure) -> Estimate:
        return scores.at(low, measure, mid) - scores.at(grids.decimated(runs, high, ms), measure, mid)

    def native(scores: Scores) -> Estimate:
        return scores.at(low, measure, mid) - scores.at(high, measure, mid)

    def grid(scores: Scores) -> Estimate:
        return scores.at(grids.decimated(runs, high, ms), measure, mid) - scores.at(high, measure, mid)

    def block(scores: Scores) -> Estimate:
        return scores.middle(low, measure) - scores.middle(grids.decimated(runs, high, ms), measure)

    def adapter(scores: Scores) -> Estimate:
        return scores.at(low, measure, PRE) - scores.at(grids.decimated(runs, low, ms), measure, encoder)

    def added_low(scores: Scores) -> Estimate:
        return scores.at(low, measure, mid) - scores.at(low, measure, PRE)

    def added_high(scores: Scores) -> Estimate:
        other = grids.decimated(runs, high, ms)
        return scores.at(other, measure, mid) - scores.at(other, measure, PRE)

    def centre(scores: Scores) -> Estimate:
        return scores.at(low, measure, mid, CENTRE) - scores.at(high, measure, mid, CENTRE)

    def centre_one_grid(scores: Scores) -> Estimate:
        other = grids.decimated(runs, high, ms)
        return scores.at(low, measure, mid, CENTRE) - scores.at(other, measure, mid, CENTRE)

    def untrained(scores: Scores) -> Estimate:
        sides = grids.random(runs, low), grids.random(runs, high, ms)
        return scores.at(sides[0], measure, mid) - scores.at(sides[1], measure, mid)

    of_high = f"{high.name} with every {ms / grids.rate_ms(high):g}th frame".replace("2th", "2nd").replace("3th", "3rd")
    return {
        ONE_GRID: (f"{names}, {mid}, both at {ms:g} ms ({of_high})", "", one_grid),
        "native": (f"{names}, {mid}, each at its own rate", "", native),
        "grid": (f"grid: {high.name} at {ms:g} ms less at its own rate, {mid}", GRID, grid),
        "block": (f"{names}, mean of the middle block, both at {ms:g} ms", "", block),
        "adapter": (f"{low.name}: {PRE} - {encoder} at {ms:g} ms", "what the adapter does", adapter),
        "low": (f"{low.name}: {mid} - {PRE}", f"what its layers at {ms:g} ms add", added_low),
        "high": (f"{high.name}: {mid} - {PRE}, both at {ms:g} ms", "what the same layers add at one rate", added_high),
        WITHIN: (
            f"difference of differences: ({mid} - {PRE}) of {low.name} - the same of {high.name} at {ms:g} ms",
            "what layers at the low rate add beyond the same layers at the high one",
            lambda scores: added_low(scores) - added_high(scores),
        ),
        "centre": (f"{names}, {mid}, from the one frame at its centre, each at its own rate", "", centre),
        "centre, one grid": (
            f"{names}, {mid}, from the one frame at its centre, both at {ms:g} ms",
            "",
            centre_one_grid,
        ),
        AGAINST_PHONES: (
            f"words against phones: {names}, {mid}, both at {ms:g} ms, {measure} less {phone}",
            "what the rate does to words beyond what it does to phones",
            lambda scores: one_grid(scores) - one_grid(scores, phone),
        ),
        "random": (
            f"{names}, {mid}, both at {ms:g} ms, random weights",
            "what the architecture gives before any training",
            untrained,
        ),
    }
