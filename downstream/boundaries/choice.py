"""How peaks are picked is chosen on other speakers than those that are scored."""

from __future__ import annotations

import numpy as np

from s3prl_plugin.downstream.boundaries.matching import Counts


def chosen_elsewhere(table: np.ndarray, fold: np.ndarray) -> tuple[Counts, np.ndarray]:
    """Every fold is scored with the setting that has the best F1 on all other folds.

    Args:
        table: (S, U, 3) matched, references and hypotheses of every setting and speaker.
        fold: (U,) of every speaker.

    Returns:
        The sums over folds, and (U,) the setting that each speaker was scored with.
    """
    setting = np.empty(len(fold), dtype=np.int64)
    for f in np.unique(fold):
        matched, references, hypotheses = table[:, fold != f].sum(axis=1).T
        setting[fold == f] = int(np.argmax(2 * matched / np.maximum(references + hypotheses, 1)))
    sums = table[setting, np.arange(len(fold))].sum(axis=0)
    return Counts(*map(float, sums)), setting
