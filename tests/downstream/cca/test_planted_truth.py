"""Views with known canonical correlations: `corrected` finds their mean, and the intervals hold what they promise."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.analysis.intervals import difference_of_roots, paired_difference
from s3prl_plugin.analysis.planning.labels import labelled_folds
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca.default import cross_validate, jackknife

FOLDS = 8
K = 38


def planted(rng, n, d, rho, colour):
    """(x, y) whose population canonical correlations are rho, x mixed and coloured."""
    common = rng.standard_normal((n, len(rho)))
    x, y = rng.standard_normal((n, d)), rng.standard_normal((n, len(rho)))
    y = np.sqrt(rho) * common + np.sqrt(1 - rho) * y
    x[:, : len(rho)] = np.sqrt(rho) * common + np.sqrt(1 - rho) * x[:, : len(rho)]
    return colour(x @ np.linalg.qr(rng.standard_normal((d, d)))[0], rng), y


def flat(x, rng):
    return x


def steep(x, rng):
    """Variances fall as the third power of the rank: a condition of 1e6."""
    return x * np.arange(1, x.shape[1] + 1.0) ** -1.5 @ np.linalg.qr(rng.standard_normal((x.shape[1],) * 2))[0]


def few_huge(x, rng):
    """Three dimensions a thousand times larger than the others, far from zero, as layers of HuBERT have them."""
    x = steep(x, rng)
    x[:, [3, 40, 77]] = x[:, [3, 40, 77]] * 1e3 + 500
    return x


def scores_of(rho, rows_per_dimension, colour, d=128, seeds=4):
    """Mean `corrected` and r over a few draws, in float32 as layers come."""
    n = int(rows_per_dimension * d * FOLDS / (FOLDS - 1))
    found = []
    for seed in range(seeds):
        x, y = planted(np.random.default_rng(seed), n, d, rho, colour)
        x, fold = x.astype(np.float32), np.arange(n) % FOLDS
        scores = cross_validate([Moments.of(x[fold == f], y[fold == f]) for f in range(FOLDS)], K)
        found.append((scores.corrected, scores.r, scores.corrected_spectrum.mean()))
    return np.mean(found, axis=0)


@pytest.mark.parametrize("rows_per_dimension", [3, 5, 14])
@pytest.mark.parametrize("colour", [flat, steep, few_huge])
def test_corrected_finds_the_mean_correlation_within_three_percent(colour, rows_per_dimension):
    rho = np.linspace(0.95, 0.15, K)
    corrected, r, _ = scores_of(rho, rows_per_dimension, colour)
    assert corrected == pytest.approx(rho.mean(), rel=0.03)
    assert r < corrected


def test_r_rises_with_the_rows_and_corrected_does_not():
    rho = np.linspace(0.95, 0.15, K)
    few, many = (scores_of(rho, ratio, flat) for ratio in (3, 14))
    assert many[1] > few[1] * 1.15
    assert many[0] == pytest.approx(few[0], rel=0.02)


def test_corrected_is_too_high_where_many_directions_are_uncorrelated():
    """Its known limit, as the documentation says; the spectrum corrected per direction is nearer."""
    rho = np.r_[np.linspace(0.95, 0.3, 20), np.zeros(18)]
    corrected, _, per_direction = scores_of(rho, 5, flat)
    assert 1.1 < corrected / rho.mean() < 1.3
    assert abs(per_direction / rho.mean() - 1) < 0.1


def test_corrected_is_a_little_low_where_all_correlations_are_equal():
    """Its other known limit."""
    few, many = (scores_of(np.full(K, 0.55), ratio, flat)[0] / 0.55 - 1 for ratio in (3, 14))
    assert -0.09 < few < -0.03
    assert -0.03 < many < 0


def test_no_correlation_is_zero():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((900, 60)), rng.standard_normal((900, 20))
    fold = np.arange(900) % FOLDS
    result = jackknife([Moments.of(x[fold == f], y[fold == f]) for f in range(FOLDS)], 20)
    for score in ("r", "corrected", "pwcca"):
        low, high = result.interval(score)
        assert low < 0 < high


def layers(rng, speakers, tokens_each, class_means, merits, offset=0.5):
    """Layers of the same tokens: class means times a merit, noise of their own, and an offset per speaker."""
    speaker = np.repeat(np.arange(speakers), tokens_each)
    labels = rng.integers(0, len(class_means), len(speaker))
    for merit in merits:
        offsets = offset * rng.standard_normal((speakers, class_means.shape[1]))
        x = merit * class_means[labels] + offsets[speaker] + rng.standard_normal((len(speaker), class_means.shape[1]))
        yield labelled_folds(x, labels, speaker % FOLDS, FOLDS)


def simulated(speakers, tokens_each, runs):
    """Per run and layer: two of equal merit, a weaker one, one that knows nothing."""
    class_means = 0.35 * np.random.default_rng(5).standard_normal((8, 24))
    for run in range(runs):
        drawn = layers(np.random.default_rng([speakers, run]), speakers, tokens_each, class_means, (1, 1, 0.6, 0))
        yield [jackknife(data.folds, data.k) for data in drawn]


def coverage(found):
    """The share of intervals (value, low, high) that hold the mean value: the expected score at these data."""
    value, low, high = np.array(found).T
    return np.mean((low <= value.mean()) & (value.mean() <= high))


@pytest.mark.slow
@pytest.mark.parametrize(("speakers", "tokens_each"), [(16, 20), (40, 20)])
def test_intervals_cover_the_expected_score_and_null_differences_are_rarely_rejected(speakers, tokens_each):
    runs = 250
    covered = {name: [] for name in ("r", "corrected", "pwcca", "fast r")}
    differing = {(name, other): [] for name in ("r", "corrected") for other in ("equal", "weaker", "none")}
    rejected = {"r": 0, "product": 0, "pwcca": 0}
    for best, equal, weaker, none in simulated(speakers, tokens_each, runs):
        for score in ("r", "corrected", "pwcca"):
            covered[score].append((getattr(best.scores, score), *best.interval(score)))
        covered["fast r"].append((best.scores.r, *best.scores.fast("r").interval()))
        for name, other in (("equal", equal), ("weaker", weaker), ("none", none)):
            paired = paired_difference(best.r, other.r)
            differing["r", name].append((paired.value, *paired.interval()))
            differing["corrected", name].append(difference_of_roots(best.product, other.product))
        for score in rejected:
            rejected[score] += paired_difference(getattr(best, score), getattr(equal, score)).p_value < 0.05
    # What simulation error allows: 3 of 250 runs are one standard deviation at 96 %.
    few, many = scipy.stats.binom.ppf([0.005, 0.995], runs, [0.93, 0.98]) / runs
    measured = {name: coverage(found) for name, found in covered.items()}
    assert all(few <= share <= many for share in measured.values()), measured
    # Differences from a layer that knows nothing have too wide an interval (99 %), as its own score has.
    of_differences = {name: coverage(found) for name, found in differing.items()}
    assert all(few <= share for share in of_differences.values()), of_differences
    assert all(count <= scipy.stats.binom.ppf(0.995, runs, 0.05) for count in rejected.values()), rejected
