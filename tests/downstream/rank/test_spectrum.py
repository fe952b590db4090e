"""Effective rank against the singular values of the frames, planted spectra, and what must not change it."""

import itertools

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.analysis.statistics.view_moments import ViewMoments
from s3prl_plugin.downstream.rank import effective_rank, participation_ratio, rankme
from s3prl_plugin.inference.refusal import Refused

BOTH = pytest.mark.parametrize("rank", [effective_rank, rankme])


def frames(n=300, d=7, seed=0, offset=2.0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) @ rng.standard_normal((d, d)) + offset * rng.standard_normal(d)


def rotation(d, seed=1):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def test_the_covariance_spectrum_is_that_of_the_centred_frames():
    x = frames()
    singular = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    assert effective_rank(x) == pytest.approx(np.exp(scipy.stats.entropy(singular**2)), rel=1e-10)


def test_rankme_is_of_the_singular_values_as_published():
    x = frames()
    p = np.linalg.svd(x, compute_uv=False)
    p = p / np.abs(p).sum()
    assert rankme(x) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-10)


@BOTH
def test_moments_say_as_much_as_the_frames(rank):
    x = frames()
    parts = [ViewMoments.of(part) for part in np.array_split(x, [10, 11, 200])]
    assert rank(ViewMoments.merge(parts)) == pytest.approx(rank(x), rel=1e-10)


@BOTH
@pytest.mark.parametrize("directions", [1, 2, 5])
def test_equally_strong_directions_are_counted(rank, directions):
    orthonormal = np.linalg.qr(np.random.default_rng(0).standard_normal((50, directions)))[0]
    x = np.concatenate([orthonormal, -orthonormal])  # about their mean already
    assert rank(x @ rotation(9)[:directions]) == pytest.approx(directions, rel=1e-4)


def test_a_planted_spectrum():
    variances = np.array([4.0, 2.0, 1.0, 1.0, 0.0])
    sides = np.concatenate([np.diag(np.sqrt(variances)), -np.diag(np.sqrt(variances))])
    shares = variances[:4] / 8
    assert effective_rank(sides @ rotation(5)) == pytest.approx(np.prod(shares**-shares), rel=1e-10)


def test_low_rank_with_a_little_noise_is_little_more():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal((2000, 3)) @ rotation(40)[:3]
    noisy = signal + 1e-3 * rng.standard_normal((2000, 40))
    assert np.linalg.matrix_rank(noisy) == 40
    assert 2.95 < effective_rank(signal) <= effective_rank(noisy) < 3.01


@BOTH
def test_rotation_and_scale_do_not_matter(rank):
    x = frames()
    assert rank(x @ rotation(7)) == pytest.approx(rank(x), rel=1e-9)
    assert rank(1e3 * x) == pytest.approx(rank(x), rel=1e-9)
    assert rank(1e-4 * x) == pytest.approx(rank(x), rel=1e-9)


def test_an_offset_is_a_direction_of_rankme_only():
    x = frames(offset=0.0)
    shifted = x + 1000.0
    assert effective_rank(shifted) == pytest.approx(effective_rank(x), rel=1e-6)
    assert rankme(shifted) < 1.1 < rankme(x)


@BOTH
def test_stretching_one_dimension_lowers_it(rank):
    x = np.random.default_rng(0).standard_normal((500, 6))
    assert rank(x * [50, 1, 1, 1, 1, 1]) < rank(x) <= 6 + 1e-9


def test_what_does_not_vary_is_refused():
    with pytest.raises(Refused, match="do not vary"):
        effective_rank(np.full((20, 3), 2.0))
    with pytest.raises(Refused, match="do not vary"):
        rankme(np.zeros((20, 3)))


def folded(x, folds=8):
    return [ViewMoments.of(x[np.arange(len(x)) % folds == f]) for f in range(folds)]


def test_the_participation_ratio_is_that_of_covariances_of_different_folds():
    x = frames(n=400) * [9, 5, 3, 1, 1, 1, 0.5]
    covariances = [np.cov(x[np.arange(400) % 8 == f], rowvar=False) for f in range(8)]
    pairs = list(itertools.permutations(covariances, 2))
    wanted = np.mean([np.trace(a) * np.trace(b) for a, b in pairs]) / np.mean([np.trace(a @ b) for a, b in pairs])
    assert participation_ratio(folded(x)) == pytest.approx(wanted, rel=1e-9)
    for moved in (x @ rotation(7), 1e3 * x, x + 50):
        assert participation_ratio(folded(moved)) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("per_dimension", [2, 14])
def test_the_participation_ratio_of_equal_directions_does_not_depend_on_their_number_of_frames(per_dimension):
    rng = np.random.default_rng(per_dimension)
    found = [participation_ratio(folded(rng.standard_normal((128 * per_dimension, 128)))) for _ in range(6)]
    assert np.mean(found) == pytest.approx(128, rel=0.01)
    assert effective_rank(rng.standard_normal((256, 128))) < 105


def test_the_participation_ratio_of_a_planted_spectrum():
    values = np.array([16.0, 4, 4, 1, 1, 1, 1, 0])
    x = np.random.default_rng(0).standard_normal((40_000, 8)) * np.sqrt(values)
    assert participation_ratio(folded(x)) == pytest.approx(values.sum() ** 2 / np.square(values).sum(), rel=0.02)


def test_frames_that_do_not_vary_or_are_in_one_fold_are_refused():
    with pytest.raises(Refused, match="do not vary"):
        participation_ratio(folded(np.full((80, 3), 2.0)))
    with pytest.raises(Refused, match="1 folds with frames, 2 needed"):
        participation_ratio(folded(frames(), 1))
