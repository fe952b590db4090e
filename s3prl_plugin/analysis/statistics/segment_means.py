"""The means of a sample's segments at every tap: memory is bounded by the sample, not by the corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np
import torch

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.labels import eligible
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.planning.segments import WHOLE_FRAMES
from s3prl_plugin.taps import Tap


class SegmentMeans:
    """One row per sampled segment and tap, filled as batches come.

    Args:
        sample: which segments.
        taps: of the upstream.
        weights: of the frames, one of `segments.SEGMENT_WEIGHTS`.

    Attributes:
        seen: (N,) true where a segment's utterance came by.
    """

    def __init__(self, sample: Sample, taps: Sequence[Tap], weights: str = WHOLE_FRAMES):
        self.sample = sample
        self.taps = tuple(taps)
        self.weights = weights
        self.seen = np.zeros(len(sample), dtype=bool)

    @classmethod
    def shared(cls, gathering: Gathering, sample: Sample, taps: Sequence[Tap], weights: str = WHOLE_FRAMES) -> Self:
        """Those of a run: analyses and measures that ask for the same have them in common."""
        how = "" if weights == WHOLE_FRAMES else f", frames weighted by {weights}"
        return gathering.share(f"means of {sample.name}{how}", lambda: cls(sample, taps, weights))

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory, all told."""
        return len(self.sample) * (1 + 4 * sum(tap.dim for tap in self.taps))

    def describe(self) -> str:
        """The number of segments."""
        return f"{len(self.sample)} segments"

    @cached_property
    def _means(self) -> list[np.ndarray]:
        """Per tap, (N, D); taken when the first batch comes, after it is known to fit."""
        return [np.zeros((len(self.sample), tap.dim), dtype=np.float32) for tap in self.taps]

    def update(self, batch: Batch) -> None:
        """Take the segments of a batch's utterances."""
        if not len(self.sample):
            return
        for tap, means in enumerate(self._means):
            rows, values = batch.segments(tap, self.sample, self.weights)
            means[rows] = values
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
        means = self._means[tap]
        return means if len(rows) == len(means) else means[rows]

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on: which segments came by, and their means."""
        return {
            "seen": torch.from_numpy(self.seen),
            "means": [torch.from_numpy(means[self.seen]) for means in self._means],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of the same sample and taps."""
        self.seen[:] = False
        self.merge(state)

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the saved segments of other batches, of the same sample and taps."""
        seen = state["seen"].numpy()
        shapes = [(int(seen.sum()), tap.dim) for tap in self.taps]
        if len(seen) != len(self.seen) or [tuple(means.shape) for means in state["means"]] != shapes:
            raise ValueError("the saved segments are of another sample or other taps")
        for mine, saved in zip(self._means, state["means"], strict=True):
            mine[seen] = saved.numpy()
        self.seen |= seen
