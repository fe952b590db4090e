"""The default protocol against its definition on the rows, and its invariances."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats

from s3prl_plugin.analysis.planning.labels import labelled_folds
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca.default import cross_validate, jackknife
from s3prl_plugin.downstream.cca.pair import FoldedView
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused

FOLDS = 5


@pytest.fixture(scope="module")
def rows():
    """Two views with correlations of very different sizes, and folds of uneven size."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((500, 4))
    x = latent @ (np.diag([3, 1.5, 0.8, 0.3]) @ rng.standard_normal((4, 9))) + rng.standard_normal((500, 9)) + 2
    y = latent @ rng.standard_normal((4, 4)) + 0.5 * rng.standard_normal((500, 4)) - 1
    return x, y, rng.choice(FOLDS, 500, p=[0.3, 0.25, 0.2, 0.15, 0.1])


def per_fold(x, y, fold, folds=FOLDS):
    return [Moments.of(x[fold == f], y[fold == f]) for f in range(folds)]


def plainly(x, y, fold):
    """(mean train r, mean held-out r, pwcca) from the rows, by the textbook: inverse roots, SVD, projections."""
    train_r, held_out_r, pwcca = [], [], []
    for f in np.unique(fold):
        train, test = fold != f, fold == f
        joint = np.cov(x[train].T, y[train].T)
        d = x.shape[1]
        root_x, root_y = (np.real(scipy.linalg.sqrtm(np.linalg.inv(c))) for c in (joint[:d, :d], joint[d:, d:]))
        u, s, vt = np.linalg.svd(root_x @ joint[:d, d:] @ root_y, full_matrices=False)
        a, b = x @ root_x @ u, y @ root_y @ vt.T
        r = np.array([scipy.stats.pearsonr(a[test, i], b[test, i]).statistic for i in range(len(s))])
        centred = y[train] - y[train].mean(axis=0)
        weights = np.abs((b[train] - b[train].mean(axis=0)).T @ centred).sum(axis=1)
        train_r.append(s.mean())
        held_out_r.append(r.mean())
        pwcca.append(weights @ r / weights.sum())
    return np.mean(train_r), np.mean(held_out_r), np.mean(pwcca)


def test_scores_are_those_of_the_rows(rows):
    scores = cross_validate(per_fold(*rows), k=4)
    train_r, r, pwcca = plainly(*rows)
    assert scores.r == pytest.approx(r, abs=1e-10)
    assert scores.train_correlations.mean() == pytest.approx(train_r, abs=1e-10)
    assert scores.pwcca == pytest.approx(pwcca, abs=1e-10)
    assert scores.n == 500
    assert scores.n_train == 500 - np.bincount(rows[2]).max()
    assert scores.n_over_d == scores.n_train / 9


def test_replicates_are_cross_validations_without_a_fold(rows):
    x, y, fold = rows
    result = jackknife(per_fold(*rows), k=4)
    for f in range(FOLDS):
        _, r, pwcca = plainly(x[fold != f], y[fold != f], fold[fold != f])
        assert result.r.replicates[f] == pytest.approx(r, abs=1e-10)
        assert result.pwcca.replicates[f] == pytest.approx(pwcca, abs=1e-10)
    assert result.scores.r == result.r.value == cross_validate(per_fold(*rows), k=4).r
    by_formula = intervals.jackknife(result.r.value, result.r.replicates)
    assert result.r.interval() == by_formula.interval()


def test_a_fit_is_shared_by_both_folds_it_leaves_out(rows, monkeypatch):
    from s3prl_plugin.downstream.cca import split

    fits = []
    monkeypatch.setattr(split, "fit", lambda *args, fit=split.fit: fits.append(1) or fit(*args))
    jackknife(per_fold(*rows), k=4)
    assert len(fits) == FOLDS + FOLDS * (FOLDS - 1) / 2


def test_a_shared_view_is_whitened_once_and_changes_nothing(rows, monkeypatch):
    from s3prl_plugin.downstream.cca import pair as views

    whitened = []
    monkeypatch.setattr(views, "whiten", lambda *args, whiten=views.whiten: whitened.append(1) or whiten(*args))
    x, y, fold = rows
    pairs = [per_fold(x, y, fold), per_fold(x, y[:, :2] ** 2, fold)]
    alone = [jackknife(pair, k=2).scores.pwcca for pair in pairs]
    own = len(whitened)
    shared = FoldedView([moments.x for moments in pairs[0]])
    together = [jackknife(pair, k=2, x=shared).scores.pwcca for pair in pairs]
    assert together == alone
    assert len(whitened) - own == own * 3 / 4


@pytest.mark.parametrize("score", ["r", "pwcca"])
def test_the_interval_over_folds_is_nadeau_and_bengios(rows, score):
    scores = cross_validate(per_fold(*rows), k=4)
    estimate = scores.over_folds(score)
    per_held_out = scores.per_fold_r if score == "r" else scores.per_fold_pwcca
    assert estimate.value == pytest.approx(getattr(scores, score))
    assert estimate.standard_error == pytest.approx(np.std(per_held_out, ddof=1) * np.sqrt(1 / 5 + 1 / 4))


def invertible(d, seed):
    """A map far from a rotation, with a condition of about 1e3."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((d, d)))
    return q * np.logspace(-2, 1, d) @ np.linalg.qr(rng.standard_normal((d, d)))[0]


def rotation(d, seed):
    return np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]


def signed_permutation(d, seed):
    rng = np.random.default_rng(seed)
    return np.eye(d)[rng.permutation(d)] * rng.choice([-1, 1], d)


@pytest.mark.parametrize("seed", range(3))
def test_r_is_invariant_under_any_invertible_map_of_either_view(rows, seed):
    x, y, fold = rows
    plain = cross_validate(per_fold(x, y, fold), k=4)
    mapped = cross_validate(per_fold(x @ invertible(9, seed) + 5, y @ invertible(4, seed + 9) - 3, fold), k=4)
    np.testing.assert_allclose(mapped.correlations, plain.correlations, atol=1e-8)


def test_pwcca_is_invariant_under_any_invertible_map_of_the_layers_view(rows):
    x, y, fold = rows
    plain = cross_validate(per_fold(x, y, fold), k=4)
    mapped = cross_validate(per_fold(x @ invertible(9, 1) + 1e3, y, fold), k=4)
    assert mapped.pwcca == pytest.approx(plain.pwcca, abs=1e-8)


@pytest.mark.parametrize(
    "change",
    [lambda y: y + np.array([1e3, -5, 0, 7]), lambda y: -40 * y, lambda y: y @ signed_permutation(4, 2)],
    ids=["shift", "scale", "signed permutation"],
)
def test_pwcca_is_invariant_under_shift_scale_and_signed_permutation_of_the_weighting_view(rows, change):
    x, y, fold = rows
    plain, changed = (cross_validate(per_fold(x, v, fold), k=4) for v in (y, change(y)))
    assert changed.pwcca == pytest.approx(plain.pwcca, abs=1e-9)


def test_pwcca_is_not_invariant_under_rotation_of_the_weighting_view(rows):
    x, y, fold = rows
    plain, rotated = (cross_validate(per_fold(x, v, fold), k=4) for v in (y, y @ rotation(4, 3)))
    assert abs(rotated.pwcca - plain.pwcca) > 1e-3
    assert rotated.r == pytest.approx(plain.r, abs=1e-10)


def test_missing_directions_count_zero(rows):
    x, y, fold = rows
    narrow = cross_validate(per_fold(x[:, :2], y, fold), k=4)
    assert narrow.correlations.shape == (FOLDS, 4)
    assert (narrow.correlations[:, 2:] == 0).all()
    assert narrow.r == pytest.approx(narrow.correlations[:, :2].mean() / 2)
    assert narrow.pwcca < cross_validate(per_fold(x[:, :2], y, fold), k=2).pwcca * 0.51
    assert cross_validate(per_fold(x, y, fold), k=2).correlations.shape == (FOLDS, 2)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: np.column_stack([x, x[:, 0]]),
        lambda x: np.column_stack([x, np.full(len(x), 3.3)]),
        lambda x: np.column_stack([x, x @ np.arange(9.0)]),
        lambda x: np.column_stack([x[:, :8], x[:, 8] * 1e9 + 1e12]),
        lambda x: (x + 1e5).astype(np.float64),
    ],
    ids=["duplicate", "constant", "combination", "one huge dimension", "huge offsets"],
)
def test_degenerate_dimensions_do_not_change_the_scores(rows, spoil):
    x, y, fold = rows
    plain, spoilt = (jackknife(per_fold(v, y, fold), k=4) for v in (x, spoil(x)))
    for score in ("r", "pwcca"):
        assert getattr(spoilt.scores, score) == pytest.approx(getattr(plain.scores, score), abs=1e-6)
        assert getattr(spoilt, score).interval() == pytest.approx(getattr(plain, score).interval(), abs=1e-6)


def test_a_duplicated_reference_dimension_is_one_direction(rows):
    x, y, fold = rows
    plain = cross_validate(per_fold(x, y, fold), k=4)
    doubled = cross_validate(per_fold(x, np.column_stack([y, y[:, 0]]), fold), k=5)
    assert doubled.r == pytest.approx(plain.r * 4 / 5, abs=1e-9)


def test_labels_have_one_direction_less_than_classes():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 6, 600)
    x = rng.standard_normal((6, 12))[labels] + rng.standard_normal((600, 12))
    data = labelled_folds(x, labels, np.arange(600) % 8, 8)
    result = jackknife(data.folds, data.k)
    assert result.scores.k == data.k == 5
    assert (result.scores.correlations != 0).all()
    with_noise = cross_validate(data.folds, k=6)
    assert (with_noise.correlations[:, 5] == 0).all()


def test_shuffled_labels_give_zero_within_the_interval():
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 8, 1200)
    x = rng.standard_normal((8, 30))[labels] + rng.standard_normal((1200, 30))
    fold = np.arange(1200) % 8
    shuffled = labelled_folds(x, rng.permutation(labels), fold, 8)
    result = jackknife(shuffled.folds, shuffled.k)
    for estimate in (result.r, result.pwcca):
        low, high = estimate.interval()
        assert low < 0 < high
    assert abs(result.scores.r) < 0.03
    true = labelled_folds(x, labels, fold, 8)
    assert jackknife(true.folds, true.k).r.interval()[0] > 0.5


def test_fewer_rows_than_dimensions_stay_finite(rows):
    _, y, fold = rows
    wide = np.random.default_rng(7).standard_normal((500, 700))
    scores = cross_validate(per_fold(wide, y, fold), k=4)
    assert np.isfinite([scores.r, scores.pwcca]).all()
    assert scores.train_correlations.mean() == pytest.approx(1, abs=1e-6)
    assert scores.n_over_d < 1


def test_a_class_absent_from_training_is_a_direction_less(rows):
    """Possible only where `labels.eligible` was not asked; then its direction counts 0, and nothing is NaN."""
    x, _, fold = rows
    y = np.eye(3)[np.where(fold == 0, 2, np.arange(500) % 2)]
    scores = cross_validate(per_fold(x, y, fold), k=2)
    assert np.isfinite(scores.correlations).all()
    assert scores.correlations[0, 1] == 0


@pytest.mark.parametrize("which", ["x", "y"])
def test_a_constant_view_is_refused(rows, which):
    x, y, fold = rows
    x, y = (np.full_like(x, 0.7), y) if which == "x" else (x, np.full_like(y, 1e6))
    with pytest.raises(Refused, match="constant"):
        cross_validate(per_fold(x, y, fold), k=4)


def test_one_class_is_refused(rows):
    x, y, fold = rows
    with pytest.raises(Refused, match="two classes"):
        cross_validate(per_fold(x, y[:, :1], fold), k=0)


def test_too_few_folds_are_refused_and_empty_ones_are_not_scored(rows):
    x, y, fold = rows
    with_empty = [*per_fold(x, y, fold), Moments.of(x[:0], y[:0])]
    assert cross_validate(with_empty, k=4).r == pytest.approx(cross_validate(per_fold(x, y, fold), k=4).r)
    assert len(jackknife(with_empty, k=4).r.replicates) == FOLDS
    with pytest.raises(Refused, match="2 folds with rows"):
        cross_validate(per_fold(x, y, fold % 2, folds=4), k=4)
    with pytest.raises(Refused, match="needs 4"):
        jackknife(per_fold(x, y, fold % 3, folds=3), k=4)


def test_a_ridge_reports_real_training_correlations(rows):
    x, y, fold = rows
    ridged = cross_validate(per_fold(x, y, fold), k=4, ridge=0.3)
    train, test = fold != 0, fold == 0
    sides = []
    for view in (x, y):
        view = (view - view[train].mean(axis=0)) / view[train].std(axis=0)
        correlation = np.corrcoef(view[train].T) + 0.3 * np.eye(view.shape[1])
        sides.append(view @ np.real(scipy.linalg.sqrtm(np.linalg.inv(correlation))))
    u, _, vt = np.linalg.svd(sides[0][train].T @ sides[1][train], full_matrices=False)
    a, b = sides[0] @ u, sides[1] @ vt.T
    for found, used in ((ridged.train_correlations[0], train), (ridged.correlations[0], test)):
        expected = [scipy.stats.pearsonr(a[used, i], b[used, i]).statistic for i in range(4)]
        np.testing.assert_allclose(found, expected, atol=1e-10)


def test_the_spectrum_is_the_mean_over_folds(rows):
    scores = cross_validate(per_fold(*rows), k=4)
    np.testing.assert_allclose(scores.spectrum, scores.correlations.mean(axis=0))
    assert scores.spectrum.mean() == pytest.approx(scores.r)
