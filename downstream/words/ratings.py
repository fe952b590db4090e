"""Files of ratings: two words, or two sentences or utterances, and how similar people find them, a line a pair."""

from __future__ import annotations

import math
from pathlib import Path

from s3prl_plugin.downstream.words.similarity import Rated
from s3prl_plugin.errors import UserError


def read(path: str | Path, of_words: bool) -> list[Rated]:
    """The pairs of a file.

    Args:
        path: three columns: of words between tabs, commas or spaces; else between tabs alone. A first line whose third
            column is no number is a header.
        of_words: in lower case then, as corpora have words.

    Raises:
        UserError: it cannot be read, has no pairs, or a line is no pair.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: these ratings cannot be read as text ({error})") from None
    found: list[Rated] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parts = _columns(line, of_words)
        rating = _number(parts[2]) if len(parts) >= 3 else None
        if rating is None:
            if number == 1 and len(parts) >= 3:
                continue
            kind = "two words and a number" if of_words else "two names and a number between tabs"
            raise UserError(f"{path}, line {number}: {line[:60]!r} is no rated pair; {kind} are needed")
        one, other = (part.lower() if of_words else part for part in parts[:2])
        found.append((one, other, rating))
    if not found:
        raise UserError(f"{path}: holds no rated pairs; a line a pair is needed: two names and a number")
    return found


def _columns(line: str, of_words: bool) -> list[str]:
    if "\t" in line or not of_words:
        return [part.strip() for part in line.split("\t")]
    return [part.strip() for part in (line.split(",") if "," in line else line.split())]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
