"""Any two models side by side: taps of the same name, else of the same rate and relative depth, pair by pair."""

from __future__ import annotations

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import differences
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.state_taps import states
from s3prl_plugin.questions.comparison import contrasts, fact_differences
from s3prl_plugin.questions.comparison.contrasts import Scores, Shown
from s3prl_plugin.questions.comparison.runs import Run, Runs
from s3prl_plugin.report.sections import Contrast, Section, Table, Value
from s3prl_plugin.results import Row
from s3prl_plugin.strides import ms_text

MOST_MODELS = 6  # more would flood a page
WITH_ITSELF = "_intra"  # the tap nearest to the base tap is always its best one


def alignments(runs: Runs) -> list[Section]:
    """The first model less every other: the best tap as a declared family, all taps side by side as exploration.

    None where more than `MOST_MODELS` are compared; `left_out` says so.
    """
    first, *others = runs.models
    if others[MOST_MODELS - 1 :]:
        return []
    return [_aligned(runs, first, other, number) for number, other in enumerate(others, 1)]


def left_out(runs: Runs) -> tuple[str, ...]:
    """Why no models are put side by side, if so."""
    count = len(runs.models)
    if count <= MOST_MODELS:
        return ()
    return (
        f"{count} models are compared, more than {MOST_MODELS}, so none are put side by side; give two folders to put "
        "two models side by side.",
    )


def _aligned(runs: Runs, a: Run, b: Run, number: int) -> Section:
    """One model less another."""
    differ = fact_differences.between(a.facts, b.facts).text() if a.facts and b.facts else ""
    name = f"{a.name} less {b.name}"
    common = [key for key in b.layers if key in a.layers]
    wanted = [measure for measure, segments in common if segments is None and not measure.endswith(WITH_ITSELF)]
    found = [_best(runs, a, b, measure, name, differ) for measure in wanted]
    tables = []
    left: list[str] = []
    for measure, segments in common:
        table, missing = _table(runs, a, b, measure, segments)
        tables += [table] if table else []
        left += missing
    notes = [] if differ else ["Not known what they differ in: no upstream.json."]
    notes += ["Declared: the best tap of each, for every measure. The tables of taps are exploratory: p values in them "
              "are of each line alone."]  # fmt: skip
    if not common:
        notes = [*notes[:-1], "The two have no measure in common."]
    return Section(
        name=f"aligned-{number}",
        title=f"{name}: side by side",
        notes=(*notes, *dict.fromkeys(left)),
        contrasts=contrasts.corrected([*found, *contrasts.of_tasks(a, b, Shown(name, differ, name))]),
        tables=tuple(tables),
    )


def _best(runs: Runs, a: Run, b: Run, measure: str, name: str, differ: str) -> Contrast:
    def best(scores: Scores) -> tuple[Estimate, str]:
        (one, tap_a), (other, tap_b) = scores.best(a, measure), scores.best(b, measure)
        return one - other, f" ({tap_a} - {tap_b})"

    return contrasts.contrast(runs, Shown(f"{name}, best tap", differ, name), measure, best)


def _table(runs: Runs, a: Run, b: Run, measure: str, segments: str | None) -> tuple[Table | None, list[str]]:
    """All taps that can be aligned, and what cannot."""
    same = a.facts is not None and b.facts is not None and a.facts.architecture == b.facts.architecture
    try:
        rows_a, rows_b = (states(runs.rows(run, measure, segments)) for run in (a, b))
        pairs, alone = differences.matching(rows_a, rows_b, same)
    except UserError as error:
        return None, [f"{measure}: {error}."]
    depth = {id(row): place for run in (a, b) for row, place in _depths(run, measure, segments)}
    rows, reasons = [], []
    for one, other in pairs:
        try:
            found = differences.difference(one, other)
        except UserError as error:
            reasons.append(f"{measure}, not compared: {error}.")
            continue
        rows.append(_line(one, other, depth.get(id(one)), found))
    kind = f", segments: {segments}" if segments else ""
    place = "of the same name" if same else "at the same rate and depth"
    without = f"{len(alone)} tap{'s' * (len(alone) != 1)} without a partner {place}." if alone else ""
    if not rows:
        return None, [*reasons[:1], *([f"{measure}{kind}: {without}"] if without else [])]
    table = Table(
        title=f"{measure}{kind}: taps of {a.name} and of {b.name} (exploratory)",
        columns=("tap", "less tap", "ms", "depth", a.name, b.name, "difference", "low", "high", "p"),
        rows=tuple(rows),
        note=without,
    )
    return table, reasons[:1]


def _line(one: Row, other: Row, depth: float | None, found: differences.Difference) -> tuple[Value, ...]:
    rates = dict.fromkeys(ms_text(row.stride) for row in (one, other) if row.stride)
    return (
        one.tap,
        other.tap,
        " - ".join(rates),
        None if depth is None else round(depth, 2),
        one.value,
        other.value,
        found.value,
        found.ci_low,
        found.ci_high,
        found.p,
    )


def _depths(run: Run, measure: str, segments: str | None) -> list[tuple[Row, float]]:
    """Every row with the relative depth of its tap."""
    rows = states(run.layers.get((measure, segments), []))
    return [(row, i / max(len(rows) - 1, 1)) for i, row in enumerate(rows)]
