"""Batches of unequal lengths, split so that little time goes into padding."""

from __future__ import annotations

from collections.abc import Sequence


def length_groups(lengths: Sequence[int], overhead: int) -> list[list[int]]:
    """The split of a batch into groups of similar length that costs least.

    A group of n sequences costs n times its longest, plus a constant; sequences that are neighbours in length stay
    together, so the best split is found exactly, by dynamic programming over the sorted lengths.

    Args:
        lengths: of every sequence.
        overhead: what one more group costs, in the unit of the lengths.

    Returns:
        Positions in `lengths`, ascending within a group; the group of the longest first.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    best: list[tuple[int, int]] = [(0, 0)]  # per prefix of `order`: least cost, where its last group begins
    for end in range(1, len(order) + 1):
        costs = [(best[start][0] + (end - start) * lengths[order[start]] + overhead, start) for start in range(end)]
        best.append(min(costs))
    groups: list[list[int]] = []
    end = len(order)
    while end:
        start = best[end][1]
        groups.insert(0, sorted(order[start:end]))
        end = start
    return groups
