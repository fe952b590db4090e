import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from s3prl_plugin.analysis.planning.sampling import deal, spread, stream


def test_streams_are_reproducible_and_different():
    draws = [
        stream(1, "a", 2).integers(1 << 30),
        stream(1, "a", 2).integers(1 << 30),
        stream(1, "a", 3).integers(1 << 30),
    ]
    assert draws[0] == draws[1] != draws[2]


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 60), st.integers(0, 9))
def test_a_spread_is_as_even_as_can_be(group, limit, seed):
    group = np.array(group)
    taken = spread(group, limit, stream(seed))
    assert len(taken) == len(set(taken.tolist())) == min(limit, len(group))
    available, got = np.bincount(group, minlength=5), np.bincount(group[taken], minlength=5)
    short_of = got[got < available]  # a group that was not used up has as many as any other, or one less
    assert not len(short_of) or got.max() - short_of.min() <= 1
    assert set(taken) <= set(spread(group, limit + 3, stream(seed)))


def test_dealing_gives_equal_numbers_and_similar_amounts():
    amounts = np.random.default_rng(0).uniform(1, 3, 43)
    fold = deal(amounts, 8, stream(0))
    assert set(np.bincount(fold)) == {5, 6}
    total = np.bincount(fold, weights=amounts)
    assert total.max() < 1.35 * total.min()
