"""What a report is made of beside the layer curves: sections of answers, tables and figures.

Whoever has something to say about results (comparisons, trajectories, rates) returns `Section`s; the page and the
terminal show them all alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | float | int | None


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
class PlainTable:
    """A table as it is shown.

    Attributes:
        title: its caption.
        columns: their heads.
        rows: as many cells each; numbers stay numbers, so that a table can be sorted.
        note: what a reader must know; "" for nothing.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.title}: a row has not as many cells as there are columns")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A chart of the page.

    Attributes:
        title: its caption.
        spec: a Vega-Lite specification, as `altair.Chart.to_dict` gives it.
        caption: how to read it.
    """

    title: str
    spec: Mapping[str, Any]
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One part of a report.

    Attributes:
        name: for links: "loss", "rate", "words".
        title: the question it answers.
        verdict: the answer in one sentence, where one can be given; None where the section only shows.
        notes: what a reader must know, a sentence each.
        contrasts, tables, figures: in the order in which they are shown.
    """

    name: str
    title: str
    verdict: str | None = None
    notes: tuple[str, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    tables: tuple[PlainTable, ...] = ()
    figures: tuple[Figure, ...] = ()


# What is asked of two checkpoints, one training each; a factorial asks it of every cell, over seeds.
OF_PAIRS = ("loss", "rate", "words")
OVER_SEEDS = "factorial"


def asked_once(sections: Sequence[Section]) -> tuple[Section, ...]:
    """Without what pairs of single trainings say where a factorial answers the same over seeds."""
    answered = any(
        contrast.value is not None for each in sections if each.name == OVER_SEEDS for contrast in each.contrasts
    )
    return tuple(each for each in sections if not (answered and each.name in OF_PAIRS))
