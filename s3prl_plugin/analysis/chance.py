"""What a score is by chance, from labels that were permuted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.95


def chance_fields(drawn: Sequence[float]) -> dict[str, Any]:
    """The row fields on chance: its mean, and between which bounds one more permutation would fall.

    The interval is the prediction interval of a normal sample: m -+ t sd sqrt(1 + 1/P), with P - 1 degrees of freedom.

    Args:
        drawn: the score of every permutation.
    """
    count = len(drawn)
    mean = float(np.mean(drawn))
    fields: dict[str, Any] = {"chance": mean, "permutations": count}
    if count > 1:
        t = float(stdtrit(count - 1, (1 + LEVEL) / 2))
        half = t * float(np.std(drawn, ddof=1)) * np.sqrt(1 + 1 / count)
        fields |= {"chance_low": mean - half, "chance_high": mean + half}
    return fields
