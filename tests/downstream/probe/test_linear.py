"""The closed-form probe against scikit-learn's, a literal cross-validation, and planted truth."""

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from s3prl_plugin.downstream.probe import cross_validated
from s3prl_plugin.downstream.probe.linear import SHRINKAGES, FoldedRows
from s3prl_plugin.inference.refusal import Refused


def planted(n=600, d=20, classes=5, folds=6, apart=1.0, seed=0):
    """Normal rows around a centre for every class, of a covariance that is not a sphere's."""
    rng = np.random.default_rng(seed)
    label = rng.choice(classes, n, p=np.arange(1, classes + 1) / sum(range(classes + 1)))
    centres, mixing = rng.standard_normal((classes, d)), rng.standard_normal((d, d))
    x = (apart * centres[label] + rng.standard_normal((n, d))) @ mixing + 7
    return x, label, rng.permutation(np.arange(n) % folds)


def by_sklearn(x, label, shrinkage):
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(x, label)


@pytest.mark.parametrize("d", [20, 700])
def test_labels_are_those_of_scikit_learn(d):
    x, label, fold = planted(d=d)
    found = cross_validated(x, label, fold)
    for number, shrinkage in enumerate(found.shrinkage):
        scored = fold == number
        told = by_sklearn(x[~scored], label[~scored], shrinkage).predict(x[scored])
        assert (found.predicted[scored] == told).mean() > 0.99, "but for ties within rounding"
        assert found.accuracy[number] == (found.predicted == label)[scored].mean()
        balanced = balanced_accuracy_score(label[scored], found.predicted[scored])
        assert found.balanced[number] == pytest.approx(balanced)


def test_shrinkage_is_chosen_on_other_folds():
    x, label, fold = planted(n=150, d=60, apart=0.6)
    found = FoldedRows(x, fold).chosen(label)
    for number, chosen in enumerate(found):
        right = dict.fromkeys(SHRINKAGES, 0)
        for beside in ((number + 1) % 6, (number - 1) % 6):
            learned = ~np.isin(fold, [number, beside])
            for shrinkage in SHRINKAGES:
                given = by_sklearn(x[learned], label[learned], shrinkage).predict(x[fold == beside])
                right[shrinkage] += (given == label[fold == beside]).sum()
        assert right[chosen] >= max(right.values()) - 1, "but for ties within rounding"
    spoilt = x.copy()
    spoilt[fold == 2] = np.random.default_rng(1).standard_normal((int((fold == 2).sum()), 60))
    assert FoldedRows(spoilt, fold).chosen(label)[2] == found[2], "a fold has no say in its own"


def test_as_good_as_logistic_regression_and_near_the_best_there_is():
    x, label, fold = planted(n=3000, d=20, apart=0.8)
    found = cross_validated(x, label, fold).accuracy.mean()
    logistic = np.mean(
        [
            LogisticRegression(max_iter=2000).fit(x[fold != f], label[fold != f]).score(x[fold == f], label[fold == f])
            for f in range(6)
        ]
    )
    assert found > logistic - 0.01
    perfect, label, fold = planted(apart=20.0)
    assert cross_validated(perfect, label, fold).accuracy.min() == 1


def test_invariances():
    x, label, fold = planted(n=200, d=30)
    found = cross_validated(x, label, fold)
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((30, 30)))[0]
    for moved in (3 * x + 5, x @ rotation):
        assert (cross_validated(moved, label, fold).predicted == found.predicted).mean() > 0.99


def test_a_class_that_is_missing_in_training_is_never_given():
    x, label, fold = planted(n=200)
    label[(label == 4) & (fold != 0)] = 0
    found = FoldedRows(x, fold).probed(label, [0.1] * 6)
    assert (label[fold == 0] == 4).any()
    assert not (found.predicted[fold == 0] == 4).any()


def test_a_layer_that_is_constant_is_refused():
    _, label, fold = planted()
    with pytest.raises(Refused, match="no covariance"):
        cross_validated(np.ones((600, 3)), label, fold)
