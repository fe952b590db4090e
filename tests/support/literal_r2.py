"""R2_CCA by its definition on the rows: whitening by singular vectors of the rows, canonical directions by an SVD."""

import numpy as np


def whitened(rows, train):
    """(N, rank) the rows along the singular directions of the training rows, of unit sum of squares in training."""
    centred = rows - rows[train].mean(axis=0)
    _, s, vt = np.linalg.svd(centred[train], full_matrices=False)
    kept = s > 1e-5 * s[0]
    return centred @ (vt[kept].T / s[kept])


def per_fold(x, y, fold, k=None, transform=None):
    """(F,) what every fold says; `transform(view, train)` is applied to both views first.

    With training correlations s_i and the covariances c_i of the same variates on the held-out fold, in units of the
    training variances: U = sum s_i c_i, shrunk by 1 / (1 + U / n_eff) of the same fold, over k.
    """
    found = []
    for f in np.unique(fold):
        train, test = fold != f, fold == f
        views = [v if transform is None else transform(v, train) for v in (x, y)]
        a, b = (whitened(v, train) for v in views)
        left, s, right = np.linalg.svd(a[train].T @ b[train], full_matrices=False)
        scale = train.sum() - 1  # whitened rows have a variance of 1 / (n - 1)
        covariance = [
            np.cov(p, q)[0, 1] * scale for p, q in zip((a[test] @ left).T, (b[test] @ right.T).T, strict=True)
        ]
        t_x, t_y = (v[test].var(axis=0, ddof=1).mean() * scale for v in (a, b))
        found.append((s @ covariance, t_x, t_y, a.shape[1], b.shape[1]))
    q = np.mean([each[4] for each in found])
    shrunk = [u / (1 + max(u, 0) * ((1 - 1 / t_x) / p + (1 - 1 / t_y) / q_f) / 2) for u, t_x, t_y, p, q_f in found]
    return np.array(shrunk) / (k or q)


def r2(x, y, fold, k=None):
    """The estimate."""
    return per_fold(x, y, fold, k).mean()
