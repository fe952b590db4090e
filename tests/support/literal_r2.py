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
    training variances: U = mean sum s_i c_i, shrunk by 1 / (1 + U / n_eff), over k.
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
        found.append((s @ covariance, 1 - 1 / t_x, 1 - 1 / t_y, a.shape[1], b.shape[1]))
    u, p_over_n, q_over_n, p, q = np.mean(found, axis=0)
    inverse_n = (max(0, p_over_n) / p + max(0, q_over_n) / q) / 2
    return np.array(found)[:, 0] / (1 + max(u, 0) * inverse_n) / (k or q)


def r2(x, y, fold, k=None):
    """The estimate."""
    return per_fold(x, y, fold, k).mean()
