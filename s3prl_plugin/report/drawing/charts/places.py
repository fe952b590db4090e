"""Where taps stand along a chart: in execution order, with the network's blocks; or by relative depth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from s3prl_plugin.inference.state_taps import is_output, states
from s3prl_plugin.report.drawing.charts.palette import resolution
from s3prl_plugin.results import Row
from s3prl_plugin.strides import Stride

OUTPUTS = "outputs"
MANY = 4  # blocks whose names fit above a chart in full
GAP = 0.08  # from the last state to the first output, and from one output to the next, as a part of the depth


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
        title: of the axis.
        ticks: places that bear a label.
        label_expression: what Vega writes at a tick.
        low, high: ends of the axis.
        blocks: to be shaded; empty where models have different ones.
        by_tap: whether places are tap numbers, not depths.
    """

    of: Mapping[str, Mapping[str, float]]
    title: str
    ticks: tuple[float, ...]
    label_expression: str
    low: float
    high: float
    blocks: tuple[Block, ...]
    by_tap: bool

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
    if all(_is_part(own, order) for own in names.values()):
        return _by_tap(models, taps[longest], order, same_rates=len({_rates(rows) for rows in taps.values()}) == 1)
    return _by_depth(taps)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """One row per tap, in execution order."""
    found = {str(row.tap): row for row in rows}
    return sorted(found.values(), key=lambda row: row.tap_index if row.tap_index is not None else 0)


def _is_part(names: Sequence[str], order: Mapping[str, int]) -> bool:
    """Whether taps are among those of `order`, in that order."""
    known = [order[name] for name in names if name in order]
    return len(known) == len(names) and known == sorted(known)


def _rates(rows: Sequence[Row]) -> tuple[Stride | None, ...]:
    return tuple(row.stride for row in rows)


def _by_tap(models: Iterable[str], taps: Sequence[Row], order: Mapping[str, int], same_rates: bool) -> Places:
    """Taps by their names."""
    words = json.dumps(list(order))
    return Places(
        of={model: {tap: float(i) for tap, i in order.items()} for model in models},
        title="",
        ticks=tuple(float(i) for i in range(len(order))),
        label_expression=f"{words}[datum.value]",
        low=-0.5,
        high=len(order) - 0.5,
        blocks=tuple(_blocks(taps, same_rates)),
        by_tap=True,
    )


def _by_depth(taps: Mapping[str, Sequence[Row]]) -> Places:
    """States from 0 to 1; outputs after them."""
    found: dict[str, dict[str, float]] = {}
    for model, rows in taps.items():
        own = states(rows)
        outputs = [row for row in rows if is_output(row)]
        depth = {str(row.tap): i / max(len(own) - 1, 1) for i, row in enumerate(own)}
        found[model] = {**depth, **{str(row.tap): 1 + GAP * (i + 1) for i, row in enumerate(outputs)}}
    high = max(place for own in found.values() for place in own.values())
    beyond = (Block(OUTPUTS, "", 1 + GAP / 2, high + GAP / 2),) if high > 1 else ()
    return Places(
        of=found,
        title="relative depth" + (", outputs last" if beyond else ""),
        ticks=(0.0, 0.25, 0.5, 0.75, 1.0),
        label_expression="datum.label",
        low=-0.03,
        high=high + GAP / 2,
        blocks=beyond,
        by_tap=False,
    )


def _blocks(taps: Sequence[Row], same_rates: bool) -> list[Block]:
    """Taps in a row of one block."""
    names = {row.block for row in taps if row.block}
    members = [list(own) for _, own in groupby(taps, key=lambda row: OUTPUTS if is_output(row) else row.block)]
    found, start = [], 0
    for own in members:
        block = OUTPUTS if is_output(own[0]) else own[0].block
        rates = {row.stride for row in own}
        rate = resolution(own[0].stride) if same_rates and len(rates) == 1 and own[0].stride else ""
        name = block_name(block, names, short=len(members) > MANY)
        found.append(Block(name, rate, start - 0.5, start + len(own) - 0.5))
        start += len(own)
    return found


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
