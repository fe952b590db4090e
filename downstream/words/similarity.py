"""Whether what is rated similar is near: Spearman's correlation of cosine similarity with ratings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats

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
