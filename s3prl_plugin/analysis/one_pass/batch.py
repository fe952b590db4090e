"""One batch of States as the measures of an analysis see it: what several of them need is worked out once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from s3prl_plugin.analysis import mel
from s3prl_plugin.analysis.grid import Bags, covered_frames
from s3prl_plugin.analysis.one_pass.packed import Packed
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.planning.segments import WHOLE_FRAMES
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import States
from s3prl_plugin.strides import Stride

T = TypeVar("T")


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

    What is worked out of an utterance does not depend on what else is in the batch. How many frames there are is read
    from the device once, and so is whether all states are finite.

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
        self._whole = states
        self._place: Sequence[int] = range(len(states.taps))  # of the taps, among those of the whole
        self._known: dict[tuple[object, ...], Any] = {}
        self._lengths: list[list[int]] = torch.stack(list(states.lengths)).tolist()

    def only(self, positions: Sequence[int]) -> Batch:
        """The same utterances at some of the taps; what all taps have in common stays what it is for all of them.

        Args:
            positions: of the taps, increasing.
        """
        found = object.__new__(Batch)
        found.__dict__.update(self.__dict__)  # what is known, and what will be, they have in common
        found._place = [self._place[tap] for tap in positions]
        found.states = self._whole.only(found._place)
        return found

    def __len__(self) -> int:
        """The number of utterances."""
        return len(self.positions)

    def frames(self, i: int, tap: int) -> torch.Tensor:
        """The valid frames of utterance `i` at a tap, (T, D) float32.

        Raises:
            UserError: they are not all finite.
        """
        place = self._place[tap]
        self._refuse_infinite(place, [i])
        return self._states(place, i).float()

    def packed(self, tap: int) -> Packed:
        """The valid frames of all utterances at a tap, in the type in which the upstream gave them.

        Raises:
            UserError: they are not all finite.
        """
        place = self._place[tap]
        self._refuse_infinite(place, range(len(self)))
        return self._packed(place)

    def common_frames(self, stride: Stride) -> list[int]:
        """How many frames of every utterance all taps of a stride have, and the mel spectrogram with them.

        Frame measures of all these taps are taken on the same frames, so that their differences are paired.
        """
        heard = [mel.frames_of(len(waveform)) for waveform in self.states.waveforms]
        shortest = [self.shortest(i)[stride] for i in range(len(self))]
        return [
            covered_frames(n, mel.HOP, stride, most, mel.TAP_OFFSET) for n, most in zip(heard, shortest, strict=True)
        ]

    def shortest(self, i: int) -> dict[Stride, int]:
        """Stride -> how many frames of utterance `i` all taps of the upstream of that stride have."""
        found: dict[Stride, int] = {}
        for tap, lengths in zip(self._whole.taps, self._lengths, strict=True):
            found[tap.stride] = min(lengths[i], found.get(tap.stride, lengths[i]))
        return found

    def complete(self, i: int) -> bool:
        """Whether utterance `i` has a frame at every tap of the upstream."""
        return all(lengths[i] > 0 for lengths in self._lengths)

    def log_mel(self, stride: Stride, decimate: bool = False) -> Packed:
        """The log-mel frames at a stride, 80 dimensions, as many as `common_frames`; see `mel.at_stride`."""
        frames = self.common_frames(stride)
        whole = self._once(("mel",), lambda: Packed.of([mel.log_mel(wave) for wave in self.states.waveforms]))

        def brought() -> Packed:
            if not decimate:
                return whole.at_stride(mel.HOP, stride, frames, mel.TAP_OFFSET)
            return Packed.of([mel.at_stride(whole[i], stride, n, decimate) for i, n in enumerate(frames)])

        return self._once(("mel", stride, decimate), brought)

    def at_stride(self, tap: int, stride: Stride) -> Packed:
        """The frames at one tap, brought to the frame rate of another; see `grid.cells`."""
        own = self.states.taps[tap].stride
        return self._once(
            ("tap", self._place[tap], stride),
            lambda: self.packed(tap).at_stride(own, stride, self.common_frames(stride)),
        )

    def seen_by(self, upstream: Upstream) -> Batch:
        """The same utterances at the taps of another upstream, which is asked once."""
        return self._once(
            ("upstream", upstream.name), lambda: Batch(upstream(self.states.waveforms), self.positions, self.plan)
        )

    def segments(self, sample: Sample, weights: str = WHOLE_FRAMES) -> tuple[np.ndarray, list[np.ndarray]]:
        """The segment means of this batch's utterances at every tap.

        Segments that several samples have in common are averaged once; the means of all taps leave the device at once.

        Args:
            sample: which segments.
            weights: of the frames, one of `segments.SEGMENT_WEIGHTS`.

        Returns:
            rows: (n,) row numbers of `sample`.
            means: per tap, (n, D) float32.
        """
        wanted = [self.plan.wanted(sample.unit, position) for position in self.positions]
        keys = [("segments", sample.unit, weights, place) for place in self._place]
        if keys[0] not in self._known or keys[-1] not in self._known:
            pooled = self._pooled(wanted, sample.unit, weights)
            columns = np.cumsum([each.shape[1] for each in pooled])[:-1]
            parts = np.split(torch.cat(pooled, dim=1).cpu().numpy(), columns, axis=1)
            self._known.update(zip(keys, parts, strict=True))
        row = sample.row[np.concatenate(wanted)]
        kept = slice(None) if (row >= 0).all() else row >= 0
        return row[kept], [self._known[key][kept] for key in keys]

    def _pooled(self, wanted: Sequence[np.ndarray], unit: str, weights: str) -> list[torch.Tensor]:
        """The means of the wanted segments at every tap; taps that have the same frames share what is averaged."""
        packed = [self.packed(tap) for tap in range(len(self._place))]
        alike: dict[tuple[object, ...], list[int]] = {}
        for k, (tap, seen) in enumerate(zip(self.states.taps, packed, strict=True)):
            alike.setdefault((tap.stride, *seen.starts, *seen.lengths), []).append(k)
        found: dict[int, torch.Tensor] = {}
        alignment = self.plan.alignment(unit)
        for taps in alike.values():
            stride, first = self.states.taps[taps[0]].stride, packed[taps[0]]
            pairs = zip(wanted, first.lengths, strict=True)
            bags = Bags.joined([alignment.bags(rows, stride, n, weights) for rows, n in pairs], first.starts)
            found.update(zip(taps, bags.means([packed[k].rows.float() for k in taps]), strict=True))
        return [found[k] for k in range(len(packed))]

    def _packed(self, place: int) -> Packed:
        """The frames of a tap of the whole."""
        tensor = self._whole.tensors[place]
        starts = [i * tensor.shape[1] for i in range(len(tensor))]
        rows = self._once(("rows", place), lambda: tensor.reshape(-1, tensor.shape[2]))  # a copy where strides forbid
        return Packed(rows, starts, self._lengths[place])

    def _states(self, place: int, i: int) -> torch.Tensor:
        """The frames of one utterance at a tap of the whole."""
        return self._whole.tensors[place][i, : self._lengths[place][i]]

    def _refuse_infinite(self, place: int, utterances: Sequence[int]) -> None:
        """Look closely where the sum of a tap's frames, with those past the utterances' ends, is not finite."""
        if self._finite[place]:
            return
        for i in utterances:
            if not torch.isfinite(self._states(place, i)).all():
                name = self.plan.corpus.utterances[self.positions[i]].name
                raise UserError(
                    f"tap {self._whole.taps[place].name} is NaN or infinite for utterance {name}: no statistics can be "
                    "taken of it; check the checkpoint, or use a dtype with more range"
                )

    @property
    def _finite(self) -> list[bool]:
        """Per tap of the whole, whether the sum of everything is finite."""

        def found() -> list[bool]:
            sums = torch.stack([tensor.sum(dtype=torch.float32) for tensor in self._whole.tensors])
            return torch.isfinite(sums).tolist()

        return self._once(("finite",), found)

    def _once(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What is known under that key, made where it is not."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]
