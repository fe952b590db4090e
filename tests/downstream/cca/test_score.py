"""cca_score on arrays: one fold held out, labels as they come, and what it refuses."""

import numpy as np
import pytest

from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import cca_score, r2_cca
from s3prl_plugin.downstream.cca.default import cross_validate
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.refusal import Refused


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((400, 3))
    x = y @ rng.standard_normal((3, 6)) + 2 * rng.standard_normal((400, 6)) + 5
    return x.astype(np.float32), y.astype(np.float32), np.arange(400) % 4


@pytest.fixture
def tokens():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, 400)
    return rng.standard_normal((5, 6))[labels] + rng.standard_normal((400, 6)), labels, np.arange(400) % 4


def test_without_a_dev_fold_it_is_one_fold_of_the_cross_validation(rows):
    x, y, fold = rows
    whole = cross_validate([Moments.of(x[fold == f], y[fold == f]) for f in range(4)], k=3)
    for test in range(4):
        result = cca_score(x, y, fold, None, test)
        np.testing.assert_allclose(result.correlations, whole.correlations[test], atol=1e-10)
        np.testing.assert_allclose(result.train_correlations, whole.train_correlations[test], atol=1e-10)
        assert result.score == pytest.approx(whole.per_fold_pwcca[test])
        assert result.r == pytest.approx(whole.per_fold_r[test])
        assert result.r2 == pytest.approx(r2_cca(x, y, fold).per_fold[test], rel=0.05)
        assert (result.n_train, result.n_test, result.protocol) == (300, 100, "default")


def test_a_dev_fold_is_left_out_of_training(rows):
    x, y, fold = rows
    with_dev = cca_score(x, y, fold, 1, 0)
    without_its_rows = cca_score(x[fold != 1], y[fold != 1], fold[fold != 1], None, 0)
    assert with_dev.n_train == 200
    np.testing.assert_array_equal(with_dev.correlations, without_its_rows.correlations)


def test_labels_names_and_one_hot_columns_are_the_same(tokens):
    x, labels, fold = tokens
    results = [
        cca_score(x, view, fold, None, 0)
        for view in (labels, np.array(list("abcde"))[labels], np.eye(5)[labels], np.eye(5, dtype=bool)[labels])
    ]
    for result in results:
        assert result.correlations.shape == (4,)
        np.testing.assert_allclose(result.correlations, results[0].correlations, atol=1e-12)


def test_held_out_rows_of_unseen_classes_are_dropped_and_counted(tokens):
    x, labels, fold = tokens
    labels = labels.copy()
    labels[fold == 0] = np.where(np.arange((fold == 0).sum()) < 7, 9, labels[fold == 0])
    result = cca_score(x, labels, fold, None, 0)
    seen = labels != 9
    expected = cca_score(x[seen], labels[seen], fold[seen], None, 0)
    assert (result.dropped, result.n_test) == (7, 93)
    np.testing.assert_allclose(result.correlations, expected.correlations, atol=1e-12)


def test_more_classes_than_dimensions_count_zero(tokens):
    x, labels, fold = tokens
    result = cca_score(x[:, :2], labels, fold, None, 0)
    assert (result.correlations[2:] == 0).all()
    assert result.r == pytest.approx(result.correlations[:2].sum() / 4)


@pytest.mark.parametrize("protocol", ["default", "published"])
def test_float32_and_float64_agree(rows, protocol):
    x, y, fold = rows
    single = cca_score(x, y, fold, 1, 0, protocol=protocol)
    double = cca_score(x.astype(np.float64), y.astype(np.float64), fold, 1, 0, protocol=protocol)
    assert single.score == pytest.approx(double.score, abs=1e-12)


def test_huge_offsets_in_float32_lose_no_more_than_the_rows_have(rows):
    x, y, fold = rows
    near, far = (cca_score(x + np.float32(offset), y, fold, None, 0) for offset in (0, 1e4))
    assert far.r == pytest.approx(near.r, abs=1e-3)
    assert far.score == pytest.approx(near.score, abs=1e-3)


def test_few_rows_are_grey_and_fewer_are_refused(rows):
    x, y, fold = rows
    assert cca_score(x, y, fold, None, 0).grey is None
    assert "limited by data" in cca_score(x[:32], y[:32], fold[:32], None, 0).grey
    with pytest.raises(Refused, match="effective training rows per dimension, at least"):
        cca_score(x[:8], y[:8], fold[:8], None, 0)


def test_one_class_is_refused(tokens):
    x, _, fold = tokens
    with pytest.raises(Refused, match="two classes"):
        cca_score(x, np.zeros(400, dtype=int), fold, None, 0)
    with pytest.raises(Refused, match="no row of the classes"):
        cca_score(x, fold, np.repeat(np.arange(2), 200) * 0 + (fold == 0), None, 1)


@pytest.mark.parametrize("protocol", ["default", "published"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_constant_view_is_refused(rows, protocol, which):
    views = [rows[0], rows[1]]
    views[which] = np.full_like(views[which], 0.1)
    with pytest.raises(Refused, match="constant"):
        cca_score(*views, rows[2], 1, 0, protocol=protocol)


def test_bad_arguments_are_one_line(rows):
    x, y, fold = rows
    spoilt = x.copy()
    spoilt[3, 1] = np.nan
    for arguments, message in [
        ((spoilt, y, fold, None, 0), "x has NaN or infinite values in 1 of 400 rows"),
        ((x[:-1], y, fold, None, 0), "do not fit together"),
        ((x, y, fold[:, None], None, 0), "do not fit together"),
        ((x, y[:, 0], fold, None, 0), "holds labels, and these are float32"),
        ((x, y, fold, None, 7), "0 test rows"),
        ((x, y, fold > 0, 1, 0), "0 training rows"),
    ]:
        with pytest.raises(UserError, match=message) as caught:
            cca_score(*arguments)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="did you mean 'published'"):
        cca_score(x, y, fold, 1, 0, protocol="publised")
