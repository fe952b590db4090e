"""Every tap of a run with one tap of a model whose frames were saved by an earlier run."""

from __future__ import annotations

from typing import Any

import numpy as np

from s3prl_plugin.analysis.other_models.sampled import Sampler
from s3prl_plugin.analysis.other_models.saved_frames import SavedFrames
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride

SUBSET = "sampled"  # the rows are about some frames of every utterance, not about all


class SavedComparison:
    """Pairs of frames at each tap's own frame rate, as with a model in the same pass.

    The other tap's frames are averaged over a coarser tap's frame; of a coarser one, it is the frame at that moment.

    Args:
        sampler: of this run.
        saved: the other model's frames.
        position: of its tap.
    """

    def __init__(self, sampler: Sampler, saved: SavedFrames, position: int):
        self.taps = sampler.taps
        self.saved = saved
        self.position = position
        self._folds = sampler.gathering.plan.folds.count
        self._reservoir = sampler.own(None)

    def __len__(self) -> int:
        """How many taps are compared."""
        return len(self.taps)

    @property
    def other(self) -> Tap:
        """The other model's tap."""
        return self.saved.taps[self.position]

    def fields(self) -> dict[str, Any]:
        """The row fields that say with what the taps are compared."""
        return {"tap2": self.other.name, "upstream2": self.saved.name, "subset": SUBSET}

    def stride(self, tap: int) -> Stride:
        """The frame rate at which the other tap is seen beside a tap, in samples."""
        return max(self.taps[tap].stride, self.other.stride)

    def moments(self, tap: int) -> list[Moments]:
        """Per fold, a tap's sampled frames (x) with those of the other model's tap (y).

        Raises:
            Refused: the other model's frames were not kept at this frame rate.
        """
        rows = np.intersect1d(self._reservoir.rows(), self.saved.rows())  # a file may be unreadable in one of the runs
        y = self.saved.frames(self.position, rows, self.stride(tap))
        x, fold = self._reservoir.frames(tap, rows), self._reservoir.fold[rows]
        return [Moments.of(x[fold == f], y[fold == f]) for f in range(self._folds)]
