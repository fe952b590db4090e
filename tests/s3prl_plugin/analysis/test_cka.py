"""Linear CKA: its definition over pairs of folds, its invariances, and zero where the usual estimators are not."""

import itertools

import numpy as np
import pytest

from s3prl_plugin.analysis.cka import linear_cka
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.inference.refusal import Refused

FOLDS = 6


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((600, 5)) * [3, 2, 1, 1, 0.5]
    x = y @ rng.standard_normal((5, 8)) + 2 * rng.standard_normal((600, 8)) + 4
    return x, y


def per_fold(x, y, folds=FOLDS):
    return [Moments.of(*part) for part in zip(np.array_split(x, folds), np.array_split(y, folds), strict=True)]


def cka(folds):
    return linear_cka(folds).value


def biased(x, y):
    """The usual estimator, from the Gram matrices of all rows."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    hsic = np.square(x.T @ y).sum()
    return hsic / np.sqrt(np.square(x.T @ x).sum() * np.square(y.T @ y).sum())


def test_it_is_the_mean_over_pairs_of_folds(rows):
    x, y = rows

    def hsic(a, b):
        parts = zip(np.array_split(a, FOLDS), np.array_split(b, FOLDS), strict=True)
        d = a.shape[1]
        covariances = [np.cov(p.T, q.T)[:d, d:] for p, q in parts]
        return np.mean([(c * e).sum() for c, e in itertools.permutations(covariances, 2)])

    assert cka(per_fold(x, y)) == pytest.approx(hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y)))


def test_with_many_rows_it_is_the_usual_one():
    rng = np.random.default_rng(1)
    y = rng.standard_normal((60_000, 4))
    x = y @ rng.standard_normal((4, 6)) + rng.standard_normal((60_000, 6))
    assert cka(per_fold(x, y)) == pytest.approx(biased(x, y), abs=2e-3)


def test_it_is_invariant_under_rotation_scale_and_shift_but_not_under_other_maps(rows):
    x, y = rows
    rng = np.random.default_rng(2)
    (qx, _), (qy, _) = np.linalg.qr(rng.standard_normal((8, 8))), np.linalg.qr(rng.standard_normal((5, 5)))
    plain = cka(per_fold(x, y))
    assert cka(per_fold(40 * x @ qx + 7, -0.1 * y @ qy - 3)) == pytest.approx(plain, abs=1e-9)
    assert abs(cka(per_fold(x * np.arange(1, 9), y)) - plain) > 0.01
    assert cka(per_fold(y, x)) == pytest.approx(plain)


def test_a_view_and_its_rotation_are_one(rows):
    x, _ = rows
    q, _ = np.linalg.qr(np.random.default_rng(3).standard_normal((8, 8)))
    assert cka(per_fold(x, x @ q)) == pytest.approx(1)


def autocorrelated(rng, utterances, frames, d):
    """(utterances, frames, d) in which a frame resembles the next one, and utterances are independent."""
    noise = rng.standard_normal((utterances, frames, d))
    for t in range(1, frames):
        noise[:, t] += 0.98 * noise[:, t - 1]
    return noise


def test_independent_autocorrelated_views_are_zero():
    rng = np.random.default_rng(4)
    found, usual = [], []
    for _ in range(40):
        x, y = (autocorrelated(rng, FOLDS, 300, 20) for _ in range(2))
        found.append(cka([Moments.of(a, b) for a, b in zip(x, y, strict=True)]))
        usual.append(biased(x.reshape(-1, 20), y.reshape(-1, 20)))
    assert np.mean(usual) > 0.2
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(40)
    assert abs(np.mean(found)) < 0.02


def test_the_jackknife_leaves_out_each_fold(rows):
    folds = per_fold(*rows)
    without = [cka(folds[:f] + folds[f + 1 :]) for f in range(FOLDS)]
    spread = np.sqrt((FOLDS - 1) / FOLDS * np.square(np.array(without) - np.mean(without)).sum())
    assert linear_cka(folds).replicates == pytest.approx(without)
    assert linear_cka(folds).standard_error == pytest.approx(spread)


def test_what_has_no_value_is_refused(rows):
    x, y = rows
    with pytest.raises(Refused, match="varies too little"):
        cka(per_fold(np.zeros_like(x), y))
    for folds in (1, 2):
        with pytest.raises(Refused, match=f"{folds} folds with rows, 3 needed"):
            cka(per_fold(x, y, folds=folds))
    empty = Moments.of(x[:0], y[:0])
    assert cka([*per_fold(x, y), empty]) == cka(per_fold(x, y))
