"""What results rows say of a score when every fold says one number: the score is their mean."""

import numpy as np

from s3prl_plugin.analysis.intervals import jackknife, signed_root


def scored(per_fold, score):
    """`value`, its interval and the replicates; of `corrected`, the signed root of the mean."""
    folds = np.asarray(per_fold, dtype=float)
    shown = signed_root if score == "corrected" else float
    value = float(folds.mean())
    without = (folds.sum() - folds) / (len(folds) - 1)
    low, high = jackknife(value, without).mapped_interval(shown)
    return {"value": shown(value), "ci_low": low, "ci_high": high, "replicates": without.tolist()}
