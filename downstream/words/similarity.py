"""Whether what is rated similar is near: ratings of pairs from a file, and their correlation with cosine similarity."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy.stats

from s3prl_plugin.errors import UserError

Rated = tuple[str, str, float]


def mean_vectors(rows: np.ndarray, names: Sequence[str], kept: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> the mean of its rows.

    Args:
        rows: (N, D).
        names: of every row.
        kept: (N,) which take part.
    """
    which = np.flatnonzero(kept)
    known, number = np.unique(np.asarray(names, dtype=str)[which], return_inverse=True)
    sums = np.zeros((len(known), rows.shape[1]))
    np.add.at(sums, number, rows[which])
    return dict(zip(known.tolist(), sums / np.bincount(number)[:, None], strict=True)) if len(which) else {}


def of_words(pairs: Sequence[Rated], vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    """(P,) the cosine similarity of the words of every pair; NaN where one is missing."""
    return np.array([_cosine(vectors[a], vectors[b]) if a in vectors and b in vectors else np.nan for a, b, _ in pairs])


def of_utterances(pairs: Sequence[Rated], unit: np.ndarray, said: Mapping[str, Sequence[int]]) -> np.ndarray:
    """(P,) the mean cosine similarity of all utterances of one side with all of the other; NaN where one is missing.

    Args:
        pairs: of names.
        unit: (N, D) a vector of length 1 for every utterance.
        said: name -> its rows.
    """
    found = []
    for a, b, _ in pairs:
        one, other = list(said.get(a, ())), list(said.get(b, ()))
        found.append(float((unit[one] @ unit[other].T).mean()) if one and other else np.nan)
    return np.array(found)


def correlation(similarity: np.ndarray, ratings: np.ndarray) -> float:
    """Spearman's, over the pairs that have a similarity; NaN for fewer than three, or where either never differs."""
    known = ~np.isnan(similarity)
    similarity, ratings = similarity[known], ratings[known]
    if len(ratings) < 3 or np.ptp(ratings) == 0 or np.ptp(similarity) == 0:
        return float("nan")
    return float(scipy.stats.spearmanr(similarity, ratings).statistic)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


def read_ratings(path: str | Path, of_words: bool) -> list[Rated]:
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
