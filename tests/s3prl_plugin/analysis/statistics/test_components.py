"""The first component against numpy's SVD, whitening against its definition."""

import numpy as np
import pytest

from s3prl_plugin.analysis.statistics.components import RowWhitening, caveat, covariance, dominance, first_component
from s3prl_plugin.inference.refusal import Refused


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    mixed = (
        rng.standard_normal((600, 8)) * [30, 5, 3, 2, 1, 1, 0.1, 0.01] @ np.linalg.qr(rng.standard_normal((8, 8)))[0]
    )
    return (mixed + 100).astype(np.float32)


def test_the_first_component_is_that_of_the_singular_values(rows):
    singular = np.linalg.svd(rows.astype(float) - rows.astype(float).mean(0), compute_uv=False)
    share = singular[0] ** 2 / np.square(singular).sum()
    assert first_component(covariance(rows)) == pytest.approx(share, rel=1e-9)
    found = dominance(rows)
    assert found["first_component"] == pytest.approx(share, rel=1e-9)
    assert (
        found["caveat"]
        == f"one component holds {100 * share:.0f} % of this tap's variance: k-means units see little else"
    )


def test_equal_directions_have_equal_shares_and_no_caveat():
    assert first_component(np.eye(50)) == pytest.approx(1 / 50)
    assert first_component(np.zeros((3, 3))) is None
    assert caveat(0.5, "it") is None
    assert caveat(0.501, "it") is not None
    assert dominance(np.ones((1, 3), np.float32)) == {"first_component": None, "caveat": None}


def test_whitened_training_rows_have_unit_covariance_and_others_are_mapped_alike(rows):
    whitening = RowWhitening.of(rows[:500])
    np.testing.assert_allclose(np.cov(whitening(rows[:500]), rowvar=False), np.eye(8), atol=1e-4)
    one, other = rows[500:], rows[500:] * 2 - rows[:100]  # affine combinations stay such
    np.testing.assert_allclose(whitening(other), 2 * whitening(one) - whitening(rows[:100]), atol=2e-2)


def test_null_directions_are_left_out(rows):
    doubled = np.concatenate([rows, rows[:, :3]], axis=1)
    assert RowWhitening.of(doubled).map.shape == (11, 8)


@pytest.mark.parametrize(
    ("bad", "reason"), [(np.ones((100, 4)), "do not vary"), (np.eye(9), r"9 training rows for 9 dimensions to whiten")]
)
def test_what_cannot_be_whitened_is_refused(bad, reason):
    with pytest.raises(Refused, match=reason):
        RowWhitening.of(bad.astype(np.float32))
