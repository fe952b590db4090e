"""ABX: is a token x nearer to a token a of its own label than to a token b of another?

    within speakers    a, b and x are of one speaker; a and x are different tokens of one label
    across speakers    a and b are of one speaker, x is of another

and in the context tasks all three have the same neighbours besides. The error of a triplet is 1 where d(x, a) is above
d(x, b), 1/2 where both are equal, else 0. A cell holds the triplets of an ordered pair of labels, a speaker, a speaker
of x and a context; its score is their mean error.

Reference:
    Schatz et al. 2013, "Evaluating speech features with the Minimal-Pair ABX task", Interspeech; levels of the mean as
    in fastabx and ZeroSpeech.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis.tokens.distances import Block
from s3prl_plugin.analysis.tokens.drawing import hashed

WITHIN, ACROSS = SPEAKER = ("within", "across")


@dataclass(frozen=True, eq=False)
class Tokens:
    """What is known of tokens; all as numbers.

    Attributes:
        label, speaker: (N,).
        context: (N,) what the neighbours are; all equal where that is to play no part.
    """

    label: np.ndarray
    speaker: np.ndarray
    context: np.ndarray


@dataclass(frozen=True, eq=False)
class Comparisons:
    """A block of distances, and which cells it fills.

    Attributes:
        block: rows x, and columns a and b, the columns by label.
        labels, edges: of the columns: the label that starts at every edge.
        rows: (label, speaker of x, slice of rows) of the x that belong together.
        speaker, context: of the columns.
    """

    block: Block
    labels: np.ndarray
    edges: np.ndarray
    rows: tuple[tuple[int, int, slice], ...]
    speaker: int
    context: int


@dataclass(frozen=True, eq=False)
class Cells:
    """The score of every cell.

    Attributes:
        a, b: (C,) labels.
        speaker, other: (C,) of a and b, and of x; the same within speakers.
        context: (C,).
        score: (C,) mean error of the triplets.
        triplets: (C,) how many.
    """

    a: np.ndarray
    b: np.ndarray
    speaker: np.ndarray
    other: np.ndarray
    context: np.ndarray
    score: np.ndarray
    triplets: np.ndarray

    def __len__(self) -> int:
        """The number of cells."""
        return len(self.score)

    @property
    def weighted(self) -> float:
        """The error of all triplets alike; NaN without cells."""
        return float(self.score @ self.triplets / self.triplets.sum()) if len(self) else np.nan

    def weighted_without(self, who: int) -> float:
        """The same without the cells of a speaker, whether of a and b or of x."""
        kept = self.triplets * ((self.speaker != who) & (self.other != who))
        return float(self.score @ kept / kept.sum()) if kept.any() else np.nan

    def errors_without(self, speakers: Sequence[int]) -> tuple[float, np.ndarray]:
        """The mean by levels, of all cells and without each speaker in turn.

        Unweighted at every level: over the cells of a pair of labels and a speaker, over speakers, over label pairs.

        Args:
            speakers: numbers.

        Returns:
            error: of all cells.
            without: (S,) without those of each speaker, whether of a and b or of x; NaN where no cell is left.
        """
        by_pair, pair = np.unique(np.stack([self.a, self.b]), axis=1, return_inverse=True)
        by_speaker, inner = np.unique(np.stack([pair.ravel(), self.speaker]), axis=1, return_inverse=True)
        levels = [(inner.ravel(), by_speaker.shape[1]), (by_speaker[0], by_pair.shape[1])]
        every = np.ones(len(self))
        without = [
            _mean_by_levels(self.score, ((self.speaker != s) & (self.other != s)).astype(float), levels)
            for s in speakers
        ]
        return _mean_by_levels(self.score, every, levels), np.array(without)

    @property
    def error(self) -> float:
        """The mean by levels; NaN without cells."""
        return self.errors_without(())[0]


def comparisons(tokens: Tokens, speaker: str, x_speakers: int | None = None, seed: int = 0) -> list[Comparisons]:
    """All blocks of distances of a task.

    Args:
        tokens: that take part.
        speaker: "within" or "across".
        x_speakers: across speakers, at most so many speakers of x for every label, speaker and context of a; None: all.
        seed: decides which.
    """
    groups: dict[tuple[int, int], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    said: dict[tuple[int, int], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (label, who, context) in enumerate(
        zip(tokens.label.tolist(), tokens.speaker.tolist(), tokens.context.tolist(), strict=True)
    ):
        groups[who, context][label].append(i)
        said[label, context][who].append(i)
    found = []
    for (who, context), by_label in sorted(groups.items()):
        if len(by_label) < 2:
            continue
        rows: list[tuple[int, int, list[int]]] = []
        for label, mine in sorted(by_label.items()):
            if speaker == WITHIN:
                rows += [(label, who, mine)] if len(mine) > 1 else []
            else:
                others = _drawn(said[label, context], who, x_speakers, seed, (label, who, context))
                rows += [(label, other, said[label, context][other]) for other in others]
        if rows:
            found.append(_block(by_label, rows, who, context))
    return found


def cells(found: Sequence[Comparisons], distances: Iterator[np.ndarray], shuffle: int | None = None) -> Cells:
    """The scores of all cells.

    Args:
        found: of the task.
        distances: (R, C) of every block, NaN for a token with itself.
        shuffle: exchange the labels of a and b among the tokens of a block at random with this seed: a score by chance.
    """
    return tables(found, distances, [shuffle])[0]


def tables(
    found: Sequence[Comparisons], distances: Iterator[np.ndarray], shuffles: Sequence[int | None]
) -> list[Cells]:
    """The same for several seeds (None: with the true labels), while the distances of each block are at hand."""
    parts: list[list[np.ndarray]] = [[] for _ in shuffles]
    for number, (each, matrix) in enumerate(zip(found, distances, strict=True)):
        for part, seed in zip(parts, shuffles, strict=True):
            if seed is None:
                part.append(_scores(each, matrix))
            else:
                order = np.random.default_rng([seed, number]).permutation(matrix.shape[1])
                part.append(_scores(each, matrix[:, order]))
    columns = [np.concatenate(part, axis=1) if part else np.zeros((7, 0)) for part in parts]
    return [_cells(each) for each in columns]


def _cells(columns: np.ndarray) -> Cells:
    """Of (7, C) columns as numbers of one kind."""
    a, b, speaker, other, context, triplets = (columns[i].astype(np.int64) for i in (0, 1, 2, 3, 4, 6))
    return Cells(a, b, speaker, other, context, columns[5], triplets)


def triplets(found: Sequence[Comparisons]) -> int:
    """How many triplets a task has."""
    total = 0
    for each in found:
        size = dict(zip(each.labels.tolist(), np.diff(np.append(each.edges, len(each.block[1]))).tolist(), strict=True))
        for label, other, rows in each.rows:
            of_a = size[label] - (other == each.speaker)
            total += (rows.stop - rows.start) * of_a * (len(each.block[1]) - size[label])
    return total


def _block(
    by_label: Mapping[int, list[int]], rows: Sequence[tuple[int, int, list[int]]], who: int, context: int
) -> Comparisons:
    """One block, its columns by label and its rows by label and speaker."""
    labels = sorted(by_label)
    columns = np.concatenate([by_label[label] for label in labels])
    edges = np.cumsum([0, *(len(by_label[label]) for label in labels)])[:-1]
    ends = np.cumsum([len(each[2]) for each in rows])
    slices = [slice(int(end) - len(each[2]), int(end)) for each, end in zip(rows, ends, strict=True)]
    groups = tuple((label, other, where) for (label, other, _), where in zip(rows, slices, strict=True))
    block = np.concatenate([each[2] for each in rows]), columns
    return Comparisons(block, np.array(labels), edges, groups, who, context)


def _drawn(said: Mapping[int, list[int]], who: int, most: int | None, seed: int, key: tuple[int, ...]) -> list[int]:
    """The speakers of x."""
    others = sorted(other for other in said if other != who)
    if most is None or len(others) <= most:
        return others
    order = hashed(seed, [(*key, other) for other in others])
    return sorted(others[i] for i in np.argsort(order, kind="stable")[:most])


def _scores(each: Comparisons, matrix: np.ndarray) -> np.ndarray:
    """(7, C) of the cells of one block: a, b, speaker, other, context, score, triplets."""
    found = []
    there = ~np.isnan(matrix)
    sizes = np.diff(np.append(each.edges, matrix.shape[1]))
    own = slice(None)
    for label, other, rows in each.rows:
        place = int(np.searchsorted(each.labels, label))
        own = slice(each.edges[place], each.edges[place] + sizes[place])
        near, far = matrix[rows, own, None], matrix[rows, None]
        wrong = (near > far).sum(axis=(0, 1)) + 0.5 * (near == far).sum(axis=(0, 1))
        count = there[rows, own].sum(axis=1) @ there[rows].astype(np.int64)
        wrong, count = np.add.reduceat(wrong, each.edges), np.add.reduceat(count, each.edges)
        kept = (count > 0) & (each.labels != label)
        cell = np.empty((7, int(kept.sum())))
        cell[:] = np.array([label, 0, each.speaker, other, each.context, 0, 0])[:, None]
        cell[1], cell[5], cell[6] = each.labels[kept], wrong[kept] / count[kept], count[kept]
        found.append(cell)
    return np.concatenate(found, axis=1)


def _mean_by_levels(score: np.ndarray, kept: np.ndarray, levels: Sequence[tuple[np.ndarray, int]]) -> float:
    """The mean of means; `kept` is 0 for what takes no part."""
    for group, count in levels:
        number = np.bincount(group, kept, count)
        total = np.bincount(group, kept * score, count)
        score, kept = total / np.maximum(number, 1), (number > 0).astype(float)
    return float(score @ kept / kept.sum()) if kept.any() else np.nan
