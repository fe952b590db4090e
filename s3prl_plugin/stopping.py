"""Signals that ask a run to stop: SIGTERM (`kill`, batch systems), SIGHUP (a terminal that is gone), Ctrl-C.

They end the program where it stands, except inside `between_steps`, where what is under way is finished and saved.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A run was asked to stop.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number

    @property
    def status(self) -> int:
        """The exit status that says so, as shells write it."""
        return 128 + self.number

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.number).name}"


class StopRequest:
    """Whether a run was asked to stop."""

    def __init__(self) -> None:
        self.number: int | None = None

    def __bool__(self) -> bool:
        return self.number is not None

    def stop(self) -> None:
        """Stop, if that was asked.

        Raises:
            Stopped: it was.
        """
        if self.number is not None:
            raise Stopped(self.number)


@contextmanager
def at_once() -> Iterator[None]:
    """Inside the block SIGTERM and SIGHUP raise `Stopped`, as Ctrl-C raises KeyboardInterrupt; once only."""

    def stop(number: int) -> None:
        for other in ENDING:
            signal.signal(other, signal.SIG_IGN)  # a second one would disturb the end
        raise Stopped(number)

    with _heard(ENDING, stop):
        yield


@contextmanager
def between_steps() -> Iterator[StopRequest]:
    """Inside the block these signals and Ctrl-C are only noted; a second Ctrl-C interrupts.

    Yields:
        What tells, between two steps, whether to save and to stop.
    """
    asked = StopRequest()

    def note(number: int) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.number = number

    with _heard((signal.SIGINT, *ENDING), note):
        yield asked


@contextmanager
def _heard(signals: Sequence[signal.Signals], act: Callable[[int], None]) -> Iterator[None]:
    """Inside the block `act` is called for these signals, in this process alone; those that are ignored stay so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    mine = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != mine:  # a process that was forked from this one ends as it would have
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        act(number)

    before = {}
    for number in signals:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
