"""The score of a chosen tap on folds that did not choose it: by brute force, its bias and coverage by simulation."""

import itertools

import numpy as np
import pytest
import tap_rows

from s3prl_plugin.analysis.intervals import signed_root
from s3prl_plugin.select import held_out


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
    assert held_out.held_out(rows).value == pytest.approx(brute_force(per_fold))


def test_corrected_is_halved_as_a_product_and_shown_as_its_root():
    rng = np.random.default_rng(1)
    per_fold = 0.3 + 0.05 * rng.standard_normal((3, 6))
    rows = [tap_rows.row(f"layer{i}", i, each, score="corrected") for i, each in enumerate(per_fold)]
    found = held_out.held_out(rows)
    assert found.value == pytest.approx(signed_root(brute_force(per_fold)))
    assert found.ci_low < found.value < found.ci_high


def test_one_tap_alone_has_its_own_score():
    per_fold = 0.3 + 0.05 * np.random.default_rng(2).standard_normal(8)
    found = held_out.held_out([tap_rows.row("layer0", 0, per_fold)])
    assert found.value == pytest.approx(per_fold.mean())


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
        ours.append(found.value)
        within.append(found.ci_low <= 0 <= found.ci_high)
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
        errors.append(found.value - truth)
        within.append(found.ci_low <= truth <= found.ci_high)
    assert -0.2 < np.mean(errors) < 0.05  # the halves miss it now and then
    assert np.mean(within) > 0.92
