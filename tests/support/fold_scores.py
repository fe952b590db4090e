"""What results rows say of a score when every fold says one number: the score is their mean."""

import numpy as np

from s3prl_plugin.inference.intervals import jackknife, nadeau_bengio

OVER_FOLDS = ("r2", "r", "pwcca")


def scored(per_fold, score):
    """`value`, its interval, and what the row keeps: every fold's value, or the score without each fold."""
    folds = np.asarray(per_fold, dtype=float)
    if score in OVER_FOLDS:
        found, kept = nadeau_bengio(folds), {"per_fold": folds.tolist()}
    else:
        without = (folds.sum() - folds) / (len(folds) - 1)
        found, kept = jackknife(float(folds.mean()), without), {"replicates": without.tolist()}
    low, high = found.interval()
    return {"value": found.value, "ci_low": low, "ci_high": high, **kept}
