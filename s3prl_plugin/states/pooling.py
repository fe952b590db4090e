"""The resolution-matched grid: States brought down to one frame rate, so that only what they hold differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

from s3prl_plugin.config.schema import By
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states.taps import SAMPLE_RATE, States, Tap
from s3prl_plugin.strides import Stride, exact_stride, ms_text

if TYPE_CHECKING:
    import torch

MODES = ("mean", "decimate")


@dataclass(frozen=True, slots=True)
class Pooling:
    """A frame rate to come down to.

    Attributes:
        mode: "mean" of the frames that one new frame spans, or "decimate": the first of them.
        stride: samples at 16 kHz from one new frame to the next.
    """

    mode: str
    stride: Stride

    def __str__(self) -> str:
        return f"{self.mode}:{_exact_ms(self.stride)}"


def parse(text: str) -> Pooling:
    """The pooling that an option such as `mean:40`, `decimate:80` or `mean:80/3` asks for (mode, milliseconds).

    Raises:
        UserError: it is no such text.
    """
    mode, colon, milliseconds = str(text).partition(":")
    if not colon or mode not in MODES:
        raise UserError(f"pool_to: {text!r}: give `mean:40` or `decimate:40` (ms); {did_you_mean(mode, MODES)}")
    try:
        stride = Fraction(milliseconds) * SAMPLE_RATE / 1000
    except (ValueError, ZeroDivisionError):
        stride = Fraction(0)
    if not (0 < stride < SAMPLE_RATE * 60 and (stride.denominator == 1 or "/" in milliseconds)):
        raise UserError(f"pool_to: {text!r}: {milliseconds!r} is no frame length in ms; give for example `{mode}:40`")
    return Pooling(mode, exact_stride(stride))


Wanted = Annotated[str, By(parse)]  # an option that says it


def pool_taps(taps: Iterable[Tap], pooling: Pooling) -> tuple[Tap, ...]:
    """The taps as they are after `pool`.

    Raises:
        UserError: a finer tap's stride does not divide the grid's.
    """
    factors = ((tap, _factor(tap, pooling)) for tap in taps)
    # What was averaged is no code any more.
    return tuple(
        replace(tap, stride=exact_stride(tap.stride * n), codes=tap.codes if n == 1 else None) for tap, n in factors
    )


def pool(states: States, pooling: Pooling) -> States:
    """Every tap that is finer than the grid, brought down to it; taps at the grid or coarser stay as they are.

    An utterance of n frames has ceil(n / factor) afterwards; the mean of its last frame is over what there is.

    Args:
        states: of any upstream.
        pooling: the grid.

    Raises:
        UserError: a finer tap's stride does not divide the grid's.
    """
    tensors, lengths = [], []
    for tap, x, n in zip(states.taps, states.tensors, states.lengths, strict=True):
        factor = _factor(tap, pooling)
        if factor > 1:
            x = x[:, ::factor] if pooling.mode == "decimate" else _mean(x, n, factor)
            n = (n + factor - 1) // factor
        tensors.append(x)
        lengths.append(n)
    return States(pool_taps(states.taps, pooling), tensors, lengths, states.waveforms)


def _factor(tap: Tap, pooling: Pooling) -> int:
    """How many frames of a tap make one of the grid; 1 for a tap that is no finer."""
    if tap.stride >= pooling.stride:
        return 1
    if pooling.stride % tap.stride:
        fewer = pooling.stride // tap.stride
        near = " or ".join(f"{pooling.mode}:{_exact_ms(n * tap.stride)}" for n in (fewer, fewer + 1))
        raise UserError(
            f"pool_to {pooling}: {tap.name} has frames of {ms_text(tap.stride)} ms, and no whole number of them makes "
            f"one of the grid; give a multiple, such as {near}"
        )
    return pooling.stride // tap.stride


def _exact_ms(stride: Stride) -> str:
    """A stride in milliseconds as `parse` reads it: 40, 12.5, 80/3."""
    exact = Fraction(1000 * stride, SAMPLE_RATE)
    return f"{float(exact):g}" if Fraction(f"{float(exact):g}") == exact else str(exact)


def _mean(x: torch.Tensor, lengths: torch.Tensor, factor: int) -> torch.Tensor:
    """The mean of every `factor` frames of (B, T, D), over the valid ones among them."""
    import torch
    import torch.nn.functional as F

    frames = -(-x.shape[1] // factor)
    ends = lengths.to(x.device)[:, None]
    valid = torch.arange(x.shape[1], device=x.device) < ends
    x = F.pad(x.masked_fill(~valid[..., None], 0), (0, 0, 0, frames * factor - x.shape[1]))
    starts = torch.arange(frames, device=x.device) * factor
    count = (ends - starts).clamp(1, factor)
    return x.unflatten(1, (frames, factor)).sum(2) / count[..., None]
