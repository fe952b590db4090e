"""Taps: the points of a network whose output is observed, and their outputs for one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.strides import SAMPLE_RATE as SAMPLE_RATE
from s3prl_plugin.strides import Stride, exact_stride, milliseconds, written_stride

if TYPE_CHECKING:
    import torch


ASIDE = "aside"
"""The block of taps that are for analysis only: a convolutional front end, an adapter, states after up-sampling."""


@dataclass(frozen=True, slots=True)
class Tap:
    """One observed point of a network.

    Attributes:
        index: position in the list of state taps, in execution order; output taps count on after them.
        name: `enc0.pre`, `mid.layer3`, `dec0.out`, `res_out1`; `layer7` for a network without blocks.
        block: `enc0`, `mid`, `dec0`, ...; None for a network without blocks and for output taps.
        layer: the part of the name after the block: `pre` (what enters the first layer), `layer0`, ..., `out`.
        stride: samples at 16 kHz from one frame to the next (320 = 20 ms); a fraction where they are no whole number.
        dim: the number of features in a frame.
        role: "state" (what the weighted sum sees) or "output" (`res_out*`).
        codes: of a discrete tap, how many codes its frames are drawn from; else None.
    """

    index: int
    name: str
    block: str | None
    layer: str
    stride: Stride
    dim: int
    role: str = "state"
    codes: int | None = None

    @property
    def resolution_ms(self) -> float:
        """The stride in milliseconds."""
        return milliseconds(self.stride)

    def written(self) -> dict[str, Any]:
        """The tap as files hold it; see `read`."""
        return {**asdict(self), "stride": written_stride(self.stride)}

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Tap:
        """The counterpart of `written`."""
        return cls(**{**content, "stride": exact_stride(content["stride"])})


class States:
    """Every tap of one batch, each at its own frame rate.

    Args:
        taps: what was observed.
        tensors: per tap, (B, T_tap, D_tap); frames past an utterance's length are meaningless.
        lengths: per tap, (B,) integers: the valid frames of every utterance.
        waveforms: per utterance, (L,) float32 samples at 16 kHz, as given to the upstream.
    """

    def __init__(
        self,
        taps: Sequence[Tap],
        tensors: Sequence[torch.Tensor],
        lengths: Sequence[torch.Tensor],
        waveforms: Sequence[torch.Tensor],
    ):
        if not len(taps) == len(tensors) == len(lengths):
            raise ValueError(f"{len(taps)} taps, {len(tensors)} tensors, {len(lengths)} lengths: they must agree")
        self.taps = tuple(taps)
        self.tensors = tuple(tensors)
        self.lengths = tuple(lengths)
        self.waveforms = tuple(waveforms)
        self._position = {tap.name: i for i, tap in enumerate(self.taps)}

    def __len__(self) -> int:
        """The number of taps."""
        return len(self.taps)

    def __getitem__(self, tap: int | str) -> torch.Tensor:
        """The states of one tap by position or name, (B, T_tap, D_tap)."""
        return self.tensors[self.position(tap)]

    def position(self, tap: int | str) -> int:
        """Where a tap stands in `taps`, `tensors` and `lengths`.

        Raises:
            UserError: no tap has that name.
        """
        if isinstance(tap, int):
            return tap
        if tap not in self._position:
            raise UserError(f"no tap is called {tap!r}: {did_you_mean(tap, self._position)}")
        return self._position[tap]

    def utterance(self, tap: int | str, i: int) -> torch.Tensor:
        """The valid frames of utterance `i` at one tap, (T, D)."""
        k = self.position(tap)
        return self.tensors[k][i, : int(self.lengths[k][i])]

    def only(self, positions: Sequence[int]) -> States:
        """The States of some of the taps, by their positions."""
        return States(*self._of(positions), self.waveforms)

    def _of(self, positions: Sequence[int]) -> tuple[list[Tap], list[torch.Tensor], list[torch.Tensor]]:
        """Some of the taps, their tensors and their lengths."""
        return (
            [self.taps[k] for k in positions],
            [self.tensors[k] for k in positions],
            [self.lengths[k] for k in positions],
        )


class DecodableStates(States):
    """States of a model that can turn the codes of its discrete taps back into what it heard.

    Args:
        taps, tensors, lengths, waveforms: as of `States`.
        decode: (position of a tap, of an utterance) -> the model's input and what is left of it, see `decoded`.
    """

    def __init__(
        self,
        taps: Sequence[Tap],
        tensors: Sequence[torch.Tensor],
        lengths: Sequence[torch.Tensor],
        waveforms: Sequence[torch.Tensor],
        decode: Callable[[int, int], tuple[torch.Tensor, torch.Tensor]],
    ):
        super().__init__(taps, tensors, lengths, waveforms)
        self._decode = decode

    def decoded(self, tap: int, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-mel spectrogram of utterance `i`, and what a discrete tap's codes leave of it: (T, bands) in dB."""
        return self._decode(tap, i)

    def only(self, positions: Sequence[int]) -> DecodableStates:
        """See `States.only`."""
        return DecodableStates(*self._of(positions), self.waveforms, lambda tap, i: self._decode(positions[tap], i))
