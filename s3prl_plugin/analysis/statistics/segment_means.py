"""The means of a sample's segments at every tap: memory is bounded by the sample, not by the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.labels import eligible
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.planning.segments import WHOLE_FRAMES
from s3prl_plugin.analysis.statistics.storage import IN_MEMORY, Storage
from s3prl_plugin.analysis.statistics.tap_rows import TapRows
from s3prl_plugin.states.taps import Tap


class SegmentMeans(TapRows):
    """One row per sampled segment and tap, filled as batches come.

    Args:
        sample: which segments.
        taps: of the upstream.
        weights: of the frames, one of `segments.SEGMENT_WEIGHTS`.
        storage: of the means.

    Attributes:
        seen: (N,) true where a segment's utterance came by.
    """

    def __init__(self, sample: Sample, taps: Sequence[Tap], weights: str = WHOLE_FRAMES, storage: Storage = IN_MEMORY):
        super().__init__(len(sample), taps, "segments", storage)
        self.sample = sample
        self.weights = weights

    @classmethod
    def shared(cls, gathering: Gathering, sample: Sample, taps: Sequence[Tap], weights: str = WHOLE_FRAMES) -> Self:
        """Those of a run: analyses and measures that ask for the same have them in common."""
        how = "" if weights == WHOLE_FRAMES else f", frames weighted by {weights}"
        return gathering.share(f"means of {sample.name}{how}", lambda: cls(sample, taps, weights, gathering.storage))

    def update(self, batch: Batch) -> None:
        """Take the segments of a batch's utterances."""
        if not len(self.sample):
            return
        rows, means = batch.segments(self.sample, self.weights)
        for kept, values in zip(self.kept, means, strict=True):
            kept[rows] = values
        self.seen[rows] = True

    def labelled(self) -> tuple[np.ndarray, np.ndarray, int]:
        """The rows that can be scored: those that came by, of classes that still have two tokens in three folds.

        Returns:
            rows: (n,) row numbers of the sample, increasing.
            label: (n,) class numbers, 0 <= label < C.
            classes: C.
        """
        rows = np.flatnonzero(self.seen)
        kept = eligible(self.sample.label[rows], self.sample.fold[rows])
        rows = rows[np.isin(self.sample.label[rows], kept)]
        return rows, np.searchsorted(kept, self.sample.label[rows]), len(kept)

    def means(self, tap: int, rows: np.ndarray) -> np.ndarray:
        """The means of some rows at one tap, (n, D) float32."""
        return self.of(tap, rows)
