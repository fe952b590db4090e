"""Labels as views, against scikit-learn's one-hot and moments of the arrays themselves."""

import numpy as np
import pytest
from sklearn.preprocessing import OneHotEncoder

from s3prl_plugin.analysis.planning.labels import eligible, is_one_hot, label_moments, labelled_folds, one_hot
from s3prl_plugin.analysis.statistics.view_moments import Moments


@pytest.fixture
def tokens():
    rng = np.random.default_rng(0)
    labels = rng.choice(["aa", "s", "t", "iy"], 200, p=[0.4, 0.3, 0.2, 0.1])
    return rng.standard_normal((200, 5)) + 3, labels, rng.integers(0, 4, 200)


def test_one_hot_is_sklearns(tokens):
    _, labels, _ = tokens
    classes = np.array(["s", "aa", "zh", "iy", "t"])  # neither sorted nor all present
    expected = OneHotEncoder(categories=[classes], sparse_output=False).fit_transform(labels[:, None])
    assert (one_hot(labels, classes) == expected).all()
    assert is_one_hot(one_hot(labels, classes))


def test_a_label_outside_the_classes_is_refused(tokens):
    with pytest.raises(ValueError, match="'zz'"):
        one_hot(["aa", "zz"], ["aa", "s"])


@pytest.mark.parametrize("view", [[[1.0, 1.0]], [[0.0, 0.0]], [[0.5, 0.5]], [[2.0, -1.0]]])
def test_other_views_are_not_one_hot(view):
    assert not is_one_hot(np.array(view))


def test_label_moments_are_those_of_the_one_hot_array(tokens):
    x, labels, _ = tokens
    classes = np.array(["aa", "iy", "s", "t", "zh"])
    ours, direct = label_moments(x, labels, classes), Moments.of(x, one_hot(labels, classes))
    np.testing.assert_allclose(ours.scatter, direct.scatter, atol=1e-10)
    np.testing.assert_allclose(ours.mean, direct.mean, atol=1e-12)
    assert ours.y.scatter[4, 4] == 0


def test_a_class_needs_two_tokens_in_three_folds():
    labels = ["enough"] * 6 + ["two_folds"] * 8 + ["ones"] * 4
    fold = [0, 0, 1, 1, 2, 2, *(0, 0, 0, 0, 1, 1, 1, 1), *(0, 1, 2, 3)]
    assert list(eligible(labels, fold)) == ["enough"]
    assert list(eligible(labels, fold, tokens=1)) == ["enough", "ones"]
    assert list(eligible(labels, fold, tokens=2, folds=2)) == ["enough", "two_folds"]


def test_every_eligible_class_is_in_training_whatever_two_folds_are_left_out():
    rng = np.random.default_rng(3)
    labels, fold = rng.integers(0, 30, 300), rng.integers(0, 6, 300)
    classes = eligible(labels, fold)
    assert 0 < len(classes) < 30
    for f in range(6):
        for g in range(f):
            assert set(classes) <= set(labels[(fold != f) & (fold != g)])


def test_labelled_folds_keep_the_eligible_and_count_the_rest(tokens):
    x, labels, fold = tokens
    labels = np.concatenate([["rare"] * 3, labels[3:]])
    result = labelled_folds(x, labels, fold, folds=5)
    assert result.dropped == 3
    assert list(result.classes) == ["aa", "iy", "s", "t"]
    assert result.k == 3
    assert [m.n for m in result.folds] == [int((fold[3:] == f).sum()) for f in range(5)]
    rows = (fold == 1) & (labels != "rare")
    direct = Moments.of(x[rows], one_hot(labels[rows], result.classes))
    np.testing.assert_allclose(result.folds[1].scatter, direct.scatter, atol=1e-10)
