"""Praat TextGrids: interval tiers as segments.

Praat's text formats, long and short, are read, with the header of today (`ooTextFile`) and that of older versions, FAVE
and the Penn aligner (`ooTextFile short`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from s3prl_plugin.corpora.corpus import Segment

# Praat reads only what stands free: texts in quotes, numbers and flags; all else, as `xmin =`, is for the reader.
_TOKEN = re.compile(
    r"""
    "(?P<text>(?:[^"]|"")*)"
    | (?<!\S)(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)
    | (?<!\S)<(?P<flag>\w+)>
    | (?<!\S)![^\n]*
    """,
    re.VERBOSE,
)
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb": "utf-8-sig"}
_AS_TEXT = "save it as text in Praat (Save as text file)"


class BadGrid(ValueError):
    """A TextGrid that cannot be read; the message is the cause, the same for all files with this fault."""


@dataclass(frozen=True)
class Grid:
    """What a TextGrid holds.

    Attributes:
        tiers: name of an interval tier -> its intervals, empty labels too. Of tiers with one name, the first.
        start_s, end_s: its time.
    """

    tiers: dict[str, list[Segment]]
    start_s: float
    end_s: float


def read(path: Path) -> Grid:
    """Read a TextGrid.

    Args:
        path: text in UTF-8 or UTF-16.

    Raises:
        BadGrid: it is no TextGrid in text form, or it ends too early.
        OSError: it cannot be read.
    """
    raw = path.read_bytes()
    if raw.startswith(b"ooBinaryFile"):
        raise BadGrid(f"a binary TextGrid; {_AS_TEXT}")
    try:
        text = raw.decode(_BYTE_ORDER_MARKS.get(raw[:2], "utf-8"))
    except UnicodeDecodeError:
        raise BadGrid("neither UTF-8 nor UTF-16; save it as UTF-8") from None
    if "chronological" in text[:80]:
        raise BadGrid(f"a chronological TextGrid; {_AS_TEXT}")
    if "\0" in text:
        raise BadGrid("zero bytes in it, as in UTF-16 without a byte order mark; save it as UTF-8")
    try:
        return _grid(_tokens(text))
    except StopIteration:
        raise BadGrid("a TextGrid that ends too early" if "TextGrid" in text[:200] else "not a TextGrid") from None


def _tokens(text: str) -> Iterator[str | float]:
    """What stands free in a file: texts and flags as strings, numbers as floats."""
    for match in _TOKEN.finditer(text):
        if match["text"] is not None:
            yield match["text"].replace('""', '"')
        elif match["number"] is not None:
            yield float(match["number"])
        elif match["flag"] is not None:
            yield f"<{match['flag']}>"


def _grid(tokens: Iterator[str | float]) -> Grid:
    """The tiers, after the header `"ooTextFile" "TextGrid" xmin xmax <exists> how-many`."""
    if next(tokens) not in ("ooTextFile", "ooTextFile short") or next(tokens) != "TextGrid":
        raise BadGrid("not a TextGrid")
    start, end = _number(tokens), _number(tokens)
    tiers: dict[str, list[Segment]] = {}
    if next(tokens) != "<exists>":
        return Grid(tiers, start, end)
    for _ in range(_count(tokens)):
        kind, name = _text(tokens), _text(tokens)
        _number(tokens), _number(tokens)
        count = _count(tokens)
        if kind == "IntervalTier":
            intervals = [(_number(tokens), _number(tokens), _text(tokens)) for _ in range(count)]
            tiers.setdefault(name, [Segment(label.strip(), begin, stop) for begin, stop, label in intervals])
        elif kind == "TextTier":
            for _ in range(count):
                _number(tokens), _text(tokens)
        else:
            raise BadGrid("a kind of tier that TextGrids do not have")
    return Grid(tiers, start, end)


def _count(tokens: Iterator[str | float]) -> int:
    """The next token, how many of something there are."""
    number = _number(tokens)
    if not (number.is_integer() and number >= 0):
        raise BadGrid("a number of tiers or intervals that is none")
    return int(number)


def _number(tokens: Iterator[str | float]) -> float:
    """The next token, a number."""
    token = next(tokens)
    if isinstance(token, str):
        raise BadGrid("a text where a number should be")
    return token


def _text(tokens: Iterator[str | float]) -> str:
    """The next token, a text."""
    token = next(tokens)
    if not isinstance(token, str):
        raise BadGrid("a number where a text should be")
    return token
