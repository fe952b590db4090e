"""Tables of word vectors in text form: GloVe, word2vec and fastText, tab-separated; compressed by gzip or not.

    GloVe       the 0.418 0.24968 -0.41242 ...
    word2vec    400000 300                          a first line with the number of words and of dimensions
                the 0.418 0.24968 -0.41242 ...
    TSV         the<TAB>0.418<TAB>0.24968 ...       no header row

Which of them a file is, its first line tells. Tables have millions of lines, so they are read line by line, and only
the words that are asked for are kept. A word is matched as it is spelled, else without regard to case, whatever the
case in the table (a corpus's words are folded: λόγοσ for λόγος); of several such spellings the one in lower case is
taken, else the first.

Reference:
    Pennington, Socher & Manning 2014, "GloVe: Global Vectors for Word Representation"; Mikolov et al. 2013, "Efficient
    Estimation of Word Representations in Vector Space" (word2vec).
"""

from __future__ import annotations

import gzip
import itertools
import math
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from s3prl_plugin.errors import UserError

GZIP = b"\x1f\x8b"
LARGE = 100_000_000  # bytes: from there on a bar shows how far reading is
LINES_A_TICK = 10_000
# no table has more; and what a word and a value can take in text
MOST_DIMENSIONS = 20_000
WORD_BYTES, VALUE_BYTES = 4096, 64


@dataclass(frozen=True)
class WordVectors:
    """The vectors of some words.

    Attributes:
        path: the table.
        dim: of the vectors.
        vectors: word, as it was asked for -> (dim,) float64.
        in_lower_case: the words that the table spells otherwise.
        lines: words in the table, all told.
    """

    path: Path
    dim: int
    vectors: dict[str, np.ndarray]
    in_lower_case: frozenset[str]
    lines: int


def read(path: str | Path, words: Collection[str], progress: bool = True) -> WordVectors:
    """Read the vectors of some words.

    Args:
        path: the table.
        words: those that are kept.
        progress: show a bar for a large table.

    Returns:
        Those of `words` that the table has.

    Raises:
        UserError: no such file; a line has not as many values as the others, or one of a kept word is no number; a kept
            word comes twice; the file is cut off.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a table of word vectors")
    table = _Table(path)
    folded = {word.casefold() for word in words}
    rows: dict[str, np.ndarray] = {}
    found_on: dict[str, int] = {}
    for line, word, values in table.entries(progress):
        if word.casefold() not in folded:
            continue
        if word in found_on:
            raise UserError(f"{path}, line {line}: {word!r} is on line {found_on[word]} already; remove one of them")
        found_on[word] = line
        rows[word] = table.numbers(line, values)
    spelled: dict[str, str] = {}
    for word in rows:
        if word == word.lower():
            spelled[word.casefold()] = word
        else:
            spelled.setdefault(word.casefold(), word)
    source = {word: word if word in rows else spelled.get(word.casefold()) for word in words}
    vectors = {word: rows[spelling] for word, spelling in source.items() if spelling is not None}
    others = frozenset(word for word, spelling in source.items() if spelling not in (None, word))
    return WordVectors(path, table.dim, vectors, others, table.count)


class _Table:
    """One pass over a table's lines.

    Attributes:
        dim: of its vectors, once the first was read.
        count: lines with a word so far.
    """

    def __init__(self, path: Path):
        self.path = path
        self.dim = 0
        self.count = 0

    def entries(self, progress: bool) -> Iterator[tuple[int, str, list[bytes]]]:
        """Line number, word and values of every entry; every line is checked for the number of its values."""
        promised: int | None = None
        tabs = False
        for number, line in self._lines(progress):
            if not line.strip():
                continue
            if not self.dim:
                tabs, fields = b"\t" in line, line.split()
                if promised is None and len(fields) == 2 and not tabs and all(field.isdigit() for field in fields):
                    promised, self.dim = int(fields[0][:20]), int(fields[1][:20])
                    if not 0 < self.dim <= MOST_DIMENSIONS:
                        raise self._error(
                            number, f"vectors of {fields[1][:20].decode()} dimensions; give another table"
                        )
                    continue
                self.dim = len(line.partition(b"\t")[2].split()) if tabs else len(fields) - 1
                if self.dim < 1:
                    raise self._error(number, "a word and no values; give a table `word value value ...`")
                self.numbers(number, line.split()[-self.dim :])
            entry = self._entry(number, line, tabs)
            self.count += 1
            if entry is not None:
                yield number, *entry
        if not self.count:
            raise UserError(f"{self.path}: no word vectors in it; give a table `word value value ...`")
        if promised is not None and promised != self.count:
            raise UserError(
                f"{self.path}: its first line promises {promised} words and there are {self.count}; "
                "the file is cut off or was changed, get it again"
            )

    def numbers(self, line: int, values: list[bytes]) -> np.ndarray:
        """The values of one word, (dim,)."""
        found = np.empty(len(values))
        for i, value in enumerate(values):
            try:
                found[i] = float(value)
            except ValueError:
                found[i] = math.nan
            if not math.isfinite(found[i]):
                what = value[:20].decode("utf-8", "replace")
                raise self._error(line, f"{what!r} is not a number; give a table in text form, without a header row")
        return found

    def _entry(self, number: int, line: bytes, tabs: bool) -> tuple[str, list[bytes]] | None:
        """A line's word and values; none for a word with spaces in it, as some GloVe tables have."""
        head, _, rest = line.partition(b"\t" if tabs else b" ")
        values = rest.split()
        if len(values) > self.dim and not tabs and not _is_number(values[-self.dim - 1]):
            return None
        if len(values) != self.dim:
            raise self._error(number, f"{len(values)} values, where {self.dim} are needed; mend or remove the line")
        return head.strip().decode("utf-8", "replace"), values

    def _lines(self, progress: bool) -> Iterator[tuple[int, bytes]]:
        """Number and content of every line."""
        from tqdm import tqdm

        size = self.path.stat().st_size
        with self.path.open("rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            file = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if packed else raw
            quiet = not progress or size < LARGE
            bar = tqdm(total=size, desc=self.path.name, unit="B", unit_scale=True, disable=quiet, dynamic_ncols=True)
            with bar:
                try:
                    for number in itertools.count(1):
                        longest = WORD_BYTES + VALUE_BYTES * (self.dim or MOST_DIMENSIONS)
                        line = file.readline(longest + 1)
                        if not line:
                            break
                        if len(line) > longest:
                            raise self._error(
                                number, f"longer than {longest} bytes; give a table `word value value ...`"
                            )
                        if number % LINES_A_TICK == 0:
                            bar.update(raw.tell() - bar.n)
                        yield number, line
                except (EOFError, OSError, zlib.error) as error:
                    raise UserError(f"{self.path}: cannot be read to its end ({error}); get it again") from None

    def _error(self, line: int, what: str) -> UserError:
        return UserError(f"{self.path}, line {line}: {what}")


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
