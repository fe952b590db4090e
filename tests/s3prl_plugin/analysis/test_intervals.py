"""The intervals' formulas against their definitions, and their coverage where the truth is known."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.analysis import intervals
from s3prl_plugin.analysis.intervals import Estimate, fold_values, jackknife, nadeau_bengio, paired_difference


def test_the_jackknife_of_a_mean_is_its_standard_error():
    rows = np.random.default_rng(0).standard_normal(12)
    replicates = [np.delete(rows, i).mean() for i in range(12)]
    estimate = jackknife(rows.mean(), replicates)
    assert estimate.standard_error == pytest.approx(rows.std(ddof=1) / np.sqrt(12))
    low, high = scipy.stats.ttest_1samp(rows, 0).confidence_interval(0.9)
    assert estimate.interval(0.9) == pytest.approx((low, high))


def test_the_jackknife_is_scipys():
    rows = np.random.default_rng(1).gamma(2, size=9)
    replicates = np.array([np.delete(rows, i).std() for i in range(9)])
    by_definition = np.sqrt(8 / 9 * sum((t - replicates.mean()) ** 2 for t in replicates))
    assert jackknife(rows.std(), replicates).standard_error == pytest.approx(by_definition)


def test_the_folds_own_values_come_back_from_the_replicates():
    rows = np.random.default_rng(3).standard_normal(8)
    without = (rows.sum() - rows) / 7
    assert fold_values(jackknife(rows.mean(), without)) == pytest.approx(rows)


def test_a_paired_difference_is_a_paired_t_test():
    rng = np.random.default_rng(2)
    common = 5 * rng.standard_normal(8)
    a, b = common + 0.3 * rng.standard_normal(8) + 1, common + 0.3 * rng.standard_normal(8)
    without = [[np.delete(rows, i).mean() for i in range(8)] for rows in (a, b)]
    difference = paired_difference(jackknife(a.mean(), without[0]), jackknife(b.mean(), without[1]))
    expected = scipy.stats.ttest_rel(a, b).confidence_interval(0.95)
    assert difference.value == pytest.approx(a.mean() - b.mean())
    assert difference.interval() == pytest.approx((expected.low, expected.high))
    assert difference.standard_error < jackknife(a.mean(), without[0]).standard_error / 3


def test_differences_need_the_same_folds():
    three, four = jackknife(0, [1, 2, 3]), jackknife(0, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="same folds"):
        paired_difference(three, four)
    with pytest.raises(ValueError, match="same folds"):
        paired_difference(three, nadeau_bengio([1.0, 2.0, 3.0]))


def test_nadeau_and_bengios_formula():
    scores = [0.2, 0.5, 0.3, 0.4]
    estimate = nadeau_bengio(scores)
    assert estimate.value == pytest.approx(0.35)
    # Their eq. 9: (1/J + n_test/n_train) times the sample variance, with J = 4 and n_test/n_train = 1/3.
    assert estimate.standard_error == pytest.approx(np.sqrt((1 / 4 + 1 / 3) * np.var(scores, ddof=1)))
    assert estimate.degrees == 3


def test_a_mapped_interval_is_that_of_the_ends():
    estimate = Estimate(4.0, 1.0, degrees=5)
    low, high = estimate.interval()
    assert estimate.mapped_interval(lambda v: v**3) == pytest.approx((low**3, high**3))


@pytest.mark.parametrize("make", [lambda v: jackknife(0, v), nadeau_bengio])
def test_one_fold_has_no_interval(make):
    with pytest.raises(ValueError, match="at least two"):
        make([0.5])


def test_the_p_value_is_that_of_the_t_test():
    rng = np.random.default_rng(20)
    sample = rng.standard_normal(9) + 0.5
    estimate = intervals.jackknife(sample.mean(), (sample.sum() - sample) / 8)
    assert estimate.p_value == pytest.approx(scipy.stats.ttest_1samp(sample, 0).pvalue)
    assert intervals.jackknife(0.0, np.zeros(8)).p_value == 1
    assert intervals.jackknife(1.0, np.ones(8)).p_value == 0


def test_holms_adjusted_p_values_are_those_of_his_procedure():
    """Step by step: the smallest of m is tested at level / m, the next at level / (m - 1), until one is not below."""
    rng = np.random.default_rng(21)
    for m in (1, 4, 9):
        p = rng.uniform(0, 0.15, m)
        adjusted = intervals.holm(p)
        for level in (0.01, 0.05, 0.2, 0.9):
            rejected = set()
            for step, i in enumerate(np.argsort(p)):
                if p[i] > level / (m - step):
                    break
                rejected.add(int(i))
            assert rejected == set(np.flatnonzero(adjusted <= level).tolist())
    assert intervals.holm([]).shape == (0,)


def products(rng, means, spreads, rho, folds=8):
    """Two jackknifed means of folds, correlated."""
    factor = np.linalg.cholesky([[1, rho], [rho, 1]])
    per_fold = np.array(means)[:, None] + np.array(spreads)[:, None] * np.sqrt(folds) * (
        factor @ rng.standard_normal((2, folds))
    )
    without = (per_fold.sum(axis=1, keepdims=True) - per_fold) / (folds - 1)
    return [intervals.jackknife(mean, reps) for mean, reps in zip(per_fold.mean(axis=1), without, strict=True)]


def test_far_from_zero_the_interval_of_a_difference_of_roots_is_the_jackknife_of_the_roots():
    rng = np.random.default_rng(22)
    a, b = products(rng, (0.6, 0.3), (0.001, 0.001), 0.7)
    roots = [
        intervals.jackknife(np.sqrt(each.value), np.sqrt(each.replicates))
        for each in (a, b)
    ]  # fmt: skip
    expected = intervals.paired_difference(*roots)
    value, low, high = intervals.difference_of_roots(a, b)
    assert value == pytest.approx(expected.value)
    assert (low, high) == pytest.approx(expected.interval(), abs=2e-5)
    assert high - low == pytest.approx(2 * (expected.interval()[1] - expected.value), rel=0.01)


def test_a_root_less_nothing_has_the_roots_own_interval():
    rng = np.random.default_rng(23)
    a, _ = products(rng, (0.1, 0.1), (0.02, 0.02), 0)
    nothing = intervals.jackknife(0.0, np.zeros(8))
    low, high = a.mapped_interval(intervals.signed_root)
    assert intervals.difference_of_roots(a, nothing) == pytest.approx((intervals.signed_root(a.value), low, high))
    with pytest.raises(ValueError, match="replicates"):
        intervals.difference_of_roots(a, intervals.nadeau_bengio([0.1, 0.2]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("means", "spreads", "rho"),
    [
        ((0.25, 0.25), (0.02, 0.02), 0.8),
        ((0.6, 0.2), (0.02, 0.02), 0.8),
        ((0.6, 0.2), (0.02, 0.02), 0.99),
        ((0.25, 0.0), (0.02, 0.005), 0.5),
        ((0.25, 0.0), (0.02, 0.02), 0.9),
        ((0.02, 0.0), (0.01, 0.01), 0.5),
        ((0.0, 0.0), (0.01, 0.01), 0.0),
    ],
)
def test_intervals_of_differences_of_roots_cover_near_zero_and_far_from_it(means, spreads, rho):
    runs, rng = 1000, np.random.default_rng(24)
    truth = intervals.signed_root(means[0]) - intervals.signed_root(means[1])
    covered = 0
    for _ in range(runs):
        _, low, high = intervals.difference_of_roots(*products(rng, means, spreads, rho))
        covered += low <= truth <= high
    few, many = scipy.stats.binom.ppf([0.005, 0.995], runs, [0.94, 0.97]) / runs
    assert few <= covered / runs <= many
