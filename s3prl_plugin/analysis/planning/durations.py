"""How long segments are, in classes: what is held constant where duration is."""

from __future__ import annotations

import numpy as np


def quantile_of(duration: np.ndarray, parts: int = 10) -> np.ndarray:
    """(n,) which of `parts` equal parts of the durations each one is in, from 0; fewer where many durations are equal.

    The decile of the log duration is that of the duration. An alignment's durations are coarse; equal ones are never
    divided.
    """
    edges = np.quantile(duration, np.arange(1, parts) / parts) if len(duration) else np.zeros(0)
    return np.searchsorted(np.unique(edges), duration, side="left")
