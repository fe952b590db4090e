"""The highest tap: its depth, and the taps that could be the highest in truth."""

import itertools

import numpy as np
import planted_runs
import pytest
import scipy.stats

from s3prl_plugin.questions.trajectories.numbers import peak

TAPS = tuple(("mid", f"layer{i}", 320) for i in range(6))


def network(per_fold, measure="mi_phone", **changes):
    taps = TAPS[: len(per_fold)]
    return [planted_runs.row(measure, place, folds, taps, **changes) for place, folds in enumerate(per_fold)]


def test_depth_is_over_state_taps_alone():
    rng = np.random.default_rng(0)
    means = [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.6, 0.1, 0.1, 0.9, 0.95]
    found = peak(planted_runs.network("mi_phone", means, rng))
    assert (found.row.tap, found.depth, found.low, found.high) == ("dec0.pre", 6 / 8, 6 / 8, 6 / 8)


@pytest.mark.parametrize("measure", ["mi_phone", "cca_phone"])
def test_candidates_are_those_that_no_paired_t_test_rules_out(measure):
    rng = np.random.default_rng(2)
    per_fold = 0.3 + 0.05 * rng.standard_normal(8) + 0.01 * rng.standard_normal((6, 8)) + 0.01 * np.arange(6)[:, None]
    ruled_out = set()
    for i, j in itertools.permutations(range(6), 2):
        wider = np.sqrt(1 + 8 / 7) if measure == "cca_phone" else 1.0  # of what folds say, Nadeau and Bengio's
        p = scipy.stats.t.sf(scipy.stats.ttest_rel(per_fold[j], per_fold[i]).statistic / wider, 7)
        if p < 0.05 / 5:
            ruled_out.add(i)
    assert 0 < len(ruled_out) < 5
    found = peak(network(per_fold, measure))
    assert set(found.candidates) == {f"mid.layer{i}" for i in range(6) if i not in ruled_out}
    depths = [i / 5 for i in range(6) if i not in ruled_out]
    assert (found.low, found.high) == (min(depths), max(depths))


@pytest.mark.parametrize("means", [(0.3, 0.3, 0.3, 0.3), (0.3, 0.295, 0.29, 0.2), (0.3, 0.31, 0.32, 0.31)])
def test_the_interval_covers_the_true_depth(means):
    """Folds with much in common; where taps are equal, either end of them."""
    rng = np.random.default_rng(3)
    best = int(np.argmax(means)) / 3
    runs = 250
    covered = 0
    for _ in range(runs):
        folds = np.array(means)[:, None] + 0.03 * rng.standard_normal(8) + 0.01 * rng.standard_normal((4, 8))
        found = peak(network(folds))
        covered += found.low <= best <= found.high
    assert covered / runs >= 0.95 - 2.5 * np.sqrt(0.05 * 0.95 / runs)


def test_a_clear_peak_is_a_point_and_a_shared_one_a_stretch():
    rng = np.random.default_rng(4)
    clear = peak(planted_runs.network("mi_phone", [0.1, 0.5, 0.1, 0.1], rng, taps=TAPS))
    assert (clear.low, clear.high) == (1 / 3, 1 / 3)
    shared = peak(planted_runs.network("mi_phone", [0.1, 0.5, 0.5, 0.1], rng, taps=TAPS))
    assert (shared.low, shared.high) == (1 / 3, 2 / 3)


def test_without_replicates_there_is_a_depth_and_no_interval():
    rows = network([[0.1] * 8, [0.2] * 8], replicates=None)
    found = peak(rows)
    assert (found.depth, found.low, found.high) == (1.0, None, None)


def test_refused_taps_keep_their_place():
    rng = np.random.default_rng(0)
    rows = planted_runs.network("mi_phone", [0.1, 0.5, 0.2], rng, taps=TAPS)
    lost = planted_runs.row("mi_phone", 0, [0.1] * 8, TAPS, value=None, refused="too few", replicates=None)
    assert peak([lost, *rows[1:]]).depth == 0.5
    assert peak([lost]) is None
