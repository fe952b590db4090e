"""The published protocol gives the published tool's numbers on the arrays that the tool was run on."""

import sys
from pathlib import Path

import numpy as np
import pytest

from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import cca_score
from s3prl_plugin.downstream.cca.canonical import correlations
from s3prl_plugin.downstream.cca.published import EPSILONS, PublishedFitter, cross_validate_published, evaluate
from s3prl_plugin.inference.refusal import Refused

DEV, TEST = 1, 0  # the folds that the tool was given
CASES = ["cca_N2000_d32_80", "cca_N2000_d32_onehot20", "cca_deaddims", "cca_N20000_d256_80"]


@pytest.fixture(scope="module")
def oracle(shared):
    """name -> (x, y, what the tool made of them); the largest case's arrays are generated as it says."""
    folder = shared / "oracle" / "measures"

    def load(name):
        with np.load(folder / f"{name}.npz", allow_pickle=False) as saved:
            truth = dict(saved)
        if "x" in truth:
            y = truth["y"] if "y" in truth else truth["label"]
            return truth["x"], y, truth
        x, y, _ = _planted(folder)(20000, 256, 80, 12, 1053, rogue=2)
        return x, y, truth

    return load


def _planted(folder: Path):
    """The generator of the oracle's arrays."""
    sys.path.insert(0, str(folder))
    try:
        import synth
    finally:
        sys.path.remove(str(folder))
    return synth.planted


@pytest.mark.parametrize("epsilon", [0, 1, 2])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("precision", "tolerance"), [("f32", 1e-5), ("f64", 1e-8)])
def test_scores_are_the_tools(oracle, case, epsilon, precision, tolerance):
    x, y, truth = oracle(case)
    result = cca_score(x, y, truth["fold"], DEV, TEST, tuple(truth["eps"][epsilon]), "published")
    expected = {key.removeprefix(f"{precision}_e{epsilon}_"): value for key, value in truth.items()}
    of_labels = "onehot" in case  # the last direction of one-hot labels is rounding noise, and with it the scores
    directions = slice(None, -1) if of_labels else slice(None)
    tolerance = 1e-5 if of_labels else tolerance
    assert len(result.correlations) == len(expected["test_r"])
    np.testing.assert_allclose(result.correlations[directions], expected["test_r"][directions], atol=tolerance)
    np.testing.assert_allclose(result.train_correlations[directions], expected["train_r"][directions], atol=tolerance)
    if not of_labels:
        assert result.r == pytest.approx(expected["test_meanr"], abs=tolerance)
        assert result.score == pytest.approx(expected["test_pwcca"], abs=tolerance)
        assert result.mean_score == pytest.approx(expected["test_pwcca_mean"], abs=tolerance)


@pytest.mark.parametrize("case", ["cca_N2000_d32_80", "cca_deaddims"])
def test_both_weightings_and_what_is_kept_are_the_tools(oracle, case):
    x, y, truth = oracle(case)
    fold = truth["fold"]
    train = (fold != DEV) & (fold != TEST)
    fit = PublishedFitter(Moments.of(x[train], y[train])).fit(tuple(truth["eps"][0]))
    assert (fit.kept_x == truth["e0_x_idxs"]).all()
    assert (fit.kept_y == truth["e0_y_idxs"]).all()
    for name, rows in (("train", train), ("dev", fold == DEV), ("test", fold == TEST)):
        scores = evaluate(fit, Moments.of(x[rows], y[rows]))
        assert scores.pwcca_x == pytest.approx(float(truth[f"f64_e0_{name}_pwx"]), abs=1e-8)
        assert scores.pwcca_y == pytest.approx(float(truth[f"f64_e0_{name}_pwy"]), abs=1e-8)


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((600, 4))
    x = y @ rng.standard_normal((4, 6)) + 2 * rng.standard_normal((600, 6)) + 1
    return x, y, np.arange(600) % 10


def test_one_fit_is_the_plain_way(small):
    """np.cov, the inverse root of the regularised covariances, a full SVD, and correlations of projected rows."""
    x, y, fold = small
    epsilon = 0.01
    train, test = fold > 1, fold == 0
    joint = np.cov(x[train].T, y[train].T)
    xx, xy, yy = joint[:6, :6], joint[:6, 6:], joint[6:, 6:]
    xx, xy, yy = xx / xx.max(), xy / np.sqrt(xx.max() * yy.max()), yy / yy.max()
    roots = []
    for covariance in (xx, yy):
        values, vectors = np.linalg.eigh(covariance + epsilon * np.eye(len(covariance)))
        roots.append(vectors @ np.diag(values**-0.5) @ vectors.T)
    u, _, vt = np.linalg.svd(roots[0] @ xy @ roots[1])
    a, b = x[test] @ (u.T @ roots[0]).T, y[test] @ (vt @ roots[1]).T
    expected = [np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(4)]
    result = cca_score(x, y, fold, 1, 0, (epsilon, epsilon), "published")
    np.testing.assert_allclose(result.correlations, expected, atol=1e-12)


def test_the_weights_are_those_of_the_projected_rows(small):
    """The tool's steps on the rows themselves, QR and all."""
    x, y, fold = small
    train = Moments.of(x[fold > 1], y[fold > 1])
    fit = PublishedFitter(train).fit((1e-9, 1e-9))
    rows = y[fold == 0]
    outputs = (rows - rows.mean(axis=0)) @ fit.directions.y.T + rows.mean(axis=0)[:4]
    basis, _ = np.linalg.qr(outputs)
    weights = np.abs(basis.T @ rows[:, :4]).sum(axis=1)
    held_out = Moments.of(x[fold == 0], rows)
    expected = weights @ correlations(fit.directions, held_out) / weights.sum()
    assert evaluate(fit, held_out).pwcca_y == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("d_x", "d_y", "view"), [(3, 4, "x"), (4, 4, "y"), (6, 4, "y")])
def test_the_view_with_fewer_dimensions_weights_and_on_a_tie_the_second(small, d_x, d_y, view):
    x, y, fold = small
    train = Moments.of(x[fold > 1, :d_x], y[fold > 1, :d_y])
    scores = evaluate(PublishedFitter(train).fit((1e-9, 1e-9)), Moments.of(x[fold == 0, :d_x], y[fold == 0, :d_y]))
    assert scores.pwcca_x != scores.pwcca_y
    assert scores.score == getattr(scores, f"pwcca_{view}")


def test_trials_choose_epsilon_on_dev_and_score_on_test(small):
    x, y, fold = small
    folds = [Moments.of(x[fold == f], y[fold == f]) for f in range(10)]
    epsilons = [(1e-9, 1e-9), (0.3, 0.3), (0.1, 1e-9)]
    trials = cross_validate_published(folds, [(1, 0), (5, 2)], epsilons)
    for (dev, test), scores in zip([(1, 0), (5, 2)], trials, strict=True):
        on_dev = [cca_score(x, y, fold, test, dev, e, "published").score for e in epsilons]
        best = cca_score(x, y, fold, dev, test, epsilons[int(np.argmax(on_dev))], "published")
        assert scores.score == pytest.approx(best.score, abs=1e-12)


def test_the_scale_of_the_features_does_not_matter(small):
    x, y, fold = small
    tiny = cca_score(x * 1e-9, y * 1e-9, fold, 1, 0, protocol="published")
    expected = cca_score(x, y, fold, 1, 0, protocol="published").correlations
    np.testing.assert_allclose(tiny.correlations, expected, atol=1e-9)


def test_its_pwcca_depends_on_offsets(small):
    """A fault of the published protocol, kept for comparison."""
    x, y, fold = small
    shifted = cca_score(x + 30 * x.std(axis=0), y + 30 * y.std(axis=0), fold, 1, 0, protocol="published")
    centred = cca_score(x, y, fold, 1, 0, protocol="published")
    np.testing.assert_allclose(shifted.correlations, centred.correlations, atol=1e-9)
    assert abs(shifted.score - centred.score) > 0.01


@pytest.mark.parametrize("epsilon", [(1e-10, 1e-10), (2.0, 2.0)], ids=["constant", "above every variance"])
def test_a_view_without_variance_is_refused(small, epsilon):
    x, y, fold = small
    x = np.full_like(x, 0.3) if epsilon[0] < 1 else x
    with pytest.raises(Refused, match=r"constant|above every variance"):
        cca_score(x, y, fold, 1, 0, epsilon, "published")


def test_a_test_fold_of_fewer_rows_than_directions_is_refused(small):
    x, y, _ = small
    fold = np.r_[0, 0, np.ones(3, dtype=int), np.full(595, 2)]
    with pytest.raises(Refused, match="more rows"):
        cca_score(x - x.mean(axis=0), y - y.mean(axis=0), fold, 1, 0, protocol="published")


def test_the_epsilons_that_the_tool_tries():
    assert len(set(EPSILONS)) == 9
    assert {e for pair in EPSILONS for e in pair} == {1e-9, 1e-10, 1e-11}
