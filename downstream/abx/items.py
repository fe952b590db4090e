"""ZeroSpeech's item files: one token a line, `#file onset offset #phone prev-phone next-phone speaker`.

Every field is text between spaces, never CSV: a label may begin with a quotation mark, and a speaker may be a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from s3prl_plugin import results
from s3prl_plugin.errors import UserError

HEADER = "#file onset offset #phone prev-phone next-phone speaker"
FIELDS = len(HEADER.split())
DECIMALS = 117
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,18})?([eE]-\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Item:
    """One token.

    Attributes:
        file: name of the utterance, as its features are called.
        onset, offset: seconds, exactly.
        label: phone or word.
        before, after: labels of the neighbours, "-" for words.
        speaker: who speaks.
    """

    file: str
    onset: Fraction
    offset: Fraction
    label: str
    before: str
    after: str
    speaker: str


def read(path: str | Path) -> list[Item]:
    """The tokens of an item file, in its order; columns behind the seventh are skipped.

    Raises:
        UserError: it cannot be read, is empty, or has a line that is no token.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error}); an item file is needed") from None
    if not lines or not lines[0].startswith("#file"):
        raise UserError(f"{path}: line 1 is not the header of an item file; it must be `{HEADER}`")
    found = [_item(path, number, line) for number, line in enumerate(lines[1:], 2) if line.strip()]
    if not found:
        raise UserError(f"{path}: holds no tokens below its header; a line a token is needed, as `{HEADER}`")
    return found


def write(path: str | Path, items: Iterable[Item]) -> None:
    """Write an item file, whole or not at all.

    Raises:
        UserError: a name, label or speaker has a space, or a label begins with a quotation mark, at which other tools
            go wrong.
    """
    lines = [HEADER]
    for item in items:
        names = (item.file, item.label, item.before, item.after, item.speaker)
        bad = next((name for name in names if not name or re.search(r"\s", name) or name.startswith('"')), None)
        if bad is not None:
            raise UserError(
                f"{path}: {bad!r} of utterance {item.file} cannot stand in an item file: no field may be empty, hold a "
                "space or begin with a quotation mark; rename it in the corpus"
            )
        onset, offset = (_decimal(moment) for moment in (item.onset, item.offset))
        lines.append(" ".join([item.file, onset, offset, item.label, item.before, item.after, item.speaker]))
    results.replace_file(Path(path), ("\n".join(lines) + "\n").encode())


def of_triphones(items: Sequence[Item]) -> bool:
    """Whether intervals reach over the neighbours: more than half of those that follow each other overlap."""
    ordered = sorted(items, key=lambda item: (item.file, item.onset, item.offset))
    following = [(a, b) for a, b in pairwise(ordered) if a.file == b.file and b.onset <= a.offset]
    overlapping = sum(b.onset < a.offset for a, b in following)
    return 2 * overlapping > len(items)


def _item(path: str | Path, number: int, line: str) -> Item:
    """One line."""
    parts = line.split()
    where = f"{path}, line {number}"
    if len(parts) < FIELDS:
        raise UserError(f"{where}: {len(parts)} fields, {FIELDS} needed: {HEADER}")
    file, onset, offset, label, before, after, speaker = parts[:FIELDS]
    for moment in (onset, offset):
        if not _SECONDS.fullmatch(moment):
            raise UserError(f"{where}: {moment!r} is no time in seconds from 0 on")
    start, end = Fraction(onset), Fraction(offset)
    if end < start:
        raise UserError(f"{where}: ends at {offset} s, before it begins at {onset} s")
    return Item(file, start, end, label, before, after, speaker)


def _decimal(moment: Fraction) -> str:
    """A time as a decimal number, exactly: samples of 16 kHz have seven decimals, times of item files 117 at most."""
    scaled = moment * 10**DECIMALS
    if scaled.denominator != 1:
        raise ValueError(f"{moment} s has no decimal form of {DECIMALS} places")
    whole, rest = divmod(scaled.numerator, 10**DECIMALS)
    return f"{whole}.{rest:0{DECIMALS}d}".rstrip("0").rstrip(".")
