"""Rates, axes and lengths of a network's states, learned by giving it noise: nothing of it is taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, partial

import torch
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.states import frame_counts
from s3prl_plugin.states.frame_counts import FrameCount
from s3prl_plugin.strides import SAMPLE_RATE, Stride, exact_stride
from s3prl_plugin.upstream.hf.hearing import Hearing
from s3prl_plugin.upstream.hf.observing import Point, equal_noise, frames_first, observe

# The own samples by which probes differ: multiples of the hops of all known models; the second of longer ones.
STEPS = (38400, 153600)  # 2^9 3 5^2, 2^11 3 5^2


@dataclass(frozen=True, slots=True)
class Layout:
    """How the states at one point lie in a tensor.

    Attributes:
        batch, time: axes.
        stride: samples at 16 kHz.
        dim: features in a frame.
        tokens: frames in front of those of the audio.
    """

    batch: int
    time: int
    stride: Stride
    dim: int
    tokens: int = 0

    def frames(self, x: Tensor) -> Tensor:
        """The states as (B, T, D), of the audio alone."""
        return frames_first(x, self.batch, self.time)[:, self.tokens :]


def learn(hearing: Hearing, points: Sequence[Point]) -> dict[str, Layout]:
    """The layout of every point that is passed, in the order in which they are passed.

    Args:
        hearing: runs the network.
        points: where it is observed.

    Raises:
        UserError: a point is passed several times for one utterance, gives no sequence of frames, or frames that are
            not equally far apart.
    """
    if hearing.window is not None:
        (one,) = _shapes(hearing, points, [hearing.window // 2])
        return {name: _in_window(hearing, name, x, dims) for name, (x, dims) in one.items()}
    for step in STEPS:
        runs = _shapes(hearing, points, [hearing.rate, hearing.rate + step, hearing.rate + 2 * step])
        try:
            return {name: _layout(name, [run[name] for run in runs], step, hearing.rate) for name in runs[0]}
        except _UnevenError as error:
            uneven = error
    raise UserError(f"{uneven}; such models are not supported, for no time in the results would be right")


def without_tokens(
    hearing: Hearing, points: Sequence[Point], layouts: Mapping[str, Layout], least: int = 0
) -> dict[str, Layout]:
    """The layouts with the frames that a network puts in front of its layers, such as a class token.

    Where they enter the first layer they are the same for all utterances, but where convolutions mixed them with the
    audio: then somebody has to know of them (`least`).
    """
    found = dict(layouts)
    entering = [point for point in points if point.enters]
    if hearing.window is not None or not entering:
        return found
    device = next(hearing.root.parameters()).device
    noise = [wave.to(device) for wave in equal_noise(hearing.rate, 2)]
    with torch.no_grad():
        seen = observe(lambda: hearing(noise), hearing.root, entering)
    for point in entering:
        x = found[point.name].frames(seen[point.name][0])
        tokens = max(least, int((x[0] == x[1]).all(-1).cumprod(0).sum()))
        behind = [each.name for each in points if each.layer is not None and each.block == point.block]
        found |= {name: replace(found[name], tokens=tokens) for name in (*behind, *_norms(points))}
    return found


def _norms(points: Sequence[Point]) -> list[str]:
    """The final normalisation, which is passed behind the layers."""
    return [point.name for point in points if point.layer is None and not point.aside]


class _UnevenError(UserError):
    """Frames whose distance is no whole number of the model's samples."""


_Shape = tuple[tuple[int, ...], tuple[int, ...]]  # of one utterance, of two of the same length


def _shapes(hearing: Hearing, points: Sequence[Point], lengths: Sequence[int]) -> list[dict[str, _Shape]]:
    """The shapes at every point for utterances of some lengths, at the model's own rate."""
    device = next(hearing.root.parameters()).device
    found = []
    for i, samples in enumerate(lengths):
        shapes: list[dict[str, tuple[int, ...]]] = []
        for count in (1, 2) if i == 0 else (1,):
            noise = [wave.to(device) for wave in equal_noise(samples, count)]
            with torch.no_grad():
                seen = observe(partial(hearing, noise), hearing.root, points, early=False)
            for name, calls in seen.items():
                if len(calls) > 1:
                    raise UserError(f"{name} is passed {len(calls)} times for one utterance: not supported")
            shapes.append({name: tuple(calls[0].shape) for name, calls in seen.items()})
        found.append({name: (shape, shapes[-1][name]) for name, shape in shapes[0].items()})
    return found


def _layout(name: str, shapes: Sequence[_Shape], step: int, rate: int) -> Layout:
    """The layout of a point, from the shapes for three utterances, each longer by `step` than the one before."""
    (one, two), (longer, _), (longest, _) = shapes
    grows = [axis for axis, (x, y) in enumerate(zip(one, longer, strict=True)) if x != y]
    batch = [axis for axis, (x, y) in enumerate(zip(one, two, strict=True)) if x == 1 and y == 2]
    if len(grows) != 1 or len(batch) != 1:
        raise UserError(
            f"{name} gives tensors of {one} and {longer} for longer audio, and {two} for two utterances: no frames "
            "that grow with the audio; name other modules with the option layers"
        )
    (time,) = grows
    strides = {Fraction(step, y[time] - x[time]) for x, y in ((one, longer), (longer, longest)) if y[time] > x[time]}
    if len(strides) != 1 or next(iter(strides)).denominator != 1:
        said = " and ".join(f"{float(each):.1f}" for each in sorted(strides))
        raise _UnevenError(f"{name} has a frame every {said} samples, which are not equally far apart")
    return _of_axes(one, batch[0], time, exact_stride(strides.pop() * SAMPLE_RATE / rate))


def _in_window(hearing: Hearing, name: str, one: Sequence[int], two: Sequence[int]) -> Layout:
    """The layout of a point in a window of fixed length: its frames are the features', or every other of them, ..."""
    assert hearing.window is not None
    assert hearing.frames is not None
    possible = [hearing.frames >> k for k in range(4) if hearing.frames % (1 << k) == 0]
    batch = [axis for axis, (x, y) in enumerate(zip(one, two, strict=True)) if x == 1 and y == 2]
    times = [axis for axis, size in enumerate(one) if size in possible and axis not in batch]
    if len(batch) != 1 or len(times) != 1:
        raise UserError(f"{name} gives tensors of {tuple(one)}: no frames of a window; name other modules (layers)")
    stride = Fraction(hearing.window, one[times[0]]) * SAMPLE_RATE / hearing.rate
    return _of_axes(one, batch[0], times[0], exact_stride(stride))


def _of_axes(shape: Sequence[int], batch: int, time: int, stride: Stride) -> Layout:
    dim = 1
    for axis, size in enumerate(shape):
        dim *= size if axis not in (batch, time) else 1
    return Layout(batch, time, stride, dim)


def counts(count: Callable[[int], Sequence[int]], strides: Sequence[Stride]) -> list[FrameCount] | None:
    """The laws by which all taps count frames; None where one of them follows none.

    Args:
        count: the frames of every tap, given the samples of one utterance.
        strides: of every tap.
    """
    laws = frame_counts.learn(cache(lambda samples: tuple(count(samples))), strides)
    return None if None in laws else [law for law in laws if law is not None]
