"""CCA of two arrays: R2_CCA over all folds, and either protocol with one fold held out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from s3prl_plugin.analysis.planning.labels import is_one_hot, labelled_folds, one_hot
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments
from s3prl_plugin.downstream.cca import published, r2
from s3prl_plugin.downstream.cca.canonical import whiten
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.downstream.cca.r2 import R2
from s3prl_plugin.downstream.cca.regression import Regression
from s3prl_plugin.downstream.cca.split import fit_whitened
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.inference.refusal import Refused, effective_limit

PROTOCOLS = ("default", "published")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class CcaScore:
    """CCA of two views, fitted on the training folds and scored on the test fold.

    Attributes:
        protocol: "default" or "published".
        correlations: (k,) held-out, per direction, in order of falling training correlation.
        train_correlations: (k,) of the same directions.
        r: mean held-out correlation.
        score: the protocol's PWCCA.
        r2: what this fold says of the mean squared canonical correlation; None in the published protocol.
        mean_score: the published PWCCA averaged over both views' weightings; None in the default protocol.
        n_train, n_test: rows used.
        n_over_d: training rows over the dimension of x.
        dropped: held-out rows left out because training has no row of their class.
        grey: why the data barely supports the number; None where it does.
    """

    protocol: str
    correlations: Array
    train_correlations: Array
    r: float
    score: float
    r2: float | None
    mean_score: float | None
    n_train: int
    n_test: int
    n_over_d: float
    dropped: int = 0
    grey: str | None = None


def r2_cca(x: npt.ArrayLike, y: npt.ArrayLike, fold: npt.ArrayLike, k: int | None = None) -> R2:
    """The mean squared canonical correlation of two views of the same rows, R2_CCA, estimated without bias.

    It can be compared between layers of different width and corpora of different size; see `downstream.cca.r2`.

    Args:
        x: (N, d1) the layer's view.
        y: (N, d2) the reference, or (N,) labels: integers or strings. Labels that do not have two rows in three folds
            are left out, and their rows counted in `dropped`.
        fold: (N,) integers; rows that depend on each other (of one speaker, of one utterance) belong in one fold.
        k: the number of directions to take the mean over; None for the rank of y in training.

    Returns:
        `.value`, `.interval(level)` over folds, `.per_fold`, and what they rest on; `.limit` says whether the data
        barely support it (below 3 effective rows per dimension).

    Raises:
        UserError: arrays of other shapes, with NaN or infinite values, or labels that are floating-point numbers.
        Refused: the data cannot support the number: fewer than 1.3 effective rows per dimension, fewer than three
            folds, one class, a constant view.

    Reference:
        Kornblith, Norouzi, Lee & Hinton 2019, "Similarity of Neural Network Representations Revisited", table 1.
    """
    if k is not None and k < 1:
        raise UserError(f"k={k}: the mean is over one direction at least; leave k out to take the rank of y")
    rows, reference, fold_of = _checked(x, y, fold)
    names, number = np.unique(fold_of, return_inverse=True)
    if is_one_hot(reference):
        data = labelled_folds(rows, reference.argmax(axis=1), number, len(names))
        folds, dropped = data.folds, data.dropped
        if data.k < 1:
            raise Refused(f"{len(data.classes)} classes have two rows in three folds, two classes are needed")
    else:
        parts = [number == f for f in range(len(names))]
        folds, dropped = [Moments.of(rows[part], reference[part]) for part in parts], 0
    found = replace(r2.cross_validate(PairOfViews(folds), k), dropped=dropped)
    found.limit.check()
    return found


def cca_score(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    fold: npt.ArrayLike,
    dev: int | None,
    test: int,
    epsilon: tuple[float, float] = (1e-10, 1e-10),
    protocol: Literal["default", "published"] = "default",
) -> CcaScore:
    """CCA of two views of the same rows, with one fold held out.

    Both protocols find directions a_i, b_i that maximise the correlation of x a_i with y b_i over the training rows,
    each uncorrelated with the earlier ones, and report the held-out correlations

        r_i = a_i' Sxy b_i / sqrt(a_i' Sxx a_i  b_i' Syy b_i),  S the scatter about the test fold's own mean.

    "default" regularises nothing and weights directions by rowsum |B Syy| over all dimensions of y, from training
    moments; k is classes - 1 where y holds labels, else the dimension of y, and directions that x is too small to have
    count 0. It has no use for `dev` (whose rows, if it is given, are left out) or `epsilon`.
    "published" adds epsilon to the diagonals of the scaled covariances and computes the reference tool's PWCCA.

    Args:
        x: (N, d1) the layer's view.
        y: (N, d2) the other view, or (N,) labels; an array of ones and zeros with one 1 a row counts as labels.
        fold: (N,) integers.
        dev: the fold on which epsilon would be chosen: neither trained on nor tested on; None for none.
        test: the fold that is held out.
        epsilon: for x and y, relative to the largest variance of each view; of the published protocol.
        protocol: "default" or "published".

    Raises:
        UserError: arrays of other shapes, with NaN or infinite values, or a fold that has no rows.
        Refused: the data cannot support the number: less than 1.3 effective training rows per dimension, one class, a
            constant view (default protocol only).

    Reference:
        Pasad, Shi & Livescu 2023, "Comparative layer-wise analysis of self-supervised speech models",
        arXiv 2211.03929; Morcos, Raghu & Bengio 2018, "Insights on representational similarity in neural networks with
        canonical correlation", eq. 4.
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"no protocol is called {protocol!r}: {did_you_mean(protocol, PROTOCOLS)}")
    x_rows, y_rows, fold_of = _checked(x, y, fold)
    held_out = fold_of == test
    train = ~held_out & (fold_of != dev) if dev is not None else ~held_out
    for name, rows in (("test", held_out), ("training", train)):
        if rows.sum() < 2:
            raise UserError(f"{int(rows.sum())} {name} rows with test={test}, dev={dev}: two at least are needed")
    if protocol == "published":
        return _published(x_rows, y_rows, train, held_out, epsilon)
    return _default(x_rows, y_rows, train, held_out)


def _default(x: Array, y: Array, train: Mask, held_out: Mask) -> CcaScore:
    """Without regularisation, over the classes seen in training where y is one-hot."""
    k, dropped = y.shape[1], 0
    if is_one_hot(y):
        seen = y[train].any(axis=0)
        unseen_rows = held_out & ~y[:, seen].any(axis=1)
        held_out, y, dropped = held_out & ~unseen_rows, y[:, seen], int(unseen_rows.sum())
        k = int(seen.sum()) - 1
        if held_out.sum() < 2:
            raise Refused(f"training has no row of the classes of {dropped} held-out rows; more data would help")
    n_train, n_test = int(train.sum()), int(held_out.sum())
    training, rows = Moments.of(x[train], y[train]), Moments.of(x[held_out], y[held_out])
    white = whiten(training.x), whiten(training.y)
    split = fit_whitened(*white, training.xy, training.y, k).score(rows)
    regression = Regression.of(white[0].precision(), white[1].precision(), training.xy, n_train)
    (share,), rows_per_dimension = r2.estimated([regression.score(rows)], k)
    limit = effective_limit(rows_per_dimension)
    limit.check()
    return CcaScore(
        protocol="default",
        correlations=split.correlations,
        train_correlations=split.train_correlations,
        r=split.r,
        score=split.pwcca,
        r2=float(share),
        mean_score=None,
        n_train=n_train,
        n_test=n_test,
        n_over_d=n_train / x.shape[1],
        dropped=dropped,
        grey=limit.grey,
    )


def _published(x: Array, y: Array, train: Mask, held_out: Mask, epsilon: tuple[float, float]) -> CcaScore:
    """As the reference tool computes it."""
    training = Moments.of(x[train], y[train])
    try:
        fit = published.PublishedFitter(training).fit(epsilon)
        scores = published.evaluate(fit, Moments.of(x[held_out], y[held_out]))
        train_correlations = published.evaluate(fit, training).correlations
    except np.linalg.LinAlgError as error:
        raise Refused(
            f"the published protocol has no value here ({error}); more rows, or the default protocol would help"
        ) from None
    return CcaScore(
        protocol="published",
        correlations=scores.correlations,
        train_correlations=train_correlations,
        r=float(scores.correlations.mean()),
        score=scores.score,
        r2=None,
        mean_score=scores.mean_score,
        n_train=int(train.sum()),
        n_test=int(held_out.sum()),
        n_over_d=int(train.sum()) / x.shape[1],
    )


def _checked(x: Any, y: Any, fold: Any) -> tuple[Array, Array, npt.NDArray[Any]]:
    """The views as float64 (labels one-hot) and the folds; wrong ones are refused."""
    x, y, fold = np.asarray(x), np.asarray(y), np.asarray(fold)
    if y.ndim == 1:
        if y.dtype == object:
            y = np.array(y.tolist())  # what its elements are
        if y.dtype.kind not in "biuUS":
            raise UserError(
                f"y of shape {y.shape} holds labels, and these are {y.dtype}; give labels as integers or strings, or a "
                "view of one dimension as (N, 1)"
            )
        y = one_hot(y, np.unique(y))
    if not (x.ndim == y.ndim == 2 and fold.ndim == 1 and len(x) == len(y) == len(fold)):
        raise UserError(
            f"x {x.shape}, y {y.shape} and fold {fold.shape} do not fit together; give (N, d1), (N, d2) and (N,)"
        )
    for name, view in (("x", x), ("y", y)):
        if not np.isfinite(view).all():
            rows = int((~np.isfinite(view)).any(axis=1).sum())
            raise UserError(f"{name} has NaN or infinite values in {rows} of {len(view)} rows; leave these rows out")
    return x.astype(np.float64), y.astype(np.float64), fold
