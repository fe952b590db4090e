"""What a score is by chance: from permuted labels, and for mutual information from tables that mean nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from s3prl_plugin.analysis.planning.permutations import permuted, units_of

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


def permuted_table(table: np.ndarray, kind: str, generator: np.random.Generator) -> np.ndarray:
    """Clusters as they are, with labels exchanged within every speaker.

    Phones one by one; words in whole groups, all of a speaker's tokens of a type, which resemble each other for other
    reasons too (see `planning.permutations`): their chance is above the expected MI of independent labels. Clusters are
    learned without labels, so that folds need not be minded. Speakers as labels: whole sessions, among all.

    Args:
        table: (U, K, C) whole counts, per speaker; of kind "speaker", per session (or group of sessions). Of strata,
            (S, U, K, C): labels are exchanged within each.
        kind: "phone", "word" or "speaker".
        generator: decides.

    Returns:
        The same shape, with the same number of tokens per speaker and cluster.
    """
    if table.ndim == 4:
        return np.stack([permuted_table(stratum, kind, generator) for stratum in table])
    speaker, cluster, label = (np.repeat(index, table[table > 0]) for index in np.nonzero(table))
    drawn = permuted(label, *units_of(kind, label, speaker, np.zeros_like(speaker)), generator)
    result = np.zeros_like(table)
    np.add.at(result, (speaker, cluster, drawn), 1)
    return result
