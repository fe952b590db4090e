"""Sums of scores: against the intervals of two terms, the t test, and simulated truth."""

import itertools

import numpy as np
import planted_results
import pytest
import scipy.stats

from s3prl_plugin.analysis import intervals
from s3prl_plugin.report.comparison import estimates

FOLDS = 8


def drawn(rng, truth=0.3, common=None, own=0.01, **fields):
    common = np.zeros(FOLDS) if common is None else common
    return estimates.of_row(planted_results.row(truth + common + own * rng.standard_normal(FOLDS), **fields))


def jackknifed(each):
    ((_, term),) = each.terms
    return intervals.Estimate(term.value, term.standard_error, term.degrees, term.deviations)


def test_two_roots_are_zou_and_donners_difference():
    rng = np.random.default_rng(0)
    for truth in (0.3, 0.02, -0.1):
        common = 0.03 * rng.standard_normal(FOLDS)
        a, b = drawn(rng, truth + 0.05, common), drawn(rng, truth, common)
        expected = intervals.difference_of_roots(jackknifed(a), jackknifed(b))
        assert ((a - b).value, *(a - b).interval()) == pytest.approx(expected, abs=1e-12)


def test_without_roots_it_is_the_t_test_of_the_folds_sums():
    rng = np.random.default_rng(1)
    folds = rng.standard_normal((4, FOLDS)) + 0.2
    a, b, c, d = (estimates.of_row(planted_results.row(each, score="r")) for each in folds)
    found = (a - b) - (c - d)
    test = scipy.stats.ttest_1samp(folds[0] - folds[1] - folds[2] + folds[3], 0)
    assert found.p_value == pytest.approx(test.pvalue)
    assert found.interval() == pytest.approx(tuple(test.confidence_interval()))
    mean = estimates.mean([a, b, c])
    assert mean.interval() == pytest.approx(tuple(scipy.stats.ttest_1samp(folds[:3].mean(0), 0).confidence_interval()))


def test_turned_round_everything_is():
    rng = np.random.default_rng(2)
    a, b = drawn(rng, 0.3), drawn(rng, 0.2)
    low, high = (a - b).interval()
    assert (b - a).interval() == pytest.approx((-high, -low))
    assert (b - a).p_value == pytest.approx((a - b).p_value)


def test_a_score_less_itself_is_surely_nothing():
    a = drawn(np.random.default_rng(3))
    assert (a - a).value == 0
    assert (a - a).p_value == 1
    assert (a - a).interval() == pytest.approx((0, 0), abs=1e-3)  # roots are steeper downwards


@pytest.mark.parametrize("rooted", [True, False])
def test_the_interval_reaches_zero_at_the_level_of_the_p_value(rooted):
    rng = np.random.default_rng(4)
    for _ in range(20):
        a, b, c, d = (drawn(rng, 0.1, own=0.05, score="corrected" if rooted else "r") for _ in range(4))
        found = (a - b) - (c - d)
        ends = found.interval(1 - found.p_value)
        assert min(abs(end) for end in ends) == pytest.approx(0, abs=1e-6)
        low, high = found.interval()
        assert (low > 0 or high < 0) == (found.p_value < 0.05)


@pytest.mark.parametrize(("truth", "common"), [(0.3, 0.03), (0.05, 0.03), (0.01, 0.01)])
def test_a_difference_of_differences_of_roots_covers_the_truth(truth, common):
    """Nominal 95 %: at least that, within chance; near zero, where roots are steep, it may be more."""
    rng = np.random.default_rng([5, int(1000 * truth)])
    products = np.array([truth + 0.04, truth + 0.02, truth, truth])
    expected = float(np.sqrt(products) @ [1, -1, -1, 1])
    runs, covered = 400, 0
    for _ in range(runs):
        shared = common * rng.standard_normal(FOLDS)
        a, b, c, d = (drawn(rng, product, shared) for product in products)
        low, high = ((a - b) - (c - d)).interval()
        covered += low <= expected <= high
    assert covered >= scipy.stats.binom.ppf(0.005, runs, 0.95)


def test_equal_sides_are_rarely_said_to_differ():
    rng = np.random.default_rng(6)
    runs, rejected = 400, 0
    for _ in range(runs):
        shared = 0.03 * rng.standard_normal(FOLDS)
        sides = [estimates.mean([drawn(rng, 0.2, shared) for _ in range(3)]) for _ in range(2)]
        rejected += (sides[0] - sides[1]).p_value < 0.05
    assert rejected <= scipy.stats.binom.ppf(0.995, runs, 0.05)
    assert rejected > 0


def test_what_folds_have_in_common_cancels():
    rng = np.random.default_rng(7)
    shared = 0.1 * rng.standard_normal(FOLDS)
    a, b, c, d = (drawn(rng, 0.4, shared, own=0.002) for _ in range(4))
    widths = [np.ptp(each.interval()) for each in (a, a - b, (a - b) - (c - d))]
    assert widths[1] < widths[0] / 5
    assert widths[2] < widths[0] / 3


def test_a_row_without_any_spread_has_an_interval_of_no_width():
    a = estimates.of_row(planted_results.row(np.full(FOLDS, 0.25)))
    assert a.interval() == pytest.approx((0.5, 0.5))
    for one, other in itertools.permutations([a, drawn(np.random.default_rng(8))]):
        assert all(np.isfinite((one - other).interval()))
