"""Frames of every tap at moments drawn before the pass: what clusters and tap-by-tap matrices are computed from.

Kept frames, rather than sums over all of them (k-means by `partial_fit`, a scatter for every pair of taps), since then

    one pass serves all taps, any number of clusters, any seed and any pair of taps, decided after it;
    memory is bounded by the rows, whatever the size of the corpus, and is known before the pass;
    the rows are the same to the bit in whatever order batches come and however many processes share them, where steps
    of `partial_fit` depend on the order of batches, and cannot be merged at all.

What it costs is precision: a score is over at most as many frames as are kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from s3prl_plugin.analysis.grid import Bags
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import in_turns, spread, stream
from s3prl_plugin.analysis.statistics.storage import IN_MEMORY, Storage
from s3prl_plugin.analysis.statistics.tap_rows import TapRows
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import SAMPLE_RATE, Stride, clock, frame_at

APART = 1280
"""Samples: moments are that far apart on average, a frame of 80 ms, or farther, so that few of them share a frame."""

MARGIN = 400 + 1280
"""Samples at the end of an utterance in which no moment lies: what windows of 25 ms leave over there, and what taps of
up to 80 ms do that leave off a last frame in part."""


FEWEST = 4
"""Utterances of a fold that are heard where there are as many."""


class FrameReservoir:
    """At most `per_utterance` moments of every utterance, and the frames of every tap there.

    The moments of an utterance are one at random in each of so many equal stretches of it, which last 80 ms at least;
    its last 105 ms are left out. They depend on the plan alone (names, lengths, folds, seed), so that the rows are the
    same for every model on the same corpus. Should a tap end before a moment nevertheless, its last frame is taken.

    Args:
        plan: of the run; the utterances that have rows are marked as needed.
        taps: of the upstream.
        per_utterance: moments in an utterance, at most.
        limit: of rows, spread evenly over the folds, from no more utterances than have so many (but a few of every
            fold), since the pass must hear all of these.
        stride: None for every tap's own frame that covers the moment, else the mean of the tap's frames over the
            cell of that many samples that covers the moment, each weighted by how much of it the cell covers.

    Attributes:
        taps, stride: as given.
        asked: how many moments were asked for, in words.
        utterance: (N,) positions in the corpus, increasing.
        fold, speaker: (N,) of the utterance; see `Sample`.
        moment: (N,) samples at 16 kHz from the start of the utterance, increasing within it.
    """

    def __init__(
        self,
        plan: Plan,
        taps: Sequence[Tap],
        per_utterance: int = 20,
        limit: int = 10_000,
        stride: Stride | None = None,
        storage: Storage = IN_MEMORY,
    ):
        self.taps = tuple(taps)
        self.stride = stride
        self.asked = f"{per_utterance} of an utterance, {limit} in all"
        self.utterance, self.moment = draw(plan, per_utterance, limit)
        self.fold = plan.folds.of_utterance[self.utterance]
        self.speaker = plan.speaker_of_utterance[self.utterance]
        self._offsets = np.searchsorted(self.utterance, np.arange(len(plan.corpus.utterances) + 1))
        self._kept = TapRows(len(self.moment), self.taps, "frames", storage)
        plan.need(self.utterance)

    def __len__(self) -> int:
        """N, the rows that were drawn."""
        return len(self.moment)

    @property
    def holds(self) -> str:
        """What is kept, in words."""
        return self._kept.holds

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory: 4 bytes for every row and dimension of the taps."""
        return self._kept.memory_bytes

    def describe(self) -> str:
        """The number of frames."""
        return self._kept.describe()

    def update(self, batch: Batch) -> None:
        """Take the frames of a batch's utterances."""
        for i, position in enumerate(batch.positions):
            mine = slice(*self._offsets[position : position + 2])
            if mine.start == mine.stop or not batch.complete(i):
                continue  # an utterance that a tap has no frame of has no rows at any tap: rows are paired
            for k, tap in enumerate(self.taps):
                self._kept.kept[k][mine] = _at(batch.frames(i, k), tap.stride, self.moment[mine], self.stride)
            self._kept.seen[mine] = True

    def rows(self) -> np.ndarray:
        """(n,) numbers of the rows whose utterance came by, increasing."""
        return np.flatnonzero(self._kept.seen)

    def frames(self, tap: int, rows: np.ndarray) -> np.ndarray:
        """The frames of some rows at one tap, (n, D) float32."""
        return self._kept.of(tap, rows)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on: which rows came by, and their frames."""
        return self._kept.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of the same plan and taps."""
        self._kept.load_state_dict(state)

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the saved frames of other batches."""
        self._kept.merge(state)


def shared_reservoir(
    gathering: Gathering, taps: Sequence[Tap], per_utterance: int, limit: int, stride: Stride | None
) -> FrameReservoir:
    """The reservoir of a run's taps: one for all its analyses that ask for the same.

    Args:
        gathering: of the run.
        taps, per_utterance, limit, stride: see `FrameReservoir`.
    """
    cells = "frames of each tap" if stride is None else f"cells of {stride} samples"
    name = f"reservoir of {limit} {cells}, {per_utterance} of an utterance"
    return gathering.share(
        name, lambda: FrameReservoir(gathering.plan, taps, per_utterance, limit, stride, gathering.storage)
    )


def draw(plan: Plan, per_utterance: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """The moments of a corpus.

    Args:
        plan: of the run.
        per_utterance, limit: see `FrameReservoir`.

    Returns:
        utterance: (N,) positions in the corpus, increasing.
        moment: (N,) samples, increasing within an utterance.
    """
    usable = np.maximum(np.rint(plan.seconds * SAMPLE_RATE).astype(np.int64) - MARGIN, 0)
    counts = np.minimum(np.maximum(usable // APART, usable > 0), per_utterance)
    moments = [
        _one_in_each(int(length), int(count), stream(plan.seed, "moments", utterance.name))
        for utterance, length, count in zip(plan.corpus.utterances, usable, counts, strict=True)
    ]
    order = in_turns(plan.folds.of_utterance, stream(plan.seed, "utterances of the reservoir"))
    before = np.cumsum(counts[order]) - counts[order]  # moments of the utterances that come before one
    enough = max(FEWEST * plan.folds.count, int(np.searchsorted(before, limit)))
    counts[order[enough:]] = 0
    utterance = np.repeat(np.arange(len(counts)), counts)
    chosen = spread(plan.folds.of_utterance[utterance], limit, stream(plan.seed, "reservoir"))
    kept = [moment[:count] for moment, count in zip(moments, counts, strict=True)]
    return utterance[chosen], np.concatenate([np.zeros(0, dtype=np.int64), *kept])[chosen]


def _one_in_each(length: int, count: int, generator: np.random.Generator) -> np.ndarray:
    """(count,) a sample at random in each of `count` equal stretches of 0 <= sample < `length`."""
    return ((np.arange(count) + generator.random(count)) * length / max(count, 1)).astype(np.int64)


def _at(frames: torch.Tensor, own: Stride, moment: np.ndarray, stride: Stride | None) -> np.ndarray:
    """The frames of one utterance at some moments, (n, D) float32.

    Args:
        frames: (T, D), T >= 1, of stride `own`.
        own: in samples.
        moment: (n,) samples.
        stride: of the cells that are averaged; None for single frames.
    """
    if stride is None or stride == own:
        index = torch.from_numpy(np.minimum(frame_at(moment, own), len(frames) - 1))
        return frames[index.to(frames.device)].cpu().numpy()
    ticks = clock(own, stride)
    moment, own, stride = moment * ticks, int(own * ticks), int(stride * ticks)
    length = len(frames) * own
    first = np.minimum(moment // stride, (length - 1) // stride) * stride
    bags = Bags.of_spans(first, np.minimum(first + stride, length), own, len(frames))
    return bags.mean(frames).cpu().numpy()
