"""Draws that depend on names and a seed alone: not on batches, on order, or on what else is drawn."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np


def stream(seed: int, *names: object) -> np.random.Generator:
    """A random generator of its own for what `names` name.

    Drawing more or less elsewhere never shifts what is drawn here.

    Args:
        seed: of the run.
        names: what is drawn, for instance a measure and a label.
    """
    return np.random.default_rng([seed, *(zlib.crc32(str(name).encode("utf-8")) for name in names)])


def spread(group: np.ndarray, limit: int | None, generator: np.random.Generator) -> np.ndarray:
    """At most `limit` of the items, at random, as evenly over their groups as the groups allow.

    A smaller limit gives a subset of what a larger one gives.

    Args:
        group: (N,) integers, such as the fold of every item.
        limit: how many to take; None takes all.
        generator: decides which.

    Returns:
        (min(N, limit),) indices in increasing order.
    """
    if limit is None or limit >= len(group):
        return np.arange(len(group))
    return np.sort(in_turns(group, generator)[:limit])


def in_turns(group: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(N,) the indices of all items at random, one of each group in turn."""
    shuffled = generator.permutation(len(group))
    turn = np.empty(len(group), dtype=np.int64)
    for g in np.unique(group):
        mine = shuffled[group[shuffled] == g]
        turn[mine] = np.arange(len(mine))
    return shuffled[np.argsort(turn[shuffled], kind="stable")]


def deal(amount: Sequence[float], folds: int, generator: np.random.Generator) -> np.ndarray:
    """Deal items to folds: equal numbers of them, and amounts as equal as rounds of dealing allow.

    Items come in random order, `folds` at a time; of each round the largest goes to the fold that has least.

    Args:
        amount: (N,) how much every item weighs, such as a speaker's seconds of speech.
        folds: how many folds.
        generator: decides the order.

    Returns:
        (N,) the fold of every item.
    """
    amounts = np.asarray(amount, dtype=np.float64)
    total = np.zeros(folds)
    fold = np.empty(len(amounts), dtype=np.int64)
    order = generator.permutation(len(amounts))
    for start in range(0, len(order), folds):
        dealt = order[start : start + folds]
        dealt = dealt[np.argsort(-amounts[dealt], kind="stable")]
        receivers = np.argsort(total, kind="stable")[: len(dealt)]
        fold[dealt] = receivers
        total[receivers] += amounts[dealt]
    return fold
