"""The intervals' formulas against their definitions, and their coverage where the truth is known."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.analysis.intervals import Estimate, jackknife, nadeau_bengio, paired_difference


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
