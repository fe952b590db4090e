"""Statistics of frames: every tap with mel frames, base taps and another model's tap, at the tap's own frame rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from s3prl_plugin.analysis import mel
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.one_pass.packed import Packed
from s3prl_plugin.analysis.other_models.second_upstream import SecondUpstream
from s3prl_plugin.analysis.statistics.moments import FoldMoments, Moments, ViewMoments
from s3prl_plugin.analysis.statistics.storage import IN_MEMORY, Storage
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride

MEL = "mel"
OTHER = "the other model's"

ROWS_AT_ONCE = 4096  # of a fold: bounds the memory of their products

FoldsOfFrames = Callable[[int, Stride, int], np.ndarray]
"""(utterance, stride, frames) -> the fold of every frame, (frames,); a negative one leaves a frame out."""


Views = Mapping[str, list[ViewMoments]]
"""Name -> the moments of a view in every fold."""

NOTHING: Views = MappingProxyType({})


class FrameStatistics:
    """Moments per fold of the views that frame measures need.

    The taps of one stride are seen on the same frames, beside the mel spectrogram, the base taps and a tap of another
    model at that stride, so each view's scatter is kept once whatever it is paired with. What the taps are paired with
    is asked for before the first frames come; analyses that ask for the same share it.

    Args:
        taps: of the upstream.
        folds: how many.
        fold_of: the folds of an utterance's frames.
        utterances: (U,) true for the utterances whose frames are used.
        decimate: take single mel frames, as the published protocol does, instead of averages.
        device: where products are computed and sums are kept.
        other: another upstream, and the position of its tap that all taps are paired with.
        storage: of the sums on the CPU.
    """

    holds = "moments of frames"

    def __init__(
        self,
        taps: Sequence[Tap],
        folds: int,
        fold_of: FoldsOfFrames,
        utterances: np.ndarray,
        decimate: bool = False,
        device: str | torch.device = "cpu",
        other: tuple[SecondUpstream, int] | None = None,
        storage: Storage = IN_MEMORY,
    ):
        self.taps = tuple(taps)
        self.folds = folds
        self.fold_of = fold_of
        self.utterances = utterances
        self.decimate = decimate
        self.device = device
        self.other = other
        self.storage = storage
        self._with_mel = False
        self._bases: list[int] = []

    def pair_with_mel(self) -> None:
        """Keep the cross moments of every tap with the mel spectrogram."""
        self._with_mel = True

    def pair_with_base(self, base: int) -> None:
        """Keep the cross moments of every tap with the tap at this position."""
        self._bases = sorted({*self._bases, base})

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory, all told."""
        return sum(FoldMoments.memory_for(*self._views(s), self.folds) for s in self._strides)

    def describe(self) -> str:
        """The pairs of views whose cross moments are kept, how they are kept, and which the other model is."""
        pairs = "triangles; " + str([self._views(stride)[1] for stride in self._strides])
        return pairs if self.other is None else f"{pairs}, of upstream {self.other[0].digest}"

    def update(self, batch: Batch) -> None:
        """Take in the frames of a batch."""
        for stride, statistics in self._by_stride.items():
            views = self._packed(batch, stride)
            frames = [
                min(most, *(view.lengths[i] for view in views.values())) if self.utterances[position] else 0
                for i, (position, most) in enumerate(zip(batch.positions, batch.common_frames(stride), strict=True))
            ]
            pairs = zip(batch.positions, frames, strict=True)
            fold = np.concatenate([self.fold_of(position, stride, n) for position, n in pairs])
            utterance = np.repeat(np.arange(len(frames)), frames)
            frame = np.concatenate([np.arange(n) for n in frames])
            for number in np.unique(fold[fold >= 0]):
                chosen = np.flatnonzero(fold == number)
                for start in range(0, len(chosen), ROWS_AT_ONCE):
                    part = chosen[start : start + ROWS_AT_ONCE]
                    statistics.update(int(number), _Chosen(views, utterance[part], frame[part]))

    def of(self, tap: Tap) -> list[ViewMoments]:
        """Per fold, a tap's frames by themselves."""
        return self._by_stride[tap.stride].view(tap.name)

    def partners_at(self, stride: Stride) -> Views:
        """The views that the taps of a stride are paired with, per fold; for `with_..._of` all of these taps."""
        statistics = self._by_stride[stride]
        return {name: statistics.view(name) for name in {y for _, y in statistics.pairs}}

    def with_mel_of(self, tap: Tap, known: Views = NOTHING) -> list[Moments]:
        """Per fold, a tap's frames (x) with the mel frames (y)."""
        return self._by_stride[tap.stride].moments(tap.name, MEL, known)

    def with_base_of(self, tap: Tap, base: int, known: Views = NOTHING) -> list[Moments]:
        """Per fold, a tap's frames (x) with those of a base tap (y)."""
        return self._by_stride[tap.stride].moments(tap.name, self._base_name(base, tap.stride), known)

    def with_other_of(self, tap: Tap, known: Views = NOTHING) -> list[Moments]:
        """Per fold, a tap's frames (x) with those of the other model's tap (y)."""
        return self._by_stride[tap.stride].moments(tap.name, OTHER, known)

    def other_fields(self) -> dict[str, str]:
        """The row fields that name the other model's tap; none where there is no other model."""
        if self.other is None:
            return {}
        second, tap = self.other
        return {"tap2": second.taps[tap].name, "upstream2": second.name}

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on (not copies)."""
        return {str(stride): statistics.state_dict() for stride, statistics in self._by_stride.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of the same taps and folds."""
        for stride, statistics in self._by_stride.items():
            statistics.load_state_dict(state[str(stride)])

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the saved frames of other batches."""
        for stride, statistics in self._by_stride.items():
            statistics.merge_state(state[str(stride)])

    def _packed(self, batch: Batch, stride: Stride) -> dict[str, Packed]:
        """The views that are seen at a stride, of all utterances."""
        views = {tap.name: batch.packed(k) for k, tap in enumerate(self.taps) if tap.stride == stride}
        if self._with_mel:
            views[MEL] = batch.log_mel(stride, self.decimate)
        for base in self._bases:
            if self.taps[base].stride != stride:
                views[self._base_name(base, stride)] = batch.at_stride(base, stride)
        if self.other is not None:
            second, tap = self.other
            heard = batch.seen_by(second).packed(tap)
            views[OTHER] = heard.at_stride(second.taps[tap].stride, stride, batch.common_frames(stride))
        return views

    @cached_property
    def _by_stride(self) -> dict[Stride, FoldMoments]:
        """Taken when the first frames come, after it is known to fit."""
        return {s: FoldMoments(*self._views(s), self.folds, self.device, self.storage) for s in self._strides}

    @property
    def _strides(self) -> list[Stride]:
        return sorted({tap.stride for tap in self.taps})

    def _base_name(self, base: int, stride: Stride) -> str:
        """The view of a base tap at a stride: at its own it is the tap itself."""
        tap = self.taps[base]
        return tap.name if tap.stride == stride else f"{tap.name} at stride {stride}"

    def _views(self, stride: Stride) -> tuple[dict[str, int], list[tuple[str, str]]]:
        """Dimensions and pairs of the views that are seen at a stride."""
        here = [tap for tap in self.taps if tap.stride == stride]
        dims = {tap.name: tap.dim for tap in here}
        pairs = []
        if self._with_mel:
            dims[MEL] = mel.BANDS
            pairs += [(tap.name, MEL) for tap in here]
        for base in self._bases:
            name = self._base_name(base, stride)
            dims.setdefault(name, self.taps[base].dim)
            pairs += [(tap.name, name) for tap in here if tap.name != name]
        if self.other is not None:
            second, position = self.other
            dims[OTHER] = second.taps[position].dim
            pairs += [(tap.name, OTHER) for tap in here]
        return dims, pairs


class _Chosen(Mapping[str, torch.Tensor]):
    """Some frames of every view, copied when they are asked for, so that those of one view are there at a time."""

    def __init__(self, views: Mapping[str, Packed], utterance: np.ndarray, frame: np.ndarray):
        self._views, self._utterance, self._frame = views, utterance, frame

    def __getitem__(self, name: str) -> torch.Tensor:
        return self._views[name].chosen(self._utterance, self._frame)

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)


def shared_frames(
    gathering: Gathering,
    taps: Sequence[Tap],
    limit: int | None,
    device: str | torch.device = "cpu",
    other: tuple[SecondUpstream, int] | None = None,
) -> FrameStatistics:
    """The frame statistics over a plan's own folds: one for all analyses of a run that ask for the same.

    Args:
        gathering: of the run.
        taps, device, other: see `FrameStatistics`.
        limit: at most so many utterances; None for all.
    """
    plan = gathering.plan
    return gathering.share(
        f"frames of {limit or 'all'} utterances, default folds{beside(other)}",
        lambda: FrameStatistics(
            taps,
            folds=plan.folds.count,
            fold_of=plan.fold_of_frames,
            utterances=plan.frame_utterances(limit),
            device=device,
            other=other,
            storage=gathering.storage,
        ),
    )


def beside(other: tuple[SecondUpstream, int] | None) -> str:
    """The other model's tap as part of a statistic's name: frames that it lacks are left out of all pairs."""
    return "" if other is None else f", with {other[0].taps[other[1]].name} of {other[0].name}"
