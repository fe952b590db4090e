"""Ratios of running times, of programs that were measured alternately in one process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """How to measure.

    Attributes:
        quick: a small size that proves that everything works; no bar applies to it.
        rounds: how often each program is run.
        device: "cpu", "cuda", ...
    """

    quick: bool = False
    rounds: int = 5
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many times less something costs here than there.

    Attributes:
        name: what was compared.
        value: the median over rounds.
        low, high: the extremes over rounds.
        there, here: the two costs, for reading.
        bar: what `value` is to reach; None where nothing was promised.
        note: what a reader should know besides.
    """

    name: str
    value: float
    low: float
    high: float
    there: str
    here: str
    bar: float | None = None
    note: str = ""

    @classmethod
    def once(cls, name: str, value: float, there: str, here: str, bar: float | None, note: str = "") -> Ratio:
        """A ratio that was measured in one round, without a spread."""
        return cls(name=name, value=value, low=value, high=value, there=there, here=here, bar=bar, note=note)

    @property
    def reached(self) -> bool:
        """Whether the bar is reached; always so where there is none."""
        return self.bar is None or self.value >= self.bar


def alternate(
    programs: Mapping[str, Callable[[], object]], rounds: int, wait: Callable[[], None] = lambda: None
) -> dict[str, list[float]]:
    """Run programs in turns, so that whatever else the machine does hits all of them alike.

    Args:
        programs: by name; each is run once more beforehand, which does not count.
        rounds: how often each is run.
        wait: returns when the device has done all that it was given.

    Returns:
        Per program, the seconds of every round.
    """
    for program in programs.values():
        program()
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for i in range(rounds):
        order = list(programs) if i % 2 == 0 else list(programs)[::-1]
        for name in order:
            wait()
            start = time.perf_counter()
            programs[name]()
            wait()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def of_times(name: str, there: Sequence[float], here: Sequence[float], bar: float | None, note: str = "") -> Ratio:
    """The ratio of two programs' seconds, round by round."""
    rounds = [a / b for a, b in zip(there, here, strict=True)]
    return Ratio(
        name=name,
        value=statistics.median(rounds),
        low=min(rounds),
        high=max(rounds),
        there=f"{statistics.median(there):.3g} s",
        here=f"{statistics.median(here):.3g} s",
        bar=bar,
        note=note,
    )
