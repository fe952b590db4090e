"""Differences of heads' scores: their intervals against scipy's, and against how often they cover a planted truth."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.select.verify.scores import Scores, mean_of


def heads(rng, chance, labels=None):
    """Scores of heads from what they do with utterances: (S, U) probabilities of an error per label."""
    labels = np.ones(chance.shape[1]) if labels is None else labels
    errors = rng.binomial(labels.astype(int), chance)
    return Scores(1 - errors.sum(axis=1) / labels.sum(), errors.mean(axis=0), labels)


def test_over_seeds_alone_it_is_a_paired_t_interval():
    a, b = np.array([0.5, 0.6, 0.8]), np.array([0.4, 0.55, 0.6])
    found = Scores(a).less(Scores(b)).lead()
    expected = scipy.stats.ttest_rel(a, b).confidence_interval()
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx(((a - b).mean(), *expected))


def test_over_utterances_alone_it_is_that_of_agresti_and_min():
    """Two heads, the same with every seed: 9 and 3 discordant pairs of 40."""
    a = np.repeat([1.0, 0.0, 1.0, 0.0], [3, 9, 8, 20])
    b = np.repeat([0.0, 1.0, 1.0, 0.0], [3, 9, 8, 20])
    same = [Scores(np.full(3, 1 - x.mean()), x, np.ones(40)) for x in (a, b)]
    found = same[0].less(same[1]).lead()
    n, more, fewer = 42, 9.5, 3.5
    error = np.sqrt((more + fewer) / n - ((more - fewer) / n) ** 2) / np.sqrt(n)
    assert found.value == pytest.approx(6 / 40)
    assert (found.ci_high - found.ci_low) / 2 == pytest.approx(scipy.stats.t.ppf(0.975, 39) * error)


def test_heads_that_agree_on_all_of_few_utterances_may_differ_on_others():
    one = Scores(np.full(3, 1.0), np.zeros(20), np.ones(20))
    found = one.less(one).lead()
    assert found.value == 0
    assert found.ci_low < -0.05 < 0.05 < found.ci_high


@pytest.mark.parametrize("labels", [None, 30])
def test_intervals_cover_the_difference_of_all_heads_on_all_utterances(labels):
    rng = np.random.default_rng(0)
    covered, size, runs = 0, 60, 400
    for _ in range(runs):
        counts = np.ones(size) if labels is None else rng.integers(5, labels, size).astype(float)
        hard = rng.normal(0, 1, size)  # utterances are hard for both, and heads better or worse on all
        skill = [rng.normal(level, 0.3, (3, 1)) for level in (0.9, 0.4)]
        own = [rng.normal(0, 0.7, size) for _ in range(2)]
        a, b = (heads(rng, 1 / (1 + np.exp(s - hard - o)), counts) for s, o in zip(skill, own, strict=True))
        found = a.less(b).lead()
        covered += found.ci_low <= TRUTH <= found.ci_high
    assert covered / runs > 0.93


def _truth():
    rng = np.random.default_rng(1)
    levels = []
    for level in (0.9, 0.4):
        spread = np.sqrt(1 + 0.3**2 + 0.7**2)
        levels.append(np.mean(1 / (1 + np.exp(-(level + spread * rng.standard_normal(1_000_000))))))
    return levels[0] - levels[1]


TRUTH = _truth()


def test_the_mean_over_upstreams_keeps_utterances_where_they_are_the_same():
    rng = np.random.default_rng(2)
    one, other = (heads(rng, rng.random((3, 10))) for _ in range(2))
    mean = mean_of([one, other])
    assert mean.seeds == pytest.approx((one.seeds + other.seeds) / 2)
    assert mean.errors == pytest.approx((one.errors + other.errors) / 2)
    of_others = heads(rng, rng.random((3, 12)))
    assert mean_of([one, of_others]).errors is None  # another test split: over seeds alone
