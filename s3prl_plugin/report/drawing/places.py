"""Where taps stand along a chart (in execution order, or by relative depth), and what each mark there says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from s3prl_plugin.inference.state_taps import is_output, states
from s3prl_plugin.report.drawing.palette import resolution
from s3prl_plugin.results import Row
from s3prl_plugin.strides import stride_number

OUTPUTS = "outputs"
MANY = 4  # blocks whose names fit above a chart in full
GAP = 0.08  # from the last state to the first output, and from one output to the next, as a part of the depth
NUMBER, UNSURE, REFUSED = "number", "unsure", "refused"
SAME = "the two sides are the same by construction"
DODGE = 0.5  # of the distance between taps: how far models stand beside each other


@dataclass(frozen=True, slots=True)
class Block:
    """Taps in a row that belong together.

    Attributes:
        label: "encoder 0", "middle", "decoder", "outputs"; "" for a network without blocks.
        resolution: such as "20 ms"; "" where its taps differ.
        start, end: on the axis.
    """

    label: str
    resolution: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Places:
    """Where every tap stands.

    Attributes:
        of: model -> tap -> place.
        names: of the taps, at the places 0, 1, ...; empty where places are depths.
        low, high: ends of the axis.
        blocks: to be shaded; empty where models have different ones.
    """

    of: Mapping[str, Mapping[str, float]]
    names: tuple[str, ...]
    low: float
    high: float
    blocks: tuple[Block, ...]

    @property
    def by_tap(self) -> bool:
        """Whether places are tap numbers, not depths."""
        return bool(self.names)

    @property
    def title(self) -> str:
        """Of the axis."""
        return "" if self.by_tap else "relative depth" + (", outputs last" if self.blocks else "")

    @property
    def ticks(self) -> list[float]:
        """Places that bear a label."""
        return [float(i) for i in range(len(self.names))] if self.by_tap else [0.0, 0.25, 0.5, 0.75, 1.0]

    @property
    def label_expression(self) -> str:
        """What Vega writes at a tick."""
        return f"{json.dumps(self.names)}[datum.value]" if self.by_tap else "datum.label"

    @property
    def lines(self) -> int:
        """How many lines of text the blocks' names take."""
        return max((bool(b.label) + bool(b.label and b.resolution) for b in self.blocks), default=0)


def places(models: Mapping[str, Sequence[Row]]) -> Places:
    """The axis for some models: their taps by name where one has all that the others have, else the relative depth.

    Args:
        models: name -> rows of one measure, a row per tap.
    """
    taps = {name: in_order(rows) for name, rows in models.items()}
    names = {model: [str(row.tap) for row in rows] for model, rows in taps.items()}
    longest = max(names, key=lambda model: len(names[model]))
    order = {tap: i for i, tap in enumerate(names[longest])}
    if not all(_is_part(own, order) for own in names.values()):
        return _by_depth(taps)
    same_rates = len({tuple(row.stride for row in rows) for rows in taps.values()}) == 1
    of = {tap: float(i) for tap, i in order.items()}
    blocks = tuple(_blocks(taps[longest], same_rates))
    return Places(dict.fromkeys(models, of), tuple(order), -0.5, len(order) - 0.5, blocks)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """One row per tap, in execution order."""
    found = {str(row.tap): row for row in rows}
    return sorted(found.values(), key=lambda row: row.tap_index if row.tap_index is not None else 0)


def _is_part(names: Sequence[str], order: Mapping[str, int]) -> bool:
    """Whether taps are among those of `order`, in that order."""
    known = [order[name] for name in names if name in order]
    return len(known) == len(names) and known == sorted(known)


def _by_depth(taps: Mapping[str, Sequence[Row]]) -> Places:
    """States from 0 to 1; outputs after them."""
    found: dict[str, dict[str, float]] = {}
    for model, rows in taps.items():
        own, outputs = states(rows), [row for row in rows if is_output(row)]
        depth = {str(row.tap): i / max(len(own) - 1, 1) for i, row in enumerate(own)}
        found[model] = {**depth, **{str(row.tap): 1 + GAP * (i + 1) for i, row in enumerate(outputs)}}
    high = max(place for own in found.values() for place in own.values())
    beyond = (Block(OUTPUTS, "", 1 + GAP / 2, high + GAP / 2),) if high > 1 else ()
    return Places(found, (), -0.03, high + GAP / 2, beyond)


def _blocks(taps: Sequence[Row], same_rates: bool) -> Iterable[Block]:
    """Taps in a row of one block."""
    names = {row.block for row in taps if row.block}
    members = [list(own) for _, own in groupby(taps, key=lambda row: OUTPUTS if is_output(row) else row.block)]
    start = 0
    for own in members:
        block = OUTPUTS if is_output(own[0]) else own[0].block
        one_rate = same_rates and len({row.stride for row in own}) == 1 and own[0].stride
        name = block_name(block, names, short=len(members) > MANY)
        yield Block(name, resolution(own[0].stride) if one_rate else "", start - 0.5, start + len(own) - 0.5)
        start += len(own)


def block_name(block: str | None, among: set[str], short: bool = False) -> str:
    """A block in words; numbered only where there are several of its kind; "enc 0" where words must be short."""
    if block == OUTPUTS:
        return "out" if short else OUTPUTS
    for start, word in (("enc", "encoder"), ("dec", "decoder"), ("mid", "middle")):
        if block is not None and block.startswith(start):
            several = sum(other.startswith(start) for other in among) > 1
            named = start if short else word
            return f"{named} {block.removeprefix(start)}" if several else named
    return block or ""


def records(models: Mapping[str, Sequence[Row]], where: Places) -> list[dict[str, Any]]:
    """One record per tap and model: what charts draw, and what a reader sees who points at a mark.

    Args:
        models: name -> rows of one measure.
        where: places of their taps.

    Returns:
        model, tap, place, block, resolution, stride, value, low, high, interval, n, per_dimension, kind, note.
    """
    found = []
    for i, (model, rows) in enumerate(models.items()):
        aside = DODGE * ((i + 0.5) / len(models) - 0.5) if where.by_tap and len(models) > 1 else 0.0
        found += [_record(model, row, where.of[model][str(row.tap)] + aside) for row in in_order(rows)]
    return found


def _record(model: str, row: Row, place: float) -> dict[str, Any]:
    """One tap."""
    bounds = row.value is not None and row.ci_low is not None and row.ci_high is not None
    return {
        "model": model,
        "tap": str(row.tap),
        "place": round(place, 4),
        "block": str(row.tap) if is_output(row) else row.block or "states",  # a line connects what follows each other
        "resolution": resolution(row.stride),
        "stride": stride_number(row.stride) if row.stride else 0,
        "value": _rounded(row.value),
        "low": _rounded(row.ci_low) if bounds else None,
        "high": _rounded(row.ci_high) if bounds else None,
        "interval": f"{row.ci_low:.3f} to {row.ci_high:.3f}" if bounds else "none",
        "n": row.n,
        "per_dimension": None if row.n_over_d is None else round(row.n_over_d, 1),
        "kind": REFUSED if row.value is None else UNSURE if row.grey or row.trivial else NUMBER,
        "note": row.refused or row.grey or (SAME if row.trivial else "–"),
    }


def _rounded(value: float | None) -> float | None:
    """Five digits are more than a reader needs, and a smaller page."""
    return None if value is None else round(value, 5)


def domain(rows: Sequence[Row]) -> list[float] | None:
    """The ends of the value axis: all numbers, their intervals and chance, with room; None where there is no number."""
    ends = [v for r in rows if r.value is not None for v in (r.value, r.ci_low, r.ci_high, r.chance) if v is not None]
    if not ends:
        return None
    low, high = min(ends), max(ends)
    room = 0.06 * (high - low) or 0.05
    return [round(low - room, 4), round(high + room, 4)]
