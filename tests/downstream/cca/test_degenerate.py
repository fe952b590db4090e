"""What cannot be analysed, through everything that users call: a stated refusal or the right limit, never NaN."""

import math

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.planning.labels import one_hot
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import cca_score
from s3prl_plugin.downstream.cca.controlled import ControlledPair
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.downstream.cca.protocols import CcaDefault, CcaPublished
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.states.taps import Tap

FOLDS = 10  # the published protocol's
D = 9
TAP = Tap(0, "layer0", None, "0", 320, D)


@pytest.fixture(scope="module")
def make_row():
    return RowMaker("cca", {"upstream": "u"}, Plan(planted.corpus(), 0))


@pytest.fixture(scope="module")
def tokens():
    """Rows of a layer that knows four classes, well enough."""
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, 600)
    return rng.standard_normal((4, D))[label] + rng.standard_normal((600, D)), one_hot(label, np.arange(4))


SPOILS = {
    "constant dimension": lambda x, y: (np.column_stack([x[:, :8], np.full(len(x), 0.1)]), y),
    "huge constant dimension": lambda x, y: (np.column_stack([x[:, :8], np.full(len(x), 1e6 + 0.1)]), y),
    "duplicated columns": lambda x, y: (np.column_stack([x[:, :8], x[:, 0]]), y),
    "all columns the same": lambda x, y: (np.repeat(x[:, :1], D, axis=1), y),
    "huge offsets": lambda x, y: (x + 1e6, y),
    "tiny": lambda x, y: (1e-8 * x, y),
    "one huge dimension": lambda x, y: (x * np.r_[1e7, np.ones(8)], y),
    "rank-deficient one-hot": lambda x, y: (x, np.column_stack([y, y[:, 0], np.zeros(len(y))])),
    "constant view": lambda x, y: (np.full_like(x, 0.3), y),
    "one class": lambda x, y: (x, np.ones((len(x), 1))),
    "a class in one fold": lambda x, y: (x, one_hot(np.r_[np.full(6, 4), y[6:].argmax(axis=1)], np.arange(5))),
    "fewer rows than dimensions": lambda x, y: (x[:8], y[:8]),
    "no rows": lambda x, y: (x[:0], y[:0]),
    "two rows a fold": lambda x, y: (x[:20], y[:20]),
    "the view is the label": lambda x, y: (np.column_stack([y, np.zeros((len(y), D - 4))]), y),
}
REFUSED = ("constant view", "one class", "fewer rows than dimensions", "no rows")
UNCHANGED = ("huge offsets", "tiny", "one huge dimension")


def per_fold(x, y):
    fold = np.arange(len(x)) % FOLDS
    return [Moments.of(x[fold == f], y[fold == f]) for f in range(FOLDS)]


@pytest.mark.parametrize("intervals", ["folds", "jackknife", "none"])
@pytest.mark.parametrize("spoil", SPOILS)
def test_rows_have_a_number_or_a_reason(make_row, tokens, spoil, intervals):
    x, y = SPOILS[spoil](*tokens)
    protocol = CcaDefault(make_row, intervals, ["r", "pwcca", "svcca"])
    rows = protocol.rows(TAP, "cca_phone", per_fold(x, y))
    assert len(rows) == 4
    for row in rows:
        numbers = [row.value, row.ci_low, row.ci_high, row.n_over_d, *(row.replicates or row.per_fold or [])]
        assert all(number is None or math.isfinite(number) for number in numbers)
        assert (row.refused is not None) == (spoil in REFUSED)
        assert row.refused is None or "\n" not in row.refused
    if spoil in UNCHANGED:
        plain = protocol.rows(TAP, "cca_phone", per_fold(*tokens))
        for row, expected in zip(rows[:3], plain[:3], strict=True):  # SVCCA does depend on scale
            assert row.value == pytest.approx(expected.value, abs=1e-6)
            assert row.ci_low == (None if expected.ci_low is None else pytest.approx(expected.ci_low, abs=1e-5))
    if spoil == "the view is the label":
        assert [row.value for row in rows[1:]] == pytest.approx([1.0] * 3)
        assert rows[0].value == pytest.approx(1.0, abs=0.01)  # of a covariance on held-out rows


@pytest.mark.parametrize("spoil", SPOILS)
def test_permuted_and_controlled_rows_have_a_number_or_a_reason(make_row, tokens, spoil):
    x, y = SPOILS[spoil](*tokens)
    rng = np.random.default_rng(1)
    protocol = CcaDefault(make_row, "jackknife")
    permuted = [PairOfViews(per_fold(x, rng.permutation(y))) for _ in range(3)]
    for z in (rng.standard_normal((len(x), 2)), np.zeros((len(x), 1)), x[:, :1], y):
        pair = ControlledPair(per_fold(np.column_stack([x, y]), z), D)
        for row in protocol.rows_of_pair(TAP, "cca_phone", pair, permuted, control="z"):
            numbers = [row.value, row.ci_low, row.ci_high, row.chance, row.chance_high]
            assert all(number is None or math.isfinite(number) for number in numbers)
            assert spoil not in REFUSED or row.refused


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("spoil", SPOILS)
def test_the_published_protocol_has_a_number_or_a_reason(make_row, tokens, spoil):
    x, y = SPOILS[spoil](*tokens)
    rows = CcaPublished(make_row, 0).rows(TAP, "cca_phone", per_fold(x, y))
    for row in rows:
        assert (row.value is None) != (row.refused is None)
        assert spoil not in REFUSED or row.refused


@pytest.mark.parametrize("protocol", ["default", "published"])
@pytest.mark.parametrize("spoil", [name for name in SPOILS if name not in ("no rows", "fewer rows than dimensions")])
def test_cca_score_has_a_number_or_a_reason(tokens, spoil, protocol):
    x, y = SPOILS[spoil](*tokens)
    fold = np.arange(len(x)) % FOLDS
    if spoil in REFUSED:
        with pytest.raises(Refused):
            cca_score(x, y, fold, 1, 0, protocol=protocol)
        return
    try:
        result = cca_score(x, y, fold, 1, 0, protocol=protocol)
    except Refused:
        # 16 training rows for 9 dimensions; and the published weights need as many directions as they find.
        assert spoil == "two rows a fold" or protocol == "published"
    else:
        assert np.isfinite([result.score, result.r, *result.correlations]).all()


def test_in_three_folds_a_jackknife_has_no_interval(make_row, tokens):
    fold = np.arange(600) % 3
    folds = [Moments.of(*(view[fold == f] for view in tokens)) for f in range(3)]
    (with_it,), (without,) = (CcaDefault(make_row, how).rows(TAP, "cca_phone", folds) for how in ("folds", "jackknife"))
    assert with_it.value == without.value
    assert (with_it.ci_low is None, without.ci_low) == (False, None)


def test_a_duplicated_class_column_is_no_further_direction(make_row, tokens):
    x, y = tokens
    protocol = CcaDefault(make_row, "none", ["r"])
    plain, doubled = (
        protocol.rows(TAP, "cca_phone", per_fold(x, view))
        for view in (y, np.column_stack([y, y[:, 0], np.zeros(len(y))]))
    )
    for row, expected in zip(doubled, plain, strict=True):  # r2 and r see the span of the columns alone
        assert row.value == pytest.approx(expected.value, abs=1e-9)


def invertible(d, seed):
    rng = np.random.default_rng(seed)
    return np.linalg.qr(rng.standard_normal((d, d)))[0] * np.logspace(-2, 1, d) @ rng.standard_normal((d, d))


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_invariant_under_any_invertible_map_of_the_layer(make_row, tokens, seed):
    x, y = tokens
    protocol = CcaDefault(make_row, "jackknife", ["r", "pwcca"])
    plain, mapped = (protocol.rows(TAP, "cca_phone", per_fold(view, y)) for view in (x, x @ invertible(D, seed) + 1e3))
    for row, expected in zip(mapped, plain, strict=True):
        assert (row.value, row.ci_low, row.ci_high) == pytest.approx(
            (expected.value, expected.ci_low, expected.ci_high), abs=1e-7
        )
        assert row.replicates == pytest.approx(expected.replicates, abs=1e-7)


def test_cca_score_has_the_invariances_that_hold_and_not_the_one_that_does_not(tokens):
    x = tokens[0]
    rng = np.random.default_rng(2)
    y = x[:, :4] @ rng.standard_normal((4, 4)) + rng.standard_normal((600, 4)) * [1, 2, 0.3, 0.1]
    fold = np.arange(600) % FOLDS
    plain = cca_score(x, y, fold, None, 0)
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    signed_permutation = np.eye(4)[[2, 0, 3, 1]] * [1, -1, -1, 1]
    for one, other, pwcca_too in (
        (x @ invertible(D, 4) + 5, y, True),
        (x, 7 * y - 2, True),
        (x, y @ signed_permutation, True),
        (x, y @ invertible(4, 5) + 3, False),
        (x, y @ rotation, False),
    ):
        found = cca_score(one, other, fold, None, 0)
        np.testing.assert_allclose(found.correlations, plain.correlations, atol=1e-7)
        assert found.r2 == pytest.approx(plain.r2, abs=1e-8)
        assert (abs(found.score - plain.score) < 1e-7) == pwcca_too
