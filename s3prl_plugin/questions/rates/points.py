"""What one way to make units of a tap costs and tells, from the rows of `-d rate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from s3prl_plugin.results import Row
from s3prl_plugin.strides import Stride

CONTENT = {"rate_phone": "phones", "rate_word": "words", "rate_speaker": "speakers"}
ERROR = "rate_mel"
MEASURES = ("rate_bits", *CONTENT, ERROR)
ENOUGH = 0.9  # of what the best one tells


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One way to make units of one tap of one model.

    Attributes:
        series: the model and the kind of units: "hqa_tiny, codes", "mr_hubert_base, k-means".
        tap, tap_index, stride: of the tap.
        units: "codes", "k-means 100".
        bits_per_s: nominal.
        entropy_bits_per_s: by the units' frequencies.
        rows: measure -> its headline row.
    """

    series: str
    tap: str
    tap_index: int
    stride: Stride
    units: str
    bits_per_s: float
    entropy_bits_per_s: float | None
    rows: dict[str, Row] = field(default_factory=dict)

    def value(self, measure: str) -> float | None:
        """What it tells; None where that was refused or not asked."""
        row = self.rows.get(measure)
        return None if row is None else row.value

    @property
    def name(self) -> str:
        """The model, the tap and the units."""
        model, _, _ = self.series.rpartition(", ")
        return f"{model} {self.tap} ({self.units})"


def points(rows: Iterable[Row], names: dict[str, str] | None = None) -> list[Point]:
    """The points of one corpus, by model, kind of units, and bits.

    Args:
        rows: of any analyses; those of others are passed over.
        names: identity of a model -> how it is called; see `model_of`.
    """
    grouped: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        if row.measure in MEASURES and row.headline and row.tap is not None and row.units is not None:
            grouped.setdefault((model_of(row), row.tap, row.units), []).append(row)
    found = []
    for (model, tap, units), mine in grouped.items():
        known = [row for row in mine if row.number("bits_per_s") is not None]
        if not known:
            continue
        entropies = [each for row in known if (each := row.number("entropy_bits_per_s")) is not None]
        found.append(
            Point(
                series=f"{(names or {}).get(model, model)}, {units.partition(' ')[0]}",
                tap=tap,
                tap_index=known[0].tap_index or 0,
                stride=known[0].stride or 0,
                units=units,
                bits_per_s=known[0].number("bits_per_s") or 0.0,
                entropy_bits_per_s=entropies[0] if entropies else None,
                rows={row.measure: row for row in mine},
            )
        )
    return sorted(found, key=lambda each: (each.series, each.tap_index, each.bits_per_s))


def model_of(row: Row) -> str:
    """What tells models apart: the entry with its options, and the checkpoint."""
    return f"{row.upstream} {row.weights_digest[:8]}" if row.weights_digest else row.upstream


def best(found: Sequence[Point], measure: str) -> Point | None:
    """The point that tells most; None where none tells anything."""
    valued = [each for each in found if each.value(measure) is not None]
    return max(valued, key=lambda each: each.value(measure) or 0.0, default=None)


def cheapest(found: Sequence[Point], measure: str) -> Point | None:
    """The cheapest point, by entropy, that tells nine tenths of what the best one tells."""
    top = best(found, measure)
    least = ENOUGH * ((top and top.value(measure)) or 0.0)
    enough = [each for each in found if (each.value(measure) or 0.0) >= least > 0 and each.entropy_bits_per_s]
    return min(enough, key=lambda each: each.entropy_bits_per_s or 0.0, default=None)


def frontier(found: Sequence[Point], measure: str) -> list[Point]:
    """The points of one series that no cheaper one of it outdoes, from the cheapest on."""
    best_so_far, kept = float("-inf"), []
    valued = [each for each in found if each.value(measure) is not None and each.entropy_bits_per_s]
    for each in sorted(valued, key=lambda each: (each.entropy_bits_per_s or 0.0, -(each.value(measure) or 0.0))):
        if (each.value(measure) or 0.0) > best_so_far:
            best_so_far = each.value(measure) or 0.0
            kept.append(each)
    return kept
