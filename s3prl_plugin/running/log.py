"""The log of a run: all that is printed, with the time, appended over restarts.

Standard output and standard error are replaced as Python's own objects. What a C library or a child process writes to
file descriptors 1 and 2 is not caught: it goes to the terminal, as always.
"""

from __future__ import annotations

import io
import logging
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs.process import command

FILE_NAME = "log.txt"
Show = Callable[[str, TextIO], None]
"""Shows a line to the user on one of the terminal's streams."""

_OWN = re.compile(r"\[[a-z]\w*\] ")  # what this plugin tells the user: [suite] ..., [cca] ...
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")
_REDRAWN_S = 30.0  # how often a line that redraws itself is logged


class Log:
    """A file that gets all that is printed inside the block, and what ended it.

    Args:
        path: the file, which is appended to.
        show: gets this plugin's own lines as well, as the user is to see them, and the stream that they were meant for.

    Raises:
        UserError: it cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path, show: Show):
        self.path = path
        self._show = show
        self._lock = threading.RLock()

    @classmethod
    def of_run(cls, expdir: str | Path, show: Show) -> Log:
        """The log of a run in its folder; under torchrun every process has its own."""
        rank = int(os.environ.get("RANK", 0))
        return cls(Path(expdir) / (f"log-rank{rank}.txt" if rank else FILE_NAME), show)

    def __enter__(self) -> Log:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written ({error.strerror}); choose another folder") from None
        with ExitStack() as stack:
            stack.enter_context(self._file)
            _hold(self._file, self.path)
            self._streams = [_Stream(self, sys.stdout), _Stream(self, sys.stderr)]
            stack.enter_context(_handlers_on(self._streams))
            stack.enter_context(replaced(sys, stdout=self._streams[0], stderr=self._streams[1]))
            self._stack = stack.pop_all()
        self.write(f"---- {command()}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for stream in self._streams:
            stream.finish()
        if error is not None:
            self.write("".join(traceback.format_exception(error)))
        self._stack.close()

    def write(self, text: str) -> Path:
        """Write lines, each with the time, and see to it that they are there whatever happens next; where that is."""
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = [_CONTROL.sub("", line).rstrip() for line in text.splitlines()]
        with self._lock, suppress(OSError):  # a full disk: what is being done fails where it writes, and says so
            self._file.write("".join(f"{now} {line}\n" for line in lines if line))
            self._file.flush()
        return self.path

    def take(self, text: str, stream: _Stream) -> None:
        """Take in what a stream got."""
        if self._file.closed:  # what outlives the block, such as a progress bar, may still have the stream
            stream.terminal.write(text)
            return
        with self._lock:
            lines = list(stream.lines(text))
            for line in lines:
                self.write(line)
        for line in lines:  # without the lock: `show` has one of its own, whose holder may be logging
            if _OWN.match(line):
                self._show(line, stream.terminal)


class _Stream(io.TextIOBase):
    """Stands in for sys.stdout or sys.stderr."""

    def __init__(self, log: Log, terminal: TextIO):
        self.terminal = terminal
        self._log = log
        self._begun = ""  # a line that has not ended
        self._redrawn = 0.0

    def write(self, text: str) -> int:
        self._log.take(text, self)
        return len(text)

    def lines(self, text: str) -> Iterator[str]:
        """The lines that end with this text; of one that redraws itself, its last state and now and then another."""
        *whole, begun = (self._begun + text).split("\n")
        for line in whole:
            yield _last_state(line)
        if "\r" in begun.rstrip("\r"):
            begun = _last_state(begun)
            if time.monotonic() - self._redrawn > _REDRAWN_S:
                self._redrawn = time.monotonic()
                yield begun
            begun = "\r" + begun
        self._begun = begun

    def finish(self) -> None:
        """Log the line that has not ended."""
        if self._begun.strip():
            self._log.write(_last_state(self._begun))
        self._begun = ""

    def isatty(self) -> bool:
        return self.terminal.isatty()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """The terminal's: what writes there passes by the log."""
        return self.terminal.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.terminal.encoding or "utf-8"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.terminal, name)


def _last_state(line: str) -> str:
    """What a terminal shows in the end of a line that was drawn several times."""
    return next((state for state in reversed(line.split("\r")) if state.strip()), "")


@contextmanager
def _handlers_on(streams: Sequence[_Stream]) -> Iterator[None]:
    """Inside the block handlers of `logging` that write to the terminal write to these streams."""
    moved = []
    for handler in logging.root.handlers:
        for stream in streams:
            if isinstance(handler, logging.StreamHandler) and handler.stream is stream.terminal:
                handler.setStream(stream)
                moved.append((handler, stream.terminal))
    try:
        yield
    finally:
        for handler, terminal in moved:
            handler.setStream(terminal)


def _hold(file: TextIO, path: Path) -> None:
    """Refuse a file that another run holds; the lock ends with the process, however it ends."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise UserError(f"{path.parent}: another run is at work there; wait for it, or choose another folder") from None
    except OSError:  # a file system without locks
        return
