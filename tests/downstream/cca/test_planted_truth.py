"""Views with known canonical correlations: `r2` finds their mean square, and the intervals hold what they promise.

Few draws of what `python -m benchmarks.planted_r2` measures with many.
"""

import numpy as np
import pytest
import scipy.stats

from benchmarks import planted_r2
from benchmarks.planted_r2 import SPECTRA, estimate, independent, of_speakers, rows_for
from s3prl_plugin.analysis.planning.labels import labelled_folds
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import r2
from s3prl_plugin.downstream.cca.default import cross_validate, jackknife
from s3prl_plugin.downstream.cca.pair import PairOfViews

FOLDS = 8
K = 38


def mean_of(draws, draw):
    """The mean estimate, and its standard error."""
    found = np.array([draw(np.random.default_rng(seed)) for seed in range(draws)])
    return found.mean(), found.std(ddof=1) / np.sqrt(draws)


@pytest.mark.parametrize("per_dimension", [3, 14])
@pytest.mark.parametrize("d", [64, 128])
@pytest.mark.parametrize("name", SPECTRA)
def test_r2_finds_the_mean_square_whatever_the_spectrum_the_width_and_the_rows(name, d, per_dimension):
    rho = SPECTRA[name]
    truth = np.mean(rho**2)
    value, error = mean_of(16, lambda rng: estimate(independent(rng, rows_for(d, per_dimension), d, rho)).value)
    assert abs(value - truth) < 0.02 * truth + 3 * error
    assert error < 0.004


def test_r_rises_with_the_rows_and_r2_does_not():
    rho = SPECTRA["even"]

    def r_of(per_dimension):
        x, y, fold = independent(np.random.default_rng(0), rows_for(128, per_dimension), 128, rho)
        folds = [Moments.of(x[fold == f], y[fold == f]) for f in range(FOLDS)]
        return cross_validate(folds, K).r, r2.cross_validate(PairOfViews(folds)).value

    (few, few_r2), (many, many_r2) = r_of(3), r_of(14)
    assert many > few * 1.15
    assert many_r2 == pytest.approx(few_r2, rel=0.05)


def test_the_same_signal_reads_the_same_in_a_wide_layer_and_in_a_narrow_one():
    for found in planted_r2.widths(12):
        assert abs(found.bias) < 0.005, found.text()
        assert found.covered <= 3 / 12, found.text()


def test_frames_of_speakers_that_depend_on_each_other():
    rho, truths = SPECTRA["even"], []

    def draw(rng):
        rows, truth = of_speakers(rng, rows_for(64, 20), 64, rho, 24, planted_r2.OFFSET)
        truths.append(truth)
        return estimate(rows).value

    value, error = mean_of(12, draw)
    truth = np.mean(truths)
    assert truth < np.mean(rho**2) * 0.9, "offsets count as variance"
    assert abs(value - truth) < 0.06 * truth + 2 * error


@pytest.mark.parametrize("case", planted_r2.hard(6), ids=lambda case: case.case)
def test_hard_cases(case):
    assert abs(case.bias) < 0.03 * case.truth, case.text()
    assert case.covered >= 4 / 6, case.text()


def layers(rng, speakers, tokens_each, class_means, merits, offset=0.5):
    """Layers of the same tokens: class means times a merit, noise of their own, and an offset per speaker."""
    speaker = np.repeat(np.arange(speakers), tokens_each)
    labels = rng.integers(0, len(class_means), len(speaker))
    for merit in merits:
        offsets = offset * rng.standard_normal((speakers, class_means.shape[1]))
        x = merit * class_means[labels] + offsets[speaker] + rng.standard_normal((len(speaker), class_means.shape[1]))
        yield labelled_folds(x, labels, speaker % FOLDS, FOLDS)


def simulated(speakers, tokens_each, runs):
    """Per run and layer (two of equal merit, a weaker one, one that knows nothing): every score as it is estimated."""
    class_means = 0.35 * np.random.default_rng(5).standard_normal((8, 24))
    for run in range(runs):
        drawn = layers(np.random.default_rng([speakers, run]), speakers, tokens_each, class_means, (1, 1, 0.6, 0))
        yield [estimates(data) for data in drawn]


def estimates(data):
    pair = PairOfViews(data.folds)
    found, beside = r2.cross_validate(pair), jackknife(data.folds, data.k)
    over_folds = {f"{score} over folds": beside.scores.over_folds(score) for score in ("r", "pwcca")}
    jackknifed = {"r2 jackknifed": r2.jackknife(pair, found), "r": beside.r, "pwcca": beside.pwcca}
    return {"r2": found.estimate, **jackknifed, **over_folds}


def coverage(found):
    """The share of intervals that hold the mean value: the expected score at these data."""
    truth = np.mean([each.value for each in found])
    return np.mean([low <= truth <= high for low, high in (each.interval() for each in found)])


@pytest.mark.slow
@pytest.mark.parametrize(("speakers", "tokens_each"), [(16, 20), (40, 20)])
def test_intervals_cover_the_expected_score_and_null_differences_are_rarely_rejected(speakers, tokens_each):
    runs = 200
    layers = list(zip(*simulated(speakers, tokens_each, runs), strict=True))
    few = scipy.stats.binom.ppf(0.005, runs, 0.92) / runs
    for score in layers[0][0]:
        best, *others = ([each[score] for each in layer] for layer in layers)
        assert coverage(best) >= few, score
        for name, other in zip(("equal", "weaker", "none"), others, strict=True):
            differences = [one - two for one, two in zip(best, other, strict=True)]
            assert coverage(differences) >= few, (score, name)
            if name == "equal":
                rejected = sum(each.p_value < 0.05 for each in differences)
                assert rejected <= scipy.stats.binom.ppf(0.995, runs, 0.06), score
