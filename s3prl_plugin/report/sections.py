"""What every report is made of: sections of answers, tables and figures, whoever shows them.

Whoever has something to say about results (a run's tables, differences, questions, the leaderboard) returns `Section`s.
One renderer each shows them all alike: `text` on the terminal and in Markdown, `as_json`, and `page` in a browser.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from s3prl_plugin.inference.differences import SIGNIFICANT

Value = str | float | int | None
MOST_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table.

    Attributes:
        value: the number or the words; what a table is sorted by, and JSON has.
        text: how it is written, where not as its column says.
        low, high: ends of its 95 % interval, of which half is written behind ±.
        small: what belongs to it, and stands below it or behind it; of a row's first cell, what rows are grouped by.
        hint: an explanation, shown when pointed at.
        star: marked, for what the table's `star` says.
        grey: why the data barely support it.
        refused: why there is no number.
        caveat: what it does not see.
    """

    value: Value = None
    text: str | None = None
    low: float | None = None
    high: float | None = None
    small: str = ""
    hint: str = ""
    star: bool = False
    grey: str | None = None
    refused: str | None = None
    caveat: str | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column.

    Attributes:
        name: a line break parts what a terminal writes in several lines.
        kind: "number" and "text" where not told by the cells, "signed" with its sign, "p" for p values, "bar" a drawing
            of the interval, which a page alone shows.
        hint: an explanation.
        small: what stands below the name.
        decimals: of its numbers; by default as many as they need, four at most.
    """

    name: str
    kind: Literal["number", "text", "signed", "p", "bar", ""] = ""
    hint: str = ""
    small: str = ""
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table.

    Attributes:
        title: its caption; "" for none.
        columns: their heads, a `Column` each; a text is a column of that name.
        rows: as many `Cell`s each; a plain value is a cell that has no more to say.
        note: what a reader must know; "" for nothing.
        notes: more of it, a sentence each.
        star: what a star at a cell means.
        folded: a page shows it only on request.
    """

    title: str = ""
    columns: tuple[Any, ...]
    rows: tuple[tuple[Any, ...], ...]
    note: str = ""
    notes: tuple[str, ...] = ()
    star: str = ""
    folded: bool = False

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.title}: a row has not as many cells as there are columns")

    @property
    def names(self) -> list[str]:
        """Of the columns, in one line each."""
        return [column.name.replace("\n", " ") for column in self.heads]

    @property
    def heads(self) -> list[Column]:
        """The columns, each with its kind and decimals."""
        found = []
        for i, head in enumerate(self.columns):
            column = Column(head) if isinstance(head, str) else head
            values = [row[i].value for row in self.cells]
            numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
            kind = column.kind or ("p" if column.name in ("p", "p (Holm)") else "number" if numbers else "text")
            decimals = _decimals(numbers) if column.decimals is None else column.decimals
            found.append(replace(column, kind=kind, decimals=decimals))
        return found

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, every cell as one."""
        return [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in self.rows]

    @property
    def greys(self) -> list[str]:
        """Why numbers in it are barely supported, each reason once."""
        return merged(c.grey for row in self.cells for c in row if c.grey and c.value is not None)

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return _fragment([Section(name="", title="", tables=(self,))])

    def without_empty(self) -> Table:
        """The same without columns in which nothing stands."""
        written = [[cell.value not in (None, "", "?") or bool(cell.text) for cell in row] for row in self.cells]
        kept = [i for i in range(len(self.columns)) if i == 0 or any(row[i] for row in written)]
        rows = tuple(tuple(row[i] for i in kept) for row in self.rows)
        return replace(self, columns=tuple(self.columns[i] for i in kept), rows=rows)


def _decimals(numbers: Iterable[float]) -> int:
    """As many as the numbers of a column need."""
    floats = [value for value in numbers if isinstance(value, float) and math.isfinite(value)]
    if not floats or max(map(abs, floats)) >= 1e4:
        return 0
    return max(len(f"{value:.{MOST_DECIMALS}f}".rstrip("0").partition(".")[2]) for value in floats)


def written(cell: Cell, column: Column, absent: str = "-") -> str:
    """A cell's text, without marks.

    Args:
        cell: of the column.
        column: as `Table.heads` gives it.
        absent: for nothing.
    """
    value = cell.value
    if cell.text is not None:
        return cell.text
    if value is None:
        return absent
    if isinstance(value, str):
        return value
    if column.kind == "p":
        return p_text(value)
    if isinstance(value, int) and column.kind != "signed":
        return f"{value:,}"
    sign = "+" if column.kind == "signed" else ""
    text = f"{round(value, column.decimals or 0) + 0.0:{sign},.{column.decimals or 0}f}"  # no sign at nothing
    if cell.low is not None and cell.high is not None and column.kind == "number":
        text += f" ±{(cell.high - cell.low) / 2:.{column.decimals or 0}f}"
    return text


def p_text(p: float) -> str:
    """A p value with three digits."""
    return "<.001" if p < 0.001 else f"{p:.3f}"


def span(low: float | None, high: float | None, form: str = "+.3f") -> str:
    """An interval in words; "" for none."""
    return "" if low is None or high is None else f"{low:{form}} to {high:{form}}"


_NUMBER = re.compile(r"(?<![\w.:=-])\d+(?:\.\d+)?(?![\w.]*\w)")  # on its own, not part of a name


def alike(reason: str) -> str:
    """A reason without its numbers."""
    return _NUMBER.sub("#", reason)


def merged(reasons: Iterable[str]) -> list[str]:
    """Every reason once; those that differ in their numbers alone as one, with the least and the largest of each."""
    groups: dict[str, list[str]] = {}
    for reason in dict.fromkeys(reasons):
        groups.setdefault(alike(reason), []).append(reason)
    found = []
    for own in groups.values():
        numbers = [iter(sorted(set(column), key=float)) for column in zip(*map(_NUMBER.findall, own), strict=True)]
        ends = iter([dict.fromkeys((each[0], each[-1])) for each in map(list, numbers)])
        found.append(_NUMBER.sub(lambda _, ends=ends: " to ".join(next(ends)), own[0]))  # type: ignore[misc]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast:
    """One comparison, ready to be shown.

    Attributes:
        label: what is taken from what, in words: "mono_base - b5_a, best tap".
        isolates: what the two differ in, read from what the checkpoints contain; "" where that is not known.
        measure, score: of both sides; a task's name and metric for SUPERB.
        value: the difference; None when refused.
        ci_low, ci_high: its 95 % interval.
        p, p_holm: two-sided, of no difference; p_holm within `family`.
        family: the declared family that it is corrected in; None for an exploratory one.
        refused: why there is no number.
        grey: why the number says little, such as other target units; shown grey.
        higher_is_better: of the score.
    """

    label: str
    measure: str
    score: str
    isolates: str = ""
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    p: float | None = None
    p_holm: float | None = None
    family: str | None = None
    refused: str | None = None
    grey: str | None = None
    higher_is_better: bool = True

    def __post_init__(self) -> None:
        if (self.value is None) == (self.refused is None):
            raise ValueError(f"{self.label}: a contrast has either a value or the reason of its refusal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart.

    Attributes:
        title: its caption, for those who cannot see it, and the name of a saved file.
        spec: a Vega-Lite specification, as `altair.Chart.to_dict` gives it; empty where there is nothing to draw.
        caption: how to read it.
        remarks: what is missing or uncertain in it.
        model: whose it is, where it is of one model of several; it is hidden where that is not chosen.
        beside: the same with a chart per model, shown in its place on request.
    """

    title: str
    spec: Mapping[str, Any]
    caption: str = ""
    remarks: tuple[str, ...] = ()
    model: str | None = None
    beside: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a report.

    Attributes:
        name: for links: "loss", "rate", "words".
        title: the question it answers; "" where there is no question.
        verdict: the answer in one sentence, where one can be given; None where the section only shows.
        lead: what is read first; above everything else.
        notes: what a reader must know, a sentence each.
        contrasts, tables, figures: in the order in which they are shown.
        code: to be copied as it is, such as BibTeX; "" for nothing.
        wide: whether figures have half a page each; else they are as small as they come.
    """

    name: str
    title: str
    verdict: str | None = None
    lead: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[Figure, ...] = ()
    code: str = ""
    wide: bool = True

    @property
    def shown(self) -> tuple[Table, ...]:
        """All tables, that of the contrasts first."""
        return (*([contrast_table(self.contrasts)] if self.contrasts else []), *self.tables)

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        return _fragment([self])

    def as_json(self) -> dict[str, Any]:
        """Plain values: everything that is shown, numbers as they are."""
        plain = {name: getattr(self, name) for name in ("name", "title", "verdict")}
        said = {name: list(getattr(self, name)) for name in ("lead", "notes")}
        return {
            **plain,
            **{name: lines for name, lines in said.items() if lines or name == "notes"},
            **({"code": self.code} if self.code else {}),
            "contrasts": [asdict(each) for each in self.contrasts],
            "tables": [_table_json(table) for table in self.tables],
            "figures": [asdict(figure) for figure in self.figures],
        }


def _table_json(table: Table) -> dict[str, Any]:
    """A table as plain values; a cell that has more to say than its value is an object."""
    notes = [*([table.note] if table.note else []), *table.notes]
    rows = [[_cell_json(cell) for cell in row] for row in table.cells]
    return {"title": table.title, "columns": table.names, "rows": rows, "notes": notes}


def _cell_json(cell: Cell) -> Any:
    said = {name: value for name, value in asdict(cell).items() if value not in (None, "", False) and name != "value"}
    return {"value": cell.value, **said} if said else cell.value


def contrast_table(contrasts: Sequence[Contrast]) -> Table:
    """Contrasts as a table, under what they isolate."""
    families: dict[str, int] = {}
    for each in contrasts:
        if each.family and each.p is not None:
            families[each.family] = families.get(each.family, 0) + 1
    counts = ", ".join(f"{name} ({count})" for name, count in families.items())
    star = f"p (Holm) below {SIGNIFICANT:g}, adjusted within the declared family: {counts}" if families else ""
    return Table(
        columns=(
            "contrast", "measure", Column("difference", "signed", decimals=3), Column("below 0 · above 0", "bar"),
            "95 % interval", Column("p", "p", "two-sided, of no difference"),
            Column("p (Holm)", "p", "adjusted for the family's comparisons; a family is declared beforehand, all else "
                                    "is exploratory"),
        ),
        rows=tuple(_contrast_row(each) for each in contrasts),
        star=star,
    )  # fmt: skip


def _contrast_row(each: Contrast) -> tuple[Cell, ...]:
    """One contrast."""
    heading = each.isolates[:1].upper() + each.isolates[1:]
    better = "" if each.higher_is_better else ", lower is better"
    differs = each.p_holm is not None and each.p_holm < SIGNIFICANT
    low, high = each.ci_low, each.ci_high
    holm = Cell(each.p_holm, hint=each.family) if each.family else Cell(text="" if each.refused else "exploratory")
    return (
        Cell(each.label, small=heading),
        Cell(each.measure, small=f"{each.score}{better}"),
        Cell(each.value, low=low, high=high, star=differs, grey=each.grey, refused=each.refused),
        Cell(each.value, low=low, high=high),
        Cell(low, text=span(low, high)),
        Cell(each.p, text=None if each.p is not None else ""),
        holm,
    )


# What is asked of two checkpoints, one training each; a factorial asks it of every cell, over seeds.
OF_PAIRS = ("loss", "rate", "words")
OVER_SEEDS = "factorial"


def asked_once(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Without what pairs of single trainings say where a factorial answers the same over seeds."""
    answered = any(
        contrast.value is not None for each in sections if each.name == OVER_SEEDS for contrast in each.contrasts
    )
    return said_once([each for each in sections if not (answered and each.name in OF_PAIRS)])


def said_once(sections: Sequence[Section]) -> tuple[Section, ...]:
    """With every note where it is first needed, and nowhere again."""
    said: set[str] = set()
    found = []
    for each in sections:
        found.append(replace(each, notes=tuple(note for note in each.notes if note not in said)))
        said |= set(each.notes)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Report:
    """Several sections, and what must be read before them.

    Attributes:
        sections: in the order in which they are read.
        banners: why nothing here is a finding, a sentence each; empty where it may be one.
        models: the names of what they are about.
        notes: what is left out.
    """

    sections: tuple[Section, ...]
    banners: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        said = {name: list(getattr(self, name)) for name in ("models", "banners", "notes")}
        return {**said, "sections": [each.as_json() for each in self.sections]}

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        first = Section(name="", title="", lead=(*self.banners, *self.notes))
        return _fragment([first, *self.sections])


def _fragment(sections: Sequence[Section]) -> str:
    from s3prl_plugin.report.page.document import fragment  # the page is made of what stands here

    return fragment(sections)
