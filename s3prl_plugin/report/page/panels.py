"""What is drawn in one chart: the rows of one measure, score and corpus, of every model that has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from s3prl_plugin.analysis import about
from s3prl_plugin.inference import differences
from s3prl_plugin.report.page.models import Model
from s3prl_plugin.report.sections import alike, merged
from s3prl_plugin.report.tables import MATRIX, label
from s3prl_plugin.results import Row

MOST_REASONS = 6


@dataclass(frozen=True, slots=True)
class Panel:
    """One measure.

    Attributes:
        title: the measure and what restricts it.
        models: name -> rows, a row per tap.
    """

    title: str
    models: dict[str, list[Row]]

    @property
    def rows(self) -> list[Row]:
        """Those of all models."""
        return [row for rows in self.models.values() for row in rows]

    @property
    def first(self) -> Row:
        """A row, for what all say alike."""
        return self.rows[0]

    @property
    def meaning(self) -> Meaning:
        """What the measure is about."""
        return meaning(self.first.measure)

    @property
    def drawable(self) -> bool:
        """Whether there is a number at all."""
        return any(row.value is not None for row in self.rows)

    @property
    def remarks(self) -> list[str]:
        """Why numbers are missing or uncertain, each with the models and taps it is about; the first reasons alone."""
        reasons: dict[str, dict[str, list[str]]] = {}
        words: dict[str, list[str]] = {}
        for name, rows in self.models.items():
            for row in rows:
                said = f"refused: {row.refused}" if row.value is None else row.grey and f"barely supported: {row.grey}"
                if said:
                    words.setdefault(alike(said), []).append(said)
                    reasons.setdefault(alike(said), {}).setdefault(name, []).append(str(row.tap))
        lines = []
        for kind, whose in reasons.items():
            (said,) = merged(words[kind])
            parts = []
            for name, taps in whose.items():
                part = "every tap" if len(taps) == len(self.models[name]) else _some(taps)
                parts.append(f"{name} ({part})" if len(self.models) > 1 else part)
            lines.append(f"{said}: {_some(parts)}")
        rest = len(lines) - MOST_REASONS
        more = [f"and {rest} more reasons, which show at their marks"] if rest > 0 else []
        return lines[:MOST_REASONS] + more


def panels(models: Sequence[Model]) -> list[Panel]:
    """The layer-wise headline scores of all models: phones first, then words, speakers, the spectrum, other layers."""
    found: dict[tuple[Any, ...], dict[str, list[Row]]] = {}
    for model in models:
        rows = [row for row in model.rows if row.headline and row.tap is not None and not row.measure.endswith(MATRIX)]
        seeds = _of_several_seeds(rows)
        for row in rows:
            place = _place(row)
            found.setdefault((*place, row.seed if place in seeds else None), {}).setdefault(model.name, []).append(row)
    corpora = {place[2] for place in found}
    alike = Counter(_title(place, len(corpora) > 1) for place in found)
    made = []
    for place, own in found.items():
        title = _title(place, len(corpora) > 1)  # models with references of their own are not drawn together
        made.append(Panel(title if alike[title] == 1 else f"{title} in {', '.join(own)}", own))
    return sorted(made, key=lambda panel: panel.meaning.place)


def _place(row: Row) -> tuple[Any, ...]:
    """What puts a row of one model into a panel."""
    return label(row), row.score, row.corpus, row.split, differences.reference(row)


def _of_several_seeds(rows: Sequence[Row]) -> set[tuple[Any, ...]]:
    """The places at which a model has more than one row per tap."""
    seen: set[tuple[Any, ...]] = set()
    several = set()
    for row in rows:
        cell = (*_place(row), row.tap)
        if cell in seen:
            several.add(_place(row))
        seen.add(cell)
    return several


def _title(place: tuple[Any, ...], several_corpora: bool) -> str:
    """The measure; its corpus and seed only where there are several."""
    label, _, corpus, _, _, seed = place
    return label + (f" on {corpus}" if several_corpora else "") + (f", seed {seed}" if seed is not None else "")


def _some(words: Sequence[str], most: int = 6) -> str:
    """The first of some words, and how many more there are."""
    rest = len(words) - most
    return ", ".join(words[:most]) + (f" and {rest} more" if rest > 0 else "")


@dataclass(frozen=True, slots=True)
class Meaning:
    """A measure explained.

    Attributes:
        about: what of speech it is about.
        tasks: the tasks for which a layer is chosen by it; "" for none.
        place: where it stands on the page.
    """

    about: str
    tasks: str
    place: tuple[int, int]


def meaning(measure: str) -> Meaning:
    """What is known of a measure; of an unknown one its name alone."""
    known = about.everything().get(measure)
    if known is None:
        return Meaning(measure, "", (len(about.everything()), 0))
    return Meaning(known.about, known.tasks, known.place)


def explained(measure: str, score: str) -> str:
    """What a score is, and what it cannot say; "" for one that nothing explains."""
    known = about.score_of(measure, score)
    if known is None:
        return ""
    low, high = ("" if end is None else f"{end}" for end in known.range)
    reach = f"; {low} to {high}" if low and high else f"; {low} and more" if low else ""
    return f"{known.says}{reach}. It cannot {known.cannot}"
