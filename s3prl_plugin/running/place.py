"""Where a suite is, as told by the progress bars that it shows, in a line."""

from __future__ import annotations

from dataclasses import dataclass, field

from s3prl_plugin.jobs.durations import about, clock

STEPS, EPOCH = "overall", "train"  # what s3prl's runner calls its bars


@dataclass(slots=True)
class Pace:
    """One count, such as a task's steps, and how fast it goes.

    How long the first step took is left out, since models and data are set up before it; so are the steps of an
    earlier run with which a count may begin.

    Attributes:
        done, total: where it stands.
    """

    done: float = 0
    total: float | None = None
    _first: tuple[float, float] | None = None  # the count when it was first seen to move, and when that was
    _last_s: float = 0.0

    def see(self, done: float, total: float | None, now_s: float) -> None:
        """Take in where it stands at a time."""
        if self._first is None and done > 0:
            self._first = (done, now_s)
        self.done, self.total, self._last_s = done, total, now_s

    def each_s(self) -> float | None:
        """The mean time of a step; None where none has been timed."""
        if self._first is None or self.done <= self._first[0]:
            return None
        return (self._last_s - self._first[1]) / (self.done - self._first[0])

    def left_s(self) -> float | None:
        """How long the rest takes at this pace; None where that is not known."""
        each_s = self.each_s()
        if self.total is None or each_s is None:
            return None
        return max(0.0, self.total - self.done) * each_s


@dataclass(slots=True)
class _Parts:
    """A task's parts: the one that runs, how many there are, and how long the others took."""

    name: str
    number: int
    count: int
    began_s: float
    took_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class SuitePlace:
    """Where a suite is.

    Attributes:
        others_s: how long what comes after the present thing will take; None where that is not known, or nothing comes.
    """

    others_s: float | None = None
    _name: str = ""
    _parts: _Parts | None = None
    _steps: Pace | None = None
    _other: tuple[str, Pace] | None = None

    def begin(self, name: str, others_s: float | None = None) -> None:
        """Something begins."""
        self._name, self.others_s = name, others_s
        self._parts = self._steps = self._other = None

    def begin_part(self, name: str, number: int, count: int, now_s: float) -> None:
        """A part of the task begins, the `number`th of `count`."""
        before = self._parts
        took_s = [*before.took_s, now_s - before.began_s] if before else []
        self._parts = _Parts(name, number, count, now_s, took_s)
        self._steps = self._other = None

    def see(self, bar: str, done: float, total: float | None, now_s: float) -> None:
        """Take in a progress bar."""
        if bar == STEPS:
            if self._steps is None or done < self._steps.done:
                self._steps = Pace()
            moved = done > self._steps.done
            self._steps.see(done, total, now_s)
            if moved:
                self._other = None
        elif bar != EPOCH:
            if self._other is None or self._other[0] != bar or done < self._other[1].done:
                self._other = (bar, Pace())
            self._other[1].see(done, total, now_s)

    def left_s(self, now_s: float) -> float | None:
        """How long the present thing still takes; None where that is not known."""
        if self._steps is not None and self._steps.done != self._steps.total:
            left_s, step_s = self._steps.left_s(), self._steps.each_s()
            if left_s is None or step_s is None or self._parts is None:
                return left_s
            return left_s + (self._parts.count - self._parts.number) * step_s * (self._steps.total or 0)
        if self._parts is not None:
            if not self._parts.took_s:
                return None
            mean_s = sum(self._parts.took_s) / len(self._parts.took_s)
            to_do = self._parts.count - self._parts.number + 1
            return max(0.0, to_do * mean_s - (now_s - self._parts.began_s))
        return self._other[1].left_s() if self._other is not None else None

    def text(self, now_s: float) -> str:
        """The line."""
        said = []
        if self._parts is not None:
            said.append(f"{self._parts.name} ({self._parts.number} of {self._parts.count})")
        if self._steps is not None:
            said.append(f"step {_of(self._steps)}")
        if self._other is not None and self._other[1].done != self._other[1].total:
            said.append(f"{self._other[0]} {_of(self._other[1])}")
        left_s = self.left_s(now_s)
        if left_s is not None and left_s >= 1:
            said.append(f"{clock(left_s)} left")
        text = f"{self._name}: {', '.join(said)}" if said else self._name
        if self.others_s and left_s is not None:
            text += f" · suite: about {about(left_s + self.others_s)} left"
        return text


def _of(pace: Pace) -> str:
    """Where a count stands; of bytes, in mega."""
    done, total = (f"{n:g}" if n < 1e6 else f"{n / 1e6:.0f}M" for n in (pace.done, pace.total or 0))
    return f"{done}/{total}" if pace.total else done
