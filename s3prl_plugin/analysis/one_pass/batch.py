"""One batch of States as the measures of an analysis see it: what several of them need is worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
import torch

from s3prl_plugin.analysis import mel
from s3prl_plugin.analysis.grid import average_cells, covered_frames
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.planning.segments import WHOLE_FRAMES
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import States
from s3prl_plugin.strides import Stride

_Key = tuple[object, ...]


class Upstream(Protocol):
    """A further upstream.

    Attributes:
        name: of it.
    """

    name: str

    def __call__(self, waveforms: Sequence[torch.Tensor]) -> States:
        """The States of a batch."""
        ...


class Batch:
    """The utterances of one batch, at every tap.

    Everything is worked out per utterance, so that a number does not depend on what else is in the batch.

    Args:
        states: what the upstream returned.
        positions: the utterances' positions in the plan's corpus.
        plan: the run's.
    """

    def __init__(self, states: States, positions: Sequence[int], plan: Plan):
        if len(positions) != len(states.waveforms):
            raise ValueError(f"{len(positions)} positions for {len(states.waveforms)} utterances")
        self.states = states
        self.positions = [int(p) for p in positions]
        self.plan = plan
        self._frames: dict[_Key, torch.Tensor] = {}
        self._mels: dict[_Key, torch.Tensor] = {}
        self._weights: dict[_Key, tuple[np.ndarray, torch.Tensor]] = {}
        self._pooled: dict[_Key, tuple[np.ndarray, np.ndarray]] = {}
        self._others: dict[str, Batch] = {}
        self._all: Batch | None = None  # at all taps, where this one is at some: not itself, which would keep it alive
        self._place: Sequence[int] = range(len(states.taps))

    def only(self, positions: Sequence[int]) -> Batch:
        """The same utterances at some of the taps; what all taps have in common stays what it is for all of them.

        Args:
            positions: of the taps, increasing.
        """
        whole = self._whole
        found = Batch(whole.states.only(positions), whole.positions, whole.plan)
        found._all, found._place = whole, positions
        found._mels, found._weights, found._others = whole._mels, whole._weights, whole._others
        return found

    def __len__(self) -> int:
        """The number of utterances."""
        return len(self.positions)

    def frames(self, i: int, tap: int) -> torch.Tensor:
        """The valid frames of utterance `i` at a tap, (T, D) float32.

        Raises:
            UserError: they are not all finite.
        """
        if self._all is not None:
            return self._all.frames(i, self._place[tap])
        key = (i, tap)
        if key not in self._frames:
            rows = self.states.utterance(tap, i).float()
            if not torch.isfinite(rows).all():
                name = self.plan.corpus.utterances[self.positions[i]].name
                raise UserError(
                    f"tap {self.states.taps[tap].name} is NaN or infinite for utterance {name}: no statistics can be "
                    "taken of it; check the checkpoint, or use a dtype with more range"
                )
            self._frames[key] = rows
        return self._frames[key]

    def common_frames(self, i: int, stride: Stride) -> int:
        """How many frames of utterance `i` all taps of a stride have, and the mel spectrogram with them.

        Frame measures of all these taps are taken on the same frames, so that their differences are paired.
        """
        taps = zip(self._whole.states.taps, self._whole._lengths, strict=True)
        shortest = min(lengths[i] for tap, lengths in taps if tap.stride == stride)
        heard = mel.frames_of(len(self.states.waveforms[i]))
        return covered_frames(heard, mel.HOP, stride, shortest, mel.TAP_OFFSET)

    def shortest(self, i: int) -> dict[Stride, int]:
        """Stride -> how many frames of utterance `i` all taps of the upstream of that stride have."""
        found: dict[Stride, int] = {}
        for tap, lengths in zip(self._whole.states.taps, self._whole._lengths, strict=True):
            found[tap.stride] = min(lengths[i], found.get(tap.stride, lengths[i]))
        return found

    def complete(self, i: int) -> bool:
        """Whether utterance `i` has a frame at every tap of the upstream."""
        return all(lengths[i] > 0 for lengths in self._whole._lengths)

    def log_mel(self, i: int, stride: Stride, decimate: bool = False) -> torch.Tensor:
        """The log-mel frames of utterance `i` at a stride, (T, 80), T = `common_frames`; see `mel.at_stride`."""
        key = (i, stride, decimate)
        if key not in self._mels:
            if (i,) not in self._mels:
                self._mels[i,] = mel.log_mel(self.states.waveforms[i])
            self._mels[key] = mel.at_stride(self._mels[i,], stride, self.common_frames(i, stride), decimate)
        return self._mels[key]

    def at_stride(self, i: int, tap: int, stride: Stride) -> torch.Tensor:
        """The frames of utterance `i` at one tap, brought to the frame rate of another; see `average_cells`."""
        key = (i, tap, stride)
        if key not in self._frames:
            own = self.states.taps[tap].stride
            self._frames[key] = average_cells(self.frames(i, tap), own, stride, self.common_frames(i, stride))
        return self._frames[key]

    def seen_by(self, upstream: Upstream) -> Batch:
        """The same utterances at the taps of another upstream, which is asked once."""
        if upstream.name not in self._others:
            self._others[upstream.name] = Batch(upstream(self.states.waveforms), self.positions, self.plan)
        return self._others[upstream.name]

    def segments(self, tap: int, sample: Sample, weights: str = WHOLE_FRAMES) -> tuple[np.ndarray, np.ndarray]:
        """The segment means of this batch's utterances at one tap.

        Segments that several samples have in common are averaged once.

        Args:
            tap: its position.
            sample: which segments.
            weights: of the frames, one of `segments.SEGMENT_WEIGHTS`.

        Returns:
            rows: (n,) row numbers of `sample`.
            means: (n, D) float32.
        """
        unit = sample.unit
        key = (tap, unit, weights)
        if key not in self._pooled:
            parts = [self._pool(i, tap, unit, weights) for i in range(len(self))]
            self._pooled[key] = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
        segment, means = self._pooled[key]
        row = sample.row[segment]
        return row[row >= 0], means[row >= 0]

    @property
    def _whole(self) -> Batch:
        """The same utterances at all taps."""
        return self if self._all is None else self._all

    @cached_property
    def _lengths(self) -> list[list[int]]:
        return [lengths.tolist() for lengths in self.states.lengths]

    def _pool(self, i: int, tap: int, unit: str, weights: str) -> tuple[np.ndarray, np.ndarray]:
        """The segments of one utterance that any sample wants, and their means at a tap."""
        frames = self.frames(i, tap)
        segment, matrix = self._averaging(i, unit, self.states.taps[tap].stride, len(frames), weights)
        if not len(segment):
            return segment, np.zeros((0, frames.shape[1]), dtype=np.float32)
        return segment, (matrix.to(frames.device) @ frames).cpu().numpy()

    def _averaging(
        self, i: int, unit: str, stride: Stride, frames: int, weights: str
    ) -> tuple[np.ndarray, torch.Tensor]:
        """The wanted segments of one utterance, and the matrix that averages its frames into them."""
        key = (i, unit, stride, frames, weights)
        if key not in self._weights:
            segment = self.plan.wanted(unit, self.positions[i])
            matrix = self.plan.alignment(unit).averaging(segment, stride, frames, weights)
            self._weights[key] = segment, torch.from_numpy(matrix)
        return self._weights[key]
