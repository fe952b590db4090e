"""The mean frame of some utterances at every tap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.statistics.tap_rows import TapRows
from s3prl_plugin.states.taps import Tap


class UtteranceMeans(TapRows):
    """One row per utterance and tap.

    Args:
        utterances: (N,) positions in the corpus, increasing.
        taps: of the upstream.
    """

    def __init__(self, utterances: np.ndarray, taps: Sequence[Tap]):
        super().__init__(len(utterances), taps, "utterances")
        self.utterances = utterances

    def update(self, batch: Batch) -> None:
        """Take the utterances of a batch."""
        for i, position in enumerate(batch.positions):
            row = int(np.searchsorted(self.utterances, position))
            if row == len(self.utterances) or self.utterances[row] != position or not batch.complete(i):
                continue
            self.seen[row] = True
            for tap, kept in enumerate(self.kept):
                kept[row] = batch.frames(i, tap).double().mean(dim=0).cpu().numpy()
