"""What partial CCA of segments can hold constant, as one-hot views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s3prl_plugin.analysis.planning.durations import quantile_of
from s3prl_plugin.analysis.planning.labels import one_hot
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.statistics.view_moments import Array

CONTROLS = ("duration", "speaker")


def control_view(names: Sequence[str], sample: Sample, rows: np.ndarray) -> Array:
    """The view z of some segments: the one-hot columns of every control side by side.

    "duration" is the decile of the log duration (which is the decile of the duration), so that no shape of its effect
    is assumed; the alignment's durations are coarse, and equal ones are never divided. "speaker" is the speaker.

    Args:
        names: some of `CONTROLS`.
        sample: of segments.
        rows: (n,) row numbers of the sample.

    Returns:
        (n, d_z) ones and zeros.
    """
    segment = sample.segment[rows]
    codes = {
        "duration": lambda: quantile_of(sample.alignment.end[segment] - sample.alignment.start[segment]),
        "speaker": lambda: sample.speaker[rows],
    }
    columns = [codes[name]() for name in names]
    return np.column_stack([one_hot(code, np.unique(code)) for code in columns])


def lacks_control(names: Sequence[str], plan: Plan) -> str | None:
    """Why something cannot be held constant under a plan's folds, if so.

    Args:
        names: some of `CONTROLS`.
        plan: the run's.
    """
    if "speaker" in names and plan.folds.split_by == "speaker":
        return (
            "folds are by speaker, so what a held-out speaker explains cannot be learned from the training folds; "
            "split_by: utterance would allow it (and would have speakers in training and test alike)"
        )
    return None
