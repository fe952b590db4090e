"""What the layers hold, in short: the best tap of every measure and model, and one answer for every task."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from s3prl_plugin.inference import differences, state_taps
from s3prl_plugin.inference.differences import SIGNIFICANT
from s3prl_plugin.report.drawing.palette import resolution
from s3prl_plugin.report.drawing.places import in_order
from s3prl_plugin.report.page.panels import Panel, explained
from s3prl_plugin.report.sections import Cell, Column, Table, span
from s3prl_plugin.results import Row
from s3prl_plugin.strides import ms_text

NOT_TESTED = "not tested"
ACROSS = 7  # measures that fit a page beside each other
MOST_CAVEATS = 6
_EQUAL = (
    "taps whose paired difference to the best is not significant (p after Holm's correction for all pairs of taps is "
    ".05 or more): as good a choice, as far as these data can tell"
)
_TASKS = re.compile(r"[^,(]+(?:\([^)]*\))?(?=, |$)")  # of a list; commas in brackets part none


@dataclass(frozen=True, slots=True)
class Best:
    """One measure of one model.

    Attributes:
        panel, model: which.
        row: of the best tap; None where every number was refused.
        equals: taps that are not told apart from it, in words; `NOT_TESTED` with the reason where that is not known.
        equal: these taps.
        often: how often it is the best one without one fold or speaker, as "5 of 6"; "" where that is not known.
    """

    panel: Panel
    model: str
    row: Row | None
    equals: str = ""
    equal: frozenset[str] = frozenset()
    often: str = ""

    @property
    def refused(self) -> str:
        """Why a number is missing; "" where none is."""
        return next((row.refused for row in self.panel.models[self.model] if row.refused), "") or ""


def summary(panels: Sequence[Panel]) -> list[Best]:
    """One for each measure and model.

    A tap is not told apart from the best where p of their paired difference, after Holm's correction for all pairs of
    taps, is at least .05; see `inference.differences.within`.
    """
    return [_best(panel, model, rows) for panel in panels for model, rows in panel.models.items()]


def _best(panel: Panel, model: str, rows: Sequence[Row]) -> Best:
    """One measure of one model."""
    rows = in_order(rows)
    shown, row = state_taps.valued(rows), state_taps.best(rows)
    if row is None:
        return Best(panel, model, None)
    if len(shown) == 1:
        return Best(panel, model, row, "the only state tap")
    tested = next(iter(differences.within(rows)), None)
    if tested is None or tested.best is None or not tested.differences or tested.differences[0].b.tap != row.tap:
        reason = (
            next((why for tap, why in tested.not_compared if tap == row.tap), "") if tested else "published protocol"
        )
        return Best(panel, model, row, f"{NOT_TESTED}{': ' * bool(reason)}{reason}")
    equal = frozenset(str(each.a.tap) for each in tested.differences if (each.p_holm or 0.0) >= SIGNIFICANT)
    often = f"{tested.best.get(str(row.tap), 0)} of {sum(tested.best.values())}"
    return Best(panel, model, row, runs([str(r.tap) for r in shown], equal, str(row.tap)), equal, often)


def runs(order: Sequence[str], chosen: frozenset[str], best: str) -> str:
    """Taps in words; three or more that follow each other as "from – to".

    Args:
        order: all taps.
        chosen: those to be named.
        best: the tap that they are compared with, which interrupts no run.
    """
    order = [tap for tap in order if tap != best]
    if not chosen:
        return "none"
    if len(chosen) == len(order) and len(order) > 1:
        return f"all {len(order)} others"
    found: list[list[str]] = []
    following = False
    for tap in order:
        if tap in chosen and following:
            found[-1].append(tap)
        elif tap in chosen:
            found.append([tap])
        following = tap in chosen
    return ", ".join(f"{run[0]} – {run[-1]}" if len(run) > 2 else ", ".join(run) for run in found)


def tables(found: Sequence[Best], order: Sequence[str]) -> list[Table]:
    """The best taps: one line per measure, or for several models one line per model and the details below.

    Args:
        found: of every measure and model.
        order: the models' names, as the page has them.
    """
    if not found:
        return []
    last = [answers(found), _details(found).without_empty()]
    if len({best.model for best in found}) == 1:
        return [table for table in last if table.rows]
    measures = list(dict.fromkeys(best.panel.title for best in found))
    models = [name for name in order if any(best.model == name for best in found)]
    size = -(-len(measures) // -(-len(measures) // ACROSS))  # tables of about the same width
    parts = [measures[i : i + size] for i in range(0, len(measures), size)]
    overviews = [_overview([best for best in found if best.panel.title in part], models) for part in parts]
    return [*overviews, *(table for table in last if table.rows)]


def answers(found: Sequence[Best]) -> Table:
    """One tap for every task and model: by the measure that decides it, and whether the others for it agree."""
    by_task: dict[tuple[str, str], list[Best]] = {}
    for best in found:
        if best.row is not None:
            for task in _TASKS.findall(best.panel.meaning.tasks.partition(";")[0]):
                by_task.setdefault((best.model, task), []).append(best)
    grouped: dict[tuple[str, tuple[int, ...]], list[str]] = {}
    of_group: dict[tuple[str, tuple[int, ...]], list[Best]] = {}
    for (model, task), own in by_task.items():  # tasks that go by the same measures stand together
        key = (model, tuple(map(id, own)))
        grouped.setdefault(key, []).append(task)
        of_group[key] = own
    several = len({model for model, _ in grouped}) > 1
    rows = []
    for key, tasks in grouped.items():
        first, *others = of_group[key]  # the order of measures is that of the downstreams: CCA decides
        row = first.row
        assert row is not None
        said = "; ".join(_agrees(first, other) for other in others)
        doubt = first.panel.meaning.tasks.partition("; ")[2]
        decided = f"{first.panel.title}{f' ({doubt})' if doubt else ''}"
        ms = Cell(float(row.stride or 0), text=ms_text(row.stride) if row.stride else "")
        rows.append((", ".join(tasks), *[key[0]] * several, Cell(str(row.tap), star=True), ms, decided, said))
    heads = ("to choose a layer for", *["model"] * several, "take", "ms", "decided by", "other measures")
    note = "s3prl-plugin select FOLDER --task PR says how sure that is, and writes the configuration for it."
    return Table(title="Which layer for which task", columns=heads, rows=tuple(rows), note=note).without_empty()


def _agrees(first: Best, other: Best) -> str:
    """Whether another measure of the same task would take the same tap."""
    assert first.row is not None
    assert other.row is not None
    name, tap, theirs = other.panel.title, str(first.row.tap), str(other.row.tap)
    if tap == theirs:
        return f"{name}: the same"
    if tap in other.equal or theirs in first.equal:
        return f"{name}: not told apart from its best, {theirs}"
    return f"{name} disagrees: {theirs}"


def scores_used(found: Sequence[Best]) -> list[tuple[str, str]]:
    """Every score that is shown, with its explanation."""
    used = {best.panel.first.score: explained(best.panel.first.measure, best.panel.first.score) for best in found}
    return [(score, said) for score, said in used.items() if said]


def _details(found: Sequence[Best]) -> Table:
    """One line per measure and model."""
    several = len({best.model for best in found}) > 1
    heads = (
        "what", *["model"] * several, "best tap", Column("ms", "number", "resolution: from frame to frame"),
        Column("value", "number", "of the best tap", decimals=3),
        Column("95 % interval", "number", "of the value alone"),
        Column("not told apart from it", hint=_EQUAL),
        Column("best without a fold", hint="how often it is the best tap when one fold (or speaker) is left out"),
        Column("n; n/d", "number", "segments or frames scored; training rows per dimension of the tap, and how many "
               "independent ones they are worth"),
    )  # fmt: skip
    title = "Every measure and model" if several else "The best tap of every measure"
    rows = tuple(tuple(_line(best, several)) for best in found)
    return Table(title=title, columns=heads, rows=rows, notes=tuple(_notes(found)), folded=several)


def _line(best: Best, several: bool) -> Iterator[Cell]:
    """One measure of one model."""
    panel, row = best.panel, best.row
    yield Cell(panel.meaning.about, small=f"{panel.title}, {panel.first.score}")
    yield from [Cell(best.model)] * several
    if row is None:
        reason = best.refused or "the two sides are the same everywhere"
        yield from (Cell(refused=reason), *[Cell(text="–")] * 3, Cell(reason), *[Cell(text="–")] * 2)
        return
    size = [f"{row.n:,}"] if row.n is not None else []
    worth = f" (worth {row.n_eff_over_d:,.1f})" if row.n_eff_over_d is not None else ""
    size += [f"{row.n_over_d:,.1f}{worth}"] if row.n_over_d is not None else []
    yield Cell(str(row.tap), star=not row.grey, grey=row.grey, hint=row.caveat or "")
    yield Cell(float(row.stride or 0), text=ms_text(row.stride) if row.stride else "unknown")
    yield Cell(row.value, grey=row.grey)
    yield Cell(row.ci_low, text=span(row.ci_low, row.ci_high, ".3f") or "–")
    yield Cell(best.equals)
    yield Cell(best.often)
    yield Cell(row.n, text="; ".join(size))


def _overview(found: Sequence[Best], models: Sequence[str]) -> Table:
    """Models down, measures across: value and place of the best tap."""
    cells = {(best.model, best.panel.title): best for best in found}
    first = {best.panel.title: best.panel for best in found}
    heads = []
    for title, panel in first.items():
        said = explained(panel.first.measure, panel.first.score)
        hint = f"{panel.first.score}: {said}" if said else panel.first.score
        heads.append(Column(title, "number", hint, panel.meaning.about, 3))
    rows = tuple((model, *(_cell(cells.get((model, title))) for title in first)) for model in models)
    about = "; ".join(dict.fromkeys(panel.meaning.about for panel in first.values()))
    return Table(title=f"The best tap of every model: {about}", columns=("model", *heads), rows=rows)


def _cell(best: Best | None) -> Cell:
    """One model's best tap."""
    if best is None:
        return Cell(text="")
    row = best.row
    if row is None:
        return Cell(refused=best.refused or "the two sides are the same everywhere")
    interval = span(row.ci_low, row.ci_high, ".3f")
    hint = f"{f'95 % interval {interval}; ' if interval else ''}not told apart from it: {best.equals}"
    place = f"{row.tap}, {resolution(row.stride)}".replace(" ms", "\N{NO-BREAK SPACE}ms")
    return Cell(row.value, small=place, hint=hint, grey=row.grey)


def _notes(found: Sequence[Best]) -> Iterator[str]:
    """What stands below the table."""
    rows = [(best, best.row) for best in found if best.row is not None]
    caveats = dict.fromkeys(f"{row.tap}, {best.panel.title}: {row.caveat}" for best, row in rows if row.caveat)
    yield from list(caveats)[:MOST_CAVEATS]
    if any(not row.higher_is_better for _, row in rows):
        yield "of a score where lower is better, the best tap has the lowest"
    if any(best.refused for best, _ in rows):
        yield "some taps were refused; the layer curves show which and why"
