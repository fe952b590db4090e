"""Batches by duration: all utterances, little padding, the same for the same seed, alike on all processes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.batches import SPREAD, DurationBatches


def durations(count=500, seed=0):
    return np.random.default_rng(seed).gamma(4, 2, count).clip(0.5, 15.6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.025, 16), min_size=1, max_size=60), st.floats(16, 100), st.integers(0, 5))
def test_every_utterance_comes_once_and_no_batch_is_too_long(seconds, most, epoch):
    batches = DurationBatches(seconds, most)
    batches.set_epoch(epoch)
    drawn = list(batches)
    assert sorted(i for batch in drawn for i in batch) == list(range(len(seconds)))
    assert all(len(batch) * max(seconds[i] for i in batch) <= most * (1 + 1e-9) for batch in drawn)
    assert len(drawn) == len(batches)


def test_padding_is_below_a_tenth_and_batches_are_full():
    seconds = durations(3000)
    drawn = list(DurationBatches(seconds, 80, seed=3))
    padded = sum(len(batch) * seconds[batch].max() for batch in drawn)
    assert padded / seconds.sum() < SPREAD
    assert np.mean([len(batch) * seconds[batch].max() for batch in drawn]) > 0.85 * 80


def test_an_epoch_differs_from_the_next_and_not_from_itself():
    one, other = DurationBatches(durations(), 40, seed=7), DurationBatches(durations(), 40, seed=7)
    first = list(one)
    one.set_epoch(1)
    second = list(one)
    assert first == list(other)
    assert sorted(map(sorted, first)) != sorted(map(sorted, second))  # not the order alone
    assert first != list(DurationBatches(durations(), 40, seed=8))


def test_it_goes_on_at_a_position():
    batches = DurationBatches(durations(), 40, seed=1)
    batches.set_epoch(4)
    whole = list(batches)
    batches.set_epoch(4, position=9)
    assert list(batches) == whole[9:]
    assert len(batches) == len(whole)


@pytest.mark.parametrize("world", [2, 3, 7])
def test_processes_share_the_batches_of_one(world):
    alone = list(DurationBatches(durations(), 40, seed=1))
    each = [list(DurationBatches(durations(), 40, seed=1, rank=r, world=world)) for r in range(world)]
    assert {len(mine) for mine in each} == {-(-len(alone) // world)}
    in_turn = [batch for step in zip(*each, strict=True) for batch in step]
    assert in_turn[: len(alone)] == alone
    assert in_turn[len(alone) :] == alone[: len(in_turn) - len(alone)]  # what fills up comes from the front


def test_a_batch_shorter_than_an_utterance_is_refused():
    with pytest.raises(UserError, match=r"12\.00 s does not fit a batch of 10 s; .*max_sample_size"):
        DurationBatches([3, 12], 10)
