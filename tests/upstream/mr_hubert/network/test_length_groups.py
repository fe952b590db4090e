"""The cheapest split of a batch, against all of them."""

import random

import pytest

from s3prl_plugin.upstream.mr_hubert.network.frames import length_groups


def cost(groups, lengths, overhead):
    return sum(len(group) * max(lengths[i] for i in group) + overhead for group in groups)


def partitions(items):
    """Every way to put items into groups."""
    if not items:
        yield []
        return
    first, *rest = items
    for smaller in partitions(rest):
        yield [[first], *smaller]
        for i, group in enumerate(smaller):
            yield [*smaller[:i], [first, *group], *smaller[i + 1 :]]


@pytest.mark.parametrize("seed", range(20))
def test_no_partition_is_cheaper(seed):
    generator = random.Random(seed)
    lengths = [generator.randint(1, 50) for _ in range(generator.randint(1, 7))]
    overhead = generator.choice([0, 1, 10, 100])
    groups = length_groups(lengths, overhead)
    assert sorted(i for group in groups for i in group) == list(range(len(lengths)))
    assert all(group == sorted(group) for group in groups)
    assert max(lengths[i] for i in groups[0]) == max(lengths)
    best = min(cost(groups, lengths, overhead) for groups in partitions(list(range(len(lengths)))))
    assert cost(groups, lengths, overhead) == best


def test_equal_lengths_stay_together():
    assert length_groups([5, 5, 5], 1) == [[0, 1, 2]]
    assert length_groups([7], 3) == [[0]]
