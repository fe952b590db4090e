"""Moments equal numpy's on the rows themselves, however the rows are divided."""

import numpy as np
import pytest

from s3prl_plugin.analysis.statistics.view_moments import Moments, ViewMoments, mirrored


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 7)) @ rng.standard_normal((7, 7)) + 1e3
    y = rng.standard_normal((300, 4)) + x[:, :4]
    return x, y


def test_moments_are_numpys_covariance(rows):
    x, y = rows
    moments = Moments.of(x, y)
    both = np.concatenate([x, y], axis=1)
    assert moments.n == 300
    np.testing.assert_allclose(moments.mean, both.mean(axis=0))
    np.testing.assert_allclose(moments.scatter / 299, np.cov(both.T), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("cuts", [[100], [1, 2, 299], [50, 50, 150]])
def test_merging_parts_is_taking_all_rows(rows, cuts):
    x, y = rows
    merged = Moments.merge([Moments.of(*part) for part in zip(np.split(x, cuts), np.split(y, cuts), strict=True)])
    whole = Moments.of(x, y)
    assert merged.n == whole.n
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-13)
    np.testing.assert_allclose(merged.scatter, whole.scatter, rtol=1e-9, atol=1e-9)


def test_merging_is_associative(rows):
    x, y = rows
    a, b, c = (Moments.of(x[i::3] + i, y[i::3] - i) for i in range(3))
    left = Moments.merge([Moments.merge([a, b]), c])
    right = Moments.merge([a, Moments.merge([b, c])])
    np.testing.assert_allclose(left.mean, right.mean, rtol=1e-14)
    np.testing.assert_allclose(left.scatter, right.scatter, rtol=1e-12, atol=1e-9)


def test_an_empty_part_changes_nothing(rows):
    x, y = rows
    whole, empty = Moments.of(x, y), Moments.of(x[:0], y[:0])
    merged = Moments.merge([empty, whole, empty])
    np.testing.assert_allclose(merged.scatter, whole.scatter)
    np.testing.assert_allclose(merged.mean, whole.mean)
    assert np.isfinite(Moments.merge([empty, empty]).scatter).all()


def test_far_apart_means_leave_the_inner_scatter():
    rng = np.random.default_rng(1)
    inner = rng.standard_normal((1000, 3))
    parts = [ViewMoments.of(inner[:500] + 1e6), ViewMoments.of(inner[500:] - 1e6)]
    expected = np.cov(np.concatenate([inner[:500] + 1e6, inner[500:] - 1e6]).T) * 999
    np.testing.assert_allclose(ViewMoments.merge(parts).scatter, expected, rtol=1e-12)


def test_views_of_other_rows_are_refused(rows):
    x, y = rows
    with pytest.raises(ValueError, match="same rows"):
        Moments.of(x, y[:-1])
    with pytest.raises(ValueError, match="rows, dimensions"):
        Moments.of(x[:, 0], y)


@pytest.mark.parametrize("left_out", [[0], [2, 3], [1]])
def test_the_whole_less_some_parts_is_what_the_others_merge_to(left_out):
    rng = np.random.default_rng(5)
    parts = [Moments.of(rng.standard_normal((n, 4)) + n, rng.standard_normal((n, 3)) - n) for n in (30, 40, 50, 20, 0)]
    left = Moments.merge([part for i, part in enumerate(parts) if i not in left_out])
    whole, taken = Moments.merge(parts), [parts[i] for i in left_out]
    for less, merged, of in ((whole.x, left.x, "x"), (whole.y, left.y, "y")):
        found = less.less([getattr(part, of) for part in taken])
        assert found.n == merged.n
        np.testing.assert_allclose(found.mean, merged.mean, rtol=1e-12)
        np.testing.assert_allclose(found.scatter, merged.scatter, rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(whole.cross_less(taken), left.xy, rtol=1e-12, atol=1e-11)


def test_what_rounding_would_tell_is_not_told():
    """A dimension that varies in one part alone: without it, rounding is all that a difference would leave."""
    rng = np.random.default_rng(6)
    rows = [np.column_stack([rng.standard_normal(50), np.full(50, 0.1)]) for _ in range(3)]
    rows[1][:, 1] = 1e3 * rng.standard_normal(50)
    parts = [ViewMoments.of(each) for each in rows]
    whole = ViewMoments.merge(parts)
    assert whole.less([parts[1]]) is None
    assert whole.less([parts[0]]) is not None


@pytest.mark.parametrize("d", [1, 5, 128, 300])
def test_the_lower_half_becomes_the_upper_one(d):
    matrix = np.random.default_rng(7).standard_normal((d, d))
    expected = np.triu(matrix) + np.triu(matrix, 1).T
    assert (mirrored(matrix) == expected).all()
