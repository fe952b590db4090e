"""What the user can mend: an error that is printed as one line."""

import difflib
import traceback
from collections.abc import Iterable
from itertools import dropwhile

TRACEBACK = "Traceback (most recent call last):"


class UserError(ValueError):
    """A mistake in what the user gave: a file, an option, a name.

    The message is one line that names the thing, what is wrong with it and what to do. Commands print it without a
    traceback and exit with status 2; in a program it is an ordinary ValueError.

    Args:
        message: line breaks in it, which come from what it quotes, become spaces; see `one_line`.
    """

    def __init__(self, message: str = ""):
        super().__init__(one_line(str(message)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of an error message for an unknown `name`: the closest known one, or all of them when few."""
    known = sorted(set(known))
    close = difflib.get_close_matches(str(name), known, n=3, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    if 0 < len(known) <= 12:
        return "known: " + ", ".join(known)
    return f"{len(known)} names are known"


def one_line(message: str) -> str:
    """An error's message in one line; of one that comes from a data loader's process, the error's own."""
    lines = message.splitlines()
    heads = [number for number, line in enumerate(lines) if line.endswith(TRACEBACK)]  # torch's has a word before it
    if heads:
        calls = lines[heads[-1] + 1 :]
        lines = list(dropwhile(lambda line: line.startswith(" "), calls)) or lines
    told = " ".join(line.strip() for line in lines if line.strip()) or message
    return told.removeprefix(f"{UserError.__module__}.{UserError.__qualname__}: ")


def reason(error: BaseException) -> str:
    """Why something failed, in one line; of an error that says nothing, what it is and where it was raised."""
    message = one_line(str(error))
    if isinstance(error, UserError) or TRACEBACK in str(error):  # what comes with a traceback has its kind in its line
        return message
    kind = type(error).__name__
    if message:
        return f"{kind}: {message}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{kind} in {frames[-1].filename}, line {frames[-1].lineno}" if frames else kind
