"""The tables of "What the layers hold"."""

from __future__ import annotations

from collections.abc import Sequence

from s3prl_plugin.report.drawing.charts.palette import resolution
from s3prl_plugin.report.page.panels import explained
from s3prl_plugin.report.page.summary import Best
from s3prl_plugin.report.page.tables import Shown, Table, columns, without_empty
from s3prl_plugin.results import Row
from s3prl_plugin.strides import stride_number

_EQUAL = (
    "not told apart from it",
    "taps whose paired difference to the best is not significant (p after Holm's correction for all pairs of taps is "
    ".05 or more): as good a choice, as far as these data can tell",
)
_OFTEN = ("best without a fold", "how often it is the best tap when one fold (or speaker) is left out")
_SIZE = (
    "n; n/d",
    "segments or frames scored; training rows per dimension of the tap, and how many independent ones they are worth",
)
ACROSS = 7  # measures that fit a page beside each other
MOST_CAVEATS = 6
_TASKS = ("to choose a layer for", "the tasks for which one looks at this measure")


def tables(found: Sequence[Best], order: Sequence[str]) -> list[Table]:
    """The best taps: one line per measure, or for several models one line per model and the details below.

    Args:
        found: of every measure and model.
        order: the models' names, as the page has them.
    """
    if not found:
        return []
    details = without_empty(_details(found))
    if len({best.model for best in found}) == 1:
        return [details]
    measures = list(dict.fromkeys(best.panel.title for best in found))
    models = [name for name in order if any(best.model == name for best in found)]
    size = -(-len(measures) // -(-len(measures) // ACROSS))  # tables of about the same width
    parts = [measures[i : i + size] for i in range(0, len(measures), size)]
    return [*(_overview([best for best in found if best.panel.title in part], models) for part in parts), details]


def scores_used(found: Sequence[Best]) -> list[tuple[str, str]]:
    """Every score that is shown, with its explanation."""
    used = {best.panel.first.score: explained(best.panel.first.measure, best.panel.first.score) for best in found}
    return [(score, said) for score, said in used.items() if said]


def _details(found: Sequence[Best]) -> Table:
    """One line per measure and model."""
    several = len({best.model for best in found}) > 1
    head = ["what", *(["model"] if several else []), "best tap", ("ms", "resolution: from frame to frame"),
            ("value", "of the best tap"), ("95 % interval", "of the value alone"),
            _EQUAL, _OFTEN, _SIZE, _TASKS]  # fmt: skip
    return Table(
        "Every measure and model" if several else "",
        columns(head),
        tuple(_line(best, several) for best in found),
        _notes(found),
        folded=several,
    )


def _line(best: Best, several: bool) -> tuple[Shown, ...]:
    """One measure of one model."""
    panel, row = best.panel, best.row
    what = [Shown(panel.meaning.about, small=f"{panel.title}, {panel.first.score}"), *([Shown(best.model)] * several)]
    tasks = Shown(panel.meaning.tasks)
    if row is None:
        reason = next(
            (r.refused for r in panel.models[best.model] if r.refused), "the two sides are the same everywhere"
        )
        return (*what, Shown("refused", kind="refused", hint=reason or ""), *[Shown("–", kind="refused")] * 3,
                Shown(reason or "", kind="refused"), *[Shown("–", kind="refused")] * 2, tasks)  # fmt: skip
    kind, hint = ("grey", row.grey) if row.grey else ("best", row.caveat or "")
    low, high = row.ci_low, row.ci_high
    interval = Shown("–") if low is None or high is None else Shown(f"{low:.3f} to {high:.3f}", sort=low, kind="number")
    size = [f"{row.n:,}"] if row.n is not None else []
    worth = f" (worth {row.n_eff_over_d:,.1f})" if row.n_eff_over_d is not None else ""
    size += [f"{row.n_over_d:,.1f}{worth}"] if row.n_over_d is not None else []
    rate = stride_number(row.stride) if row.stride else 0
    return (
        *what,
        Shown(str(row.tap), kind=kind, hint=hint or ""),
        Shown(
            resolution(row.stride).removesuffix(" ms"),
            sort=rate,
            kind="number",
        ),
        Shown(f"{row.value:.3f}", sort=row.value, kind="grey number" if row.grey else "number", hint=hint or ""),
        interval,
        Shown(best.equals),
        Shown(best.often),
        Shown("; ".join(size), sort=row.n, kind="number"),
        tasks,
    )


def _overview(found: Sequence[Best], models: Sequence[str]) -> Table:
    """Models down, measures across: value and place of the best tap."""
    measures = list(dict.fromkeys(best.panel.title for best in found))
    cells = {(best.model, best.panel.title): best for best in found}
    first = {best.panel.title: best.panel for best in found}
    heads = []
    for title in measures:
        row = first[title].first
        said = explained(row.measure, row.score)
        heads.append((title, f"{row.score}: {said}" if said else row.score, first[title].meaning.about))
    rows = tuple((Shown(model), *(_cell(cells.get((model, title))) for title in measures)) for model in models)
    about = "; ".join(dict.fromkeys(panel.meaning.about for panel in first.values()))
    return Table(f"The best tap of every model: {about}", columns(["model", *heads]), rows)


def _cell(best: Best | None) -> Shown:
    """One model's best tap."""
    if best is None:
        return Shown("", sort=float("-inf"))
    row = best.row
    if row is None:
        reason = next((r.refused for r in best.panel.models[best.model] if r.refused), "")
        return Shown("refused", sort=float("-inf"), kind="refused", hint=reason or "")
    about = f"{_interval(row)}not told apart from it: {best.equals}"
    hint = f"{row.grey}; {about}" if row.grey else about
    place = f"{row.tap}, {resolution(row.stride)}".replace(" ms", "\N{NO-BREAK SPACE}ms")
    return Shown(f"{row.value:.3f}", place, row.value, "grey number" if row.grey else "number", hint)


def _interval(row: Row) -> str:
    """The interval in words."""
    return "" if row.ci_low is None or row.ci_high is None else f"95 % interval {row.ci_low:.3f} to {row.ci_high:.3f}; "


def _notes(found: Sequence[Best]) -> tuple[str, ...]:
    """What stands below the table."""
    notes = []
    greys = list(dict.fromkeys(best.row.grey for best in found if best.row is not None and best.row.grey))
    if greys:
        notes.append(
            "grey, in brackets: a number that the data barely support (" + "; ".join(map(str, greys[:3])) + ")"
        )
    caveats = list(dict.fromkeys(f"{best.row.tap}, {best.panel.title}: {best.row.caveat}"
                                 for best in found if best.row is not None and best.row.caveat))  # fmt: skip
    notes += caveats[:MOST_CAVEATS]
    if any(best.row is not None and not best.row.higher_is_better for best in found):
        notes.append("of a score where lower is better, the best tap has the lowest")
    if any(best.refused and best.row is not None for best in found):
        notes.append("some taps were refused; the layer curves show which and why")
    return tuple(notes)
