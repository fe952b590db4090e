"""The dissimilarity curves of some utterances at every tap: two numbers a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.downstream.boundaries.peaks import DISTANCES, dissimilarities
from s3prl_plugin.states.taps import SAMPLE_RATE, Tap


class Curves:
    """Filled as batches come.

    Args:
        taps: of the upstream.
        utterances: (N,) positions in the corpus, increasing.
        seconds: (N,) how long they are.

    Attributes:
        taps, utterances: as given.
    """

    def __init__(self, taps: Sequence[Tap], utterances: np.ndarray, seconds: np.ndarray):
        self.taps = tuple(taps)
        self.utterances = utterances
        self._most = {
            tap.stride: np.ceil(seconds * float(SAMPLE_RATE / tap.stride)).astype(np.int64) + 2 for tap in taps
        }

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory, all told."""
        return sum(4 * len(DISTANCES) * int(self._most[tap.stride].sum()) for tap in self.taps)

    def describe(self) -> str:
        """How many."""
        return f"{len(self.utterances)} utterances"

    @cached_property
    def curves(self) -> dict[int, list[np.ndarray]]:
        """Position in the corpus -> per tap (2, T - 1) float32."""
        return {}

    def update(self, batch: Batch) -> None:
        """Take the utterances of a batch."""
        for i, position in enumerate(batch.positions):
            row = int(np.searchsorted(self.utterances, position))
            if row < len(self.utterances) and self.utterances[row] == position:
                self.curves[position] = [dissimilarities(batch.frames(i, k)) for k in range(len(self.taps))]

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {str(position): [torch.from_numpy(c) for c in curves] for position, curves in self.curves.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.curves.clear()
        self.merge(state)

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the saved curves of other batches.

        Raises:
            ValueError: they are of other taps.
        """
        for position, curves in state.items():
            if len(curves) != len(self.taps):
                raise ValueError("the saved curves are of other taps")
            self.curves[int(position)] = [curve.numpy() for curve in curves]
