"""The published protocol's folds of segments: random, stratified by label."""

from __future__ import annotations

import numpy as np

from s3prl_plugin.analysis.planning.sampling import stream


def stratified(label: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(n,) random folds that share out every label as evenly as can be."""
    fold = np.empty(len(label), dtype=np.int64)
    draw = stream(seed, "published", "segments")
    for value in np.unique(label):
        mine = draw.permutation(np.flatnonzero(label == value))
        fold[mine] = (np.arange(len(mine)) + draw.integers(folds)) % folds
    return fold
