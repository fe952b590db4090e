"""What a user sees while a suite runs: one line that says where it is and how long it still takes.

    [3/10] KS: step 120/150, 0:42 left · suite: about 11 min left

On a terminal tqdm draws the line in place; elsewhere a plain line is printed now and then. What is being done is read
off the progress bars that s3prl and the analyses have anyway, which are not drawn meanwhile.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.running.log import Log
from s3prl_plugin.running.place import SuitePlace

DRAWN_S = 0.2  # from one drawing of the line to the next
PLAIN_S = 10.0  # the same where lines are printed
LOGGED_S = 30.0  # from one line of a bar in the log to the next

_draw = tqdm.display


class _Line(tqdm):
    """The line itself, which is drawn while other bars are not."""

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        return _draw(self, msg, pos)


class Progress:
    """Shows where a suite is; inside the block, what is printed goes to its log.

    Args:
        expdir: the folder of the run, which gets the log.

    Attributes:
        log: the log.
    """

    def __init__(self, expdir: str | Path):
        self.log = Log.of_run(expdir, self.show)
        self._shown = int(os.environ.get("RANK", 0)) == 0  # of several processes one speaks to the user
        self._place = SuitePlace()
        self._line: _Line | None = None
        self._drawn_s = self._logged_s = -PLAIN_S
        self._stack = ExitStack()

    def __enter__(self) -> Progress:
        with ExitStack() as stack:
            self._output, self._terminal = sys.stdout, sys.stderr
            stack.enter_context(self.log)
            if self._shown and self._terminal.isatty():
                # the empty bar is what makes tqdm cut the line to the terminal's width, where it has one
                form = {"bar_format": "{desc}{bar:0}", "dynamic_ncols": _width(self._terminal) > 0}
                self._line = stack.enter_context(_Line(file=self._terminal, leave=False, **form))
            seen = self._see
            stack.enter_context(replaced(tqdm, display=lambda bar, *_, **__: seen(bar)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)
        self._line = None

    def begin(self, name: str, others_s: float | None = None) -> None:
        """Something begins; `others_s` is how long what comes after it will take, in seconds, where that is known."""
        with tqdm.get_lock():
            self._place.begin(name, others_s)
            self._draw(at_once=True)

    def part(self, name: str, number: int, count: int) -> None:
        """A part of it begins, the `number`th of `count`."""
        with tqdm.get_lock():
            self._place.begin_part(name, number, count, time.monotonic())
            self._draw(at_once=True)

    def say(self, text: str) -> None:
        """Tell the user, and the log."""
        self.log.write(text)
        self.show(text, self._output)

    def show(self, line: str, terminal: TextIO) -> None:
        """Show a line, above the status line, on the terminal's standard output or error."""
        if not self._shown:
            return
        with tqdm.get_lock():
            if self._line is not None:
                self._line.clear()
            print(line, file=terminal, flush=True)
            if self._line is not None:
                self._line.refresh()

    def _see(self, bar: tqdm) -> bool:
        """A bar would be drawn."""
        now_s = time.monotonic()
        self._place.see(bar.desc or bar.unit, bar.n, bar.total, now_s)
        if now_s - self._logged_s > LOGGED_S and bar.n:
            self._logged_s = now_s
            self.log.write(str(bar))
        self._draw()
        return True

    def _draw(self, at_once: bool = False) -> None:
        """Draw the line, if it is time or wanted `at_once`, or print it, if it is time."""
        now_s = time.monotonic()
        every_s = PLAIN_S if self._line is None else 0.0 if at_once else DRAWN_S
        if not self._shown or now_s - self._drawn_s < every_s:
            return
        self._drawn_s = now_s
        text = self._place.text(now_s)
        if self._line is None:
            print(text, file=self._terminal, flush=True)
        else:
            self._line.set_description_str(text)


def _width(terminal: TextIO) -> int:
    """The columns of a terminal; 0 where it does not say."""
    try:
        return os.get_terminal_size(terminal.fileno()).columns
    except (OSError, ValueError):
        return 0
