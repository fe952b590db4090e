"""Scores of several k-means runs: every seed ends in an optimum of its own, so that seeds are part of a number.

The value is the mean over S seeds. How far they spread is reported beside it (`Row.seed_sd`), and the interval has it:

    SE^2 = SE_speakers^2 + s^2 / S

with SE_speakers that of the jackknife of the mean, and s the standard deviation over seeds; the degrees of freedom of
the t quantile are Satterthwaite's. With one seed the interval is for that seed's clusters. Paired differences are taken
from the jackknife replicates alone, so that they are always for the seeds that were used.

Reference:
    Satterthwaite 1946, "An approximate distribution of estimates of variance components", Biometrics Bulletin 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.intervals import Estimate


def spread(values: Sequence[float]) -> float | None:
    """The standard deviation over seeds; None for a single one."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def over_seeds(per_seed: Sequence[Estimate]) -> Estimate:
    """The mean over seeds, with a standard error that has their spread.

    Args:
        per_seed: with replicates that leave out the same speakers in the same order.
    """
    values = [each.value for each in per_seed]
    replicates = np.stack([np.asarray(each.replicates, dtype=np.float64) for each in per_seed])
    mean = intervals.jackknife(float(np.mean(values)), replicates.mean(axis=0))
    between = (spread(values) or 0.0) ** 2 / len(values)
    if not between:
        return mean
    within = mean.standard_error**2
    degrees = (within + between) ** 2 / (within**2 / mean.degrees + between**2 / (len(values) - 1))
    return replace(mean, standard_error=float(np.sqrt(within + between)), degrees=max(1, int(degrees)))


def interval_fields(per_seed: Sequence[Estimate]) -> dict[str, Any]:
    """The fields of a row that has an interval; `per_seed` as for `over_seeds`."""
    mean = over_seeds(per_seed)
    low, high = mean.interval()
    assert mean.replicates is not None
    return {"ci_low": low, "ci_high": high, "replicates": mean.replicates.tolist()}
