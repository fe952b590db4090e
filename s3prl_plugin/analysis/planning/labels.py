"""Labels as views: one-hot columns, which labels can be cross-validated, and their moments per fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s3prl_plugin.analysis.planning.folds import MAX_FOLDS
from s3prl_plugin.analysis.planning.segments import Alignment
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments
from s3prl_plugin.strides import Stride

MIN_TOKENS = 2
MIN_FOLDS = 3
FEWEST_TOKENS = MAX_FOLDS + MIN_FOLDS  # spread over all folds, they still give three folds two each


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFolds:
    """A view with labels, per fold, ready to be cross-validated.

    Attributes:
        folds: joint moments; y is one-hot over `classes`.
        classes: the labels that are kept.
        kept: (N,) which rows are.
    """

    folds: list[Moments]
    classes: npt.NDArray[Any]
    kept: npt.NDArray[np.bool_]

    @property
    def k(self) -> int:
        """The number of canonical directions: one-hot columns sum to one, so there is one less than classes."""
        return len(self.classes) - 1

    @property
    def dropped(self) -> int:
        """Rows left out because their label is in too few folds."""
        return int((~self.kept).sum())


def one_hot(labels: npt.ArrayLike, classes: npt.ArrayLike) -> Array:
    """Labels as a view.

    Args:
        labels, classes: see `column_of`.

    Returns:
        (N, C) zeros and ones. Its rank after centring is C - 1, less where a class does not occur.
    """
    column = column_of(labels, classes)
    view = np.zeros((len(column), len(np.asarray(classes))))
    view[np.arange(len(column)), column] = 1.0
    return view


def column_of(labels: npt.ArrayLike, classes: npt.ArrayLike) -> npt.NDArray[np.intp]:
    """(N,) the place of every label among the classes.

    Args:
        labels: (N,) of any comparable type.
        classes: (C,) distinct; every label must be one of them.
    """
    names, labels = np.asarray(classes), np.asarray(labels)
    order = np.argsort(names, kind="stable")
    column = order[np.minimum(np.searchsorted(names, labels, sorter=order), len(names) - 1)]
    if (names[column] != labels).any():
        raise ValueError(f"label {str(labels[names[column] != labels][0])!r} is none of the {len(names)} classes")
    return column


def is_one_hot(view: npt.NDArray[Any]) -> bool:
    """Whether every row of an array (N, C) has a single one and zeros besides."""
    return bool(np.isin(view, (0, 1)).all() and (view.sum(axis=1) == 1).all())


def eligible(
    labels: npt.ArrayLike, fold: npt.ArrayLike, tokens: int = MIN_TOKENS, folds: int = MIN_FOLDS
) -> npt.NDArray[Any]:
    """The labels that can be cross-validated: with at least `tokens` rows in each of at least `folds` folds.

    So with any two folds left out, as the jackknife does, every class is in training, and no direction of the label's
    view is without data.

    Args:
        labels: (N,).
        fold: (N,) integers.

    Returns:
        The labels, sorted.
    """
    names, column = np.unique(np.asarray(labels), return_inverse=True)
    numbers, row = np.unique(np.asarray(fold), return_inverse=True)
    counts = np.zeros((len(numbers), len(names)), dtype=np.int64)
    np.add.at(counts, (row, column), 1)
    return names[(counts >= tokens).sum(axis=0) >= folds]


def labelled_folds(x: npt.ArrayLike, labels: npt.ArrayLike, fold: npt.ArrayLike, folds: int) -> LabelledFolds:
    """Joint moments of a view and its one-hot labels in every fold, over the labels that can be cross-validated.

    Args:
        x: (N, d).
        labels: (N,).
        fold: (N,) integers from 0 to folds - 1.
        folds: how many.
    """
    x, labels, fold = np.asarray(x), np.asarray(labels), np.asarray(fold)
    classes = eligible(labels, fold)
    kept = np.isin(labels, classes)
    moments = []
    for number in range(folds):
        rows = kept & (fold == number)
        moments.append(label_moments(x[rows], labels[rows], classes))
    return LabelledFolds(moments, classes, kept)


def label_moments(
    x: npt.ArrayLike,
    labels: npt.ArrayLike,
    classes: Sequence[Any] | npt.NDArray[Any],
    view: ViewMoments | None = None,
) -> Moments:
    """The joint moments of rows and their one-hot labels; the labels' own are exact, from counts.

    Args:
        x: (n, d).
        labels: (n,), each one of `classes`.
        classes: (C,).
        view: the moments of x, where they are known already.
    """
    number = column_of(labels, classes)
    counts = np.bincount(number, minlength=len(classes)).astype(np.float64)
    n = len(number)
    view = view or ViewMoments.of(x)
    mean = counts / max(n, 1)
    scatter = np.diag(counts) - np.outer(counts, mean)
    order = np.argsort(number, kind="stable")
    present, starts = np.unique(number[order], return_index=True)
    sums = np.zeros((view.dim, len(counts)))
    if n:
        centred = np.asarray(x, dtype=np.float64)[order] - view.mean
        sums[:, present] = np.add.reduceat(centred, starts, axis=0).T
    return Moments(view, ViewMoments(n, mean, scatter), sums)


def quantile_of(duration: np.ndarray, parts: int = 10) -> np.ndarray:
    """(n,) which of `parts` equal parts of the durations each one is in, from 0; fewer where many durations are equal.

    The decile of the log duration is that of the duration. An alignment's durations are coarse; equal ones are never
    divided.
    """
    edges = np.quantile(duration, np.arange(1, parts) / parts) if len(duration) else np.zeros(0)
    return np.searchsorted(np.unique(edges), duration, side="left")


def cell_centres(cell: np.ndarray, stride: Stride) -> np.ndarray:
    """(n,) the centres of some cells, in half samples: whole numbers where the stride is one.

    Cell i stands for the samples [i stride, (i + 1) stride); its centre is (i + 1/2) stride. The centre of one of a
    stride that is a fraction is rounded once, which moves none to or over a whole number of half samples.

    Args:
        cell: (n,) their numbers.
        stride: of the cells, in samples.
    """
    centres = (2 * cell + 1) * stride.numerator
    return centres if stride.denominator == 1 else centres / stride.denominator


def segment_at(alignment: Alignment, utterance: np.ndarray, half_samples: np.ndarray) -> np.ndarray:
    """The segment that every moment lies in.

    Args:
        alignment: all phones or words of the corpus.
        utterance: (n,) positions in the corpus.
        half_samples: (n,) moments, in half samples from the start of the utterance.

    Returns:
        (n,) positions in `alignment`: start <= moment < end, the one that starts last where several do; -1 for none.
    """
    found = np.full(len(utterance), -1)
    for position in np.unique(utterance):
        start, stop = alignment.offsets[position : position + 2]
        if start == stop:
            continue
        mine = np.flatnonzero(utterance == position)
        moment = half_samples[mine, None]
        inside = (moment >= 2 * alignment.start[start:stop]) & (moment < 2 * alignment.end[start:stop])
        last = stop - 1 - inside[:, ::-1].argmax(axis=1)
        found[mine] = np.where(inside.any(axis=1), last, -1)
    return found
