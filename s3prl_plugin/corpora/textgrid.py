"""Praat TextGrids: interval tiers as segments."""

from __future__ import annotations

import re
from collections.abc import Iterator
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


def read(path: Path) -> dict[str, list[Segment]]:
    """The interval tiers of a TextGrid, long or short format.

    Args:
        path: text in UTF-8 or UTF-16.

    Returns:
        Tier name -> its intervals, those with empty labels too. Of tiers with one name, the first.

    Raises:
        ValueError: it is not a TextGrid, or it ends too early.
        OSError: it cannot be read.
    """
    raw = path.read_bytes()
    tokens = _tokens(raw.decode(_BYTE_ORDER_MARKS.get(raw[:2], "utf-8")))
    try:
        return _tiers(tokens)
    except StopIteration:
        raise ValueError(f"{path}: it ends too early") from None


def _tokens(text: str) -> Iterator[str | float]:
    """What stands free in a file: texts and flags as strings, numbers as floats."""
    for match in _TOKEN.finditer(text):
        if match["text"] is not None:
            yield match["text"].replace('""', '"')
        elif match["number"] is not None:
            yield float(match["number"])
        elif match["flag"] is not None:
            yield f"<{match['flag']}>"


def _tiers(tokens: Iterator[str | float]) -> dict[str, list[Segment]]:
    """The tiers, after the header `"ooTextFile" "TextGrid" xmin xmax <exists> how-many`."""
    if next(tokens) != "ooTextFile" or next(tokens) != "TextGrid":
        raise ValueError("not a TextGrid")
    _number(tokens), _number(tokens)
    if next(tokens) != "<exists>":
        return {}
    tiers: dict[str, list[Segment]] = {}
    for _ in range(int(_number(tokens))):
        kind, name = _text(tokens), _text(tokens)
        _number(tokens), _number(tokens)
        count = int(_number(tokens))
        if kind == "IntervalTier":
            intervals = [(_number(tokens), _number(tokens), _text(tokens)) for _ in range(count)]
            tiers.setdefault(name, [Segment(label.strip(), start, end) for start, end, label in intervals])
        elif kind == "TextTier":
            for _ in range(count):
                _number(tokens), _text(tokens)
        else:
            raise ValueError(f"{kind!r} is not a kind of tier")
    return tiers


def _number(tokens: Iterator[str | float]) -> float:
    """The next token, a number."""
    token = next(tokens)
    if isinstance(token, str):
        raise ValueError(f"{token!r} where a number should be")
    return token


def _text(tokens: Iterator[str | float]) -> str:
    """The next token, a text."""
    token = next(tokens)
    if not isinstance(token, str):
        raise ValueError(f"{token} where a text should be")
    return token
