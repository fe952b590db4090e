"""Tables of labels that mean nothing, for the chance of mutual information."""

from __future__ import annotations

import numpy as np

from s3prl_plugin.analysis.planning.permutations import permuted, units_of


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
