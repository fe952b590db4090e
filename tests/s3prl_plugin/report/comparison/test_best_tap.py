"""The best tap: chosen on other folds, and honest intervals where taps are equal."""

import numpy as np
import planted_results
import pytest
import scipy.stats

from s3prl_plugin.report.comparison.best_tap import DEPENDENCE, best_tap

FOLDS = 8
FIRST = np.arange(FOLDS) % 2 == 0


def rows(per_fold, **fields):
    return [planted_results.row(each, tap=f"layer{i}", tap_index=i, **fields) for i, each in enumerate(per_fold)]


@pytest.mark.parametrize("higher", [True, False])
def test_each_half_is_scored_at_the_tap_that_the_other_half_chose(higher):
    sign = 1 if higher else -1
    of_first, of_second = np.where(FIRST, 5.0, 1.0), np.where(FIRST, 2.0, 3.0)
    taps = rows(sign * np.array([of_first, of_second, np.full(FOLDS, -9.0)]), score="r", higher_is_better=higher)
    found = best_tap(taps)
    assert found.taps == ("layer0", "layer1")
    assert found.score.value == pytest.approx(sign * (2.0 + 1.0) / 2)


def test_a_tap_that_is_clearly_best_has_its_own_score():
    rng = np.random.default_rng(1)
    per_fold = np.array([0.2, 0.6, 0.3])[:, None] + 0.01 * rng.standard_normal((3, FOLDS))
    found = best_tap(rows(per_fold))
    assert set(found.taps) == {"layer1"}
    assert found.score.value == pytest.approx(np.sqrt(per_fold[1].mean()))


def test_the_factor_covers_every_number_of_equal_taps():
    """m^2 / (K - 1), m the expected maximum of K standard normal numbers, by integration."""
    grid = np.linspace(-9, 9, 20001)
    normal = scipy.stats.norm
    most = [np.trapezoid(grid * k * normal.pdf(grid) * normal.cdf(grid) ** (k - 1), grid) ** 2 / (k - 1)
            for k in range(2, 40)]  # fmt: skip
    assert int(np.argmax(most)) == 1  # three taps
    assert pytest.approx(1 + max(most), abs=0.005) == DEPENDENCE


@pytest.mark.parametrize(("taps", "apart", "folds"), [(3, 0.0, 6), (12, 0.0, 8), (12, 1.5, 8), (2, 0.7, 10)])
def test_intervals_of_two_models_best_taps_cover_the_truth(taps, apart, folds):
    """And to take the best on all folds, with its own interval, does not."""
    rng = np.random.default_rng([2, taps, folds])
    truth = np.linspace(0, apart, taps)
    runs, covered, naive = 500, 0, 0
    for _ in range(runs):
        common = 2 * rng.standard_normal(folds)
        sides = [truth[:, None] + common + rng.standard_normal((taps, folds)) for _ in range(2)]
        found = [best_tap(rows(side, score="r")) for side in sides]
        chosen = [np.mean([truth[int(tap.removeprefix("layer"))] for tap in each.taps]) for each in found]
        low, high = (found[0].score - found[1].score).interval()
        covered += low <= chosen[0] - chosen[1] <= high
        first = sides[0][np.argmax(sides[0].mean(axis=1))] - sides[1][0]  # against one tap, the choice is not shared
        interval = scipy.stats.ttest_1samp(first, 0).confidence_interval()
        naive += interval.low <= truth[np.argmax(sides[0].mean(axis=1))] - truth[0] <= interval.high
    assert covered >= scipy.stats.binom.ppf(0.002, runs, 0.945)
    if taps == 12 and not apart:
        assert naive < 0.9 * runs
