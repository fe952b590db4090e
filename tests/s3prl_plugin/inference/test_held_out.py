"""The score of a chosen tap on folds that did not choose it: by brute force, its bias and coverage by simulation."""

import itertools

import numpy as np
import pytest
import scipy.stats
import tap_rows

from s3prl_plugin.inference import held_out


def brute_force(per_fold):
    """The mean over all halvings of what one half says of the tap that is best on the other."""
    folds = range(per_fold.shape[1])
    sizes = {len(folds) // 2, len(folds) - len(folds) // 2}
    scores = []
    for size in sorted(sizes):
        for chosen in itertools.combinations(folds, size):
            rest = [fold for fold in folds if fold not in chosen]
            best = max(range(len(per_fold)), key=lambda tap: np.mean([per_fold[tap][fold] for fold in chosen]))
            scores.append(np.mean([per_fold[best][fold] for fold in rest]))
    return np.mean(scores)


@pytest.mark.parametrize("folds", [4, 5, 8])
def test_it_is_the_mean_over_all_halvings(folds):
    rng = np.random.default_rng(folds)
    per_fold = rng.standard_normal((5, folds))
    rows = [tap_rows.row(f"layer{i}", i, each) for i, each in enumerate(per_fold)]
    assert held_out.held_out(rows).estimate.value == pytest.approx(brute_force(per_fold))


def test_one_tap_alone_has_its_own_score():
    per_fold = 0.3 + 0.05 * np.random.default_rng(2).standard_normal(8)
    found = held_out.held_out([tap_rows.row("layer0", 0, per_fold)])
    assert found.estimate.value == pytest.approx(per_fold.mean())


@pytest.mark.parametrize("folds", [7, 8, 23, 40])
def test_every_fold_chooses_and_scores_as_often_as_the_others(folds):
    choosing = held_out.halvings(folds)
    assert set(choosing.sum(axis=1)) <= {folds // 2, folds - folds // 2}
    assert choosing.mean(axis=0) == pytest.approx(0.5)


def test_three_folds_are_too_few():
    rows = [tap_rows.row(f"layer{i}", i, [0.1, 0.2, 0.3]) for i in range(2)]
    assert held_out.held_out(rows) is None


def test_among_equals_the_best_flatters_itself_and_this_score_does_not():
    rng = np.random.default_rng(3)
    own, ours, within = [], [], []
    for _ in range(300):
        per_fold = rng.standard_normal((10, 8))  # ten taps whose true score is 0
        rows = [tap_rows.row(f"layer{i}", i, each) for i, each in enumerate(per_fold)]
        found = held_out.held_out(rows)
        own.append(max(row.value for row in rows))
        ours.append(found.estimate.value)
        low, high = found.estimate.interval()
        within.append(low <= 0 <= high)
    standard_error = np.std(ours) / np.sqrt(len(ours))
    assert np.mean(own) > 0.4  # in standard errors of one tap's score: 1.2
    assert abs(np.mean(ours)) < 4 * standard_error
    assert abs(np.mean(ours)) < 0.1 * np.mean(own)
    assert np.mean(within) > 0.93


def test_a_clear_best_tap_is_covered_and_hardly_underrated():
    rng = np.random.default_rng(4)
    truth, errors, within = 2.0, [], []
    for _ in range(300):
        per_fold = rng.standard_normal((6, 8))
        per_fold[4] += truth
        found = held_out.held_out([tap_rows.row(f"layer{i}", i, each) for i, each in enumerate(per_fold)])
        errors.append(found.estimate.value - truth)
        low, high = found.estimate.interval()
        within.append(low <= truth <= high)
    assert -0.2 < np.mean(errors) < 0.05  # the halves miss it now and then
    assert np.mean(within) > 0.92


@pytest.mark.parametrize("higher", [True, False])
def test_a_clear_best_tap_is_chosen_in_every_halving(higher):
    sign = 1 if higher else -1
    per_fold = np.array([0.2, 0.6, 0.3])[:, None] + 0.01 * np.random.default_rng(1).standard_normal((3, 8))
    rows = [tap_rows.row(f"layer{i}", i, sign * each, higher_is_better=higher) for i, each in enumerate(per_fold)]
    found = held_out.held_out(rows)
    assert found.chosen == {"layer1": 70}
    assert found.estimate.value == pytest.approx(sign * per_fold[1].mean())


def test_renumbered_folds_change_nothing():
    rng = np.random.default_rng(5)
    per_fold = 0.3 + 0.05 * rng.standard_normal((6, 8))
    every = [per_fold, per_fold[:, rng.permutation(8)]]
    plain, renumbered = (
        held_out.held_out([tap_rows.row(f"layer{i}", i, each) for i, each in enumerate(folds)]) for folds in every
    )
    assert renumbered.estimate.value == pytest.approx(plain.estimate.value, abs=1e-12)
    assert renumbered.estimate.interval() == pytest.approx(plain.estimate.interval())


@pytest.mark.parametrize("score", ["r2", "adjusted"])
def test_the_interval_is_at_least_that_of_the_best_tap(score):
    rng = np.random.default_rng(6)
    for _ in range(20):
        rows = [tap_rows.row(f"layer{i}", i, rng.standard_normal(8), score=score) for i in range(4)]
        best = max(rows, key=lambda row: row.value)
        low, high = held_out.held_out(rows).estimate.interval()
        assert high - low >= (best.ci_high - best.ci_low) * (1 - 1e-12)


@pytest.mark.parametrize(("taps", "apart", "folds"), [(3, 0.0, 6), (12, 0.0, 8), (12, 1.5, 8), (2, 0.7, 10)])
def test_differences_of_two_models_best_taps_cover_the_truth(taps, apart, folds):
    """And to take the best on all folds, with its own interval, does not."""
    rng = np.random.default_rng([2, taps, folds])
    truth = np.linspace(0, apart, taps)
    runs, covered, naive = 200, 0, 0
    for _ in range(runs):
        common = 2 * rng.standard_normal(folds)
        sides = [truth[:, None] + common + rng.standard_normal((taps, folds)) for _ in range(2)]
        rows = [[tap_rows.row(f"layer{i}", i, f, score="adjusted") for i, f in enumerate(side)] for side in sides]
        found = [held_out.held_out(each) for each in rows]
        chosen = [
            sum(truth[int(tap.removeprefix("layer"))] * n for tap, n in each.chosen.items()) / each.halvings
            for each in found
        ]
        low, high = (found[0].estimate - found[1].estimate).interval()
        covered += low <= chosen[0] - chosen[1] <= high
        first = sides[0][np.argmax(sides[0].mean(axis=1))] - sides[1][0]  # against one tap, the choice is not shared
        interval = scipy.stats.ttest_1samp(first, 0).confidence_interval()
        naive += interval.low <= truth[np.argmax(sides[0].mean(axis=1))] - truth[0] <= interval.high
    assert covered >= scipy.stats.binom.ppf(0.002, runs, 0.925)
    if taps == 12 and not apart:
        assert naive < 0.9 * runs
