"""The intervals' formulas against their definitions, and their coverage where the truth is known."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import combined, jackknife, mean_of_estimates, nadeau_bengio


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
    assert jackknife(rows.mean(), without).per_fold == pytest.approx(rows)
    assert nadeau_bengio(rows).without_each == pytest.approx(without)


def test_a_paired_difference_is_a_paired_t_test():
    rng = np.random.default_rng(2)
    common = 5 * rng.standard_normal(8)
    a, b = common + 0.3 * rng.standard_normal(8) + 1, common + 0.3 * rng.standard_normal(8)
    without = [[np.delete(rows, i).mean() for i in range(8)] for rows in (a, b)]
    difference = jackknife(a.mean(), without[0]) - jackknife(b.mean(), without[1])
    expected = scipy.stats.ttest_rel(a, b).confidence_interval(0.95)
    assert difference.value == pytest.approx(a.mean() - b.mean())
    assert difference.interval() == pytest.approx((expected.low, expected.high))
    assert difference.standard_error < jackknife(a.mean(), without[0]).standard_error / 3


def test_differences_need_the_same_folds():
    with pytest.raises(ValueError, match="same folds"):
        jackknife(0, [1, 2, 3]) - jackknife(0, [1, 2, 3, 4])


@pytest.mark.parametrize("kind", ["over folds", "jackknifed"])
def test_a_sum_is_the_same_estimate_of_the_folds_sums(kind):
    folds = np.random.default_rng(4).standard_normal((4, 8)) + 0.2
    make = nadeau_bengio if kind == "over folds" else lambda v: jackknife(v.mean(), (v.sum() - v) / 7)
    a, b, c, d = map(make, folds)
    for found, expected in (
        ((a - b) - (c - d), make(folds[0] - folds[1] - folds[2] + folds[3])),
        (mean_of_estimates([a, b, c]), make(folds[:3].mean(axis=0))),
        (-a, make(-folds[0])),
        (combined([(0.3, a), (-2.0, b)]), make(0.3 * folds[0] - 2 * folds[1])),
    ):
        assert found.value == pytest.approx(expected.value)
        assert found.interval() == pytest.approx(expected.interval())
        assert found.p_value == pytest.approx(expected.p_value)
    assert (a - a).p_value == 1
    assert (a - a).interval() == (0, 0)


def test_deviations_have_the_size_of_the_standard_error():
    for estimate in (nadeau_bengio([0.1, 0.3, 0.2, 0.5]), jackknife(0.3, [0.1, 0.3, 0.2, 0.5])):
        assert np.linalg.norm(estimate.deviations) == pytest.approx(estimate.standard_error)
    assert nadeau_bengio([0.25, 0.25, 0.25]).deviations.tolist() == [0, 0, 0]


def test_nadeau_and_bengios_formula():
    scores = [0.2, 0.5, 0.3, 0.4]
    estimate = nadeau_bengio(scores)
    assert estimate.value == pytest.approx(0.35)
    # Their eq. 9: (1/J + n_test/n_train) times the sample variance, with J = 4 and n_test/n_train = 1/3.
    assert estimate.standard_error == pytest.approx(np.sqrt((1 / 4 + 1 / 3) * np.var(scores, ddof=1)))
    assert estimate.degrees == 3


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
