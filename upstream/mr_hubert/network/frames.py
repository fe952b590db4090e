"""Operations on batches of sequences of unequal length, in which padding must not touch what is valid.

A batch is (B, T, C), time before channels, with one length per sequence; every matrix product, layer normalisation
and convolution below reads that layout as it lies in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def valid_frames(lengths: Sequence[int], x: Tensor) -> Tensor | None:
    """Which frames of `x` (B, T, C) belong to their sequence, (B, T); None when all do."""
    if min(lengths) >= x.shape[1]:
        return None
    ends = torch.tensor(lengths, device=x.device)
    return torch.arange(x.shape[1], device=x.device) < ends[:, None]


def zero_padding(x: Tensor, lengths: Sequence[int]) -> Tensor:
    """`x` (B, T, C) with zeros past every sequence's end; `x` itself when there is no padding."""
    valid = valid_frames(lengths, x)
    return x if valid is None else x.masked_fill(~valid[..., None], 0)


class Conv1d(nn.Conv1d):
    """`torch.nn.Conv1d` on (B, T, C)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T', C')."""
        padding = int(self.padding[0])
        return convolve(F.pad(x, (0, 0, padding, padding)) if padding else x, self.weight, self.bias, self.stride[0])


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """A convolution over time, as products of matrices.

    As many positions of the kernel as the stride steps over are one stretch of memory, so that each such group is a
    plain product with `x` as it lies there: faster than a convolution (4 x in bfloat16) and closer to the exact sum.

    Args:
        x: (B, T, C).
        weight: (C', C, kernel).
        bias: (C',).

    Returns:
        (B, T', C').
    """
    kernel = weight.shape[2]
    frames = (x.shape[1] - kernel) // stride + 1
    y = None
    for start in range(0, kernel, stride):
        width = min(stride, kernel - start)
        stretches = x[:, start:].unfold(1, width, stride)[:, :frames].transpose(2, 3).flatten(2)
        matrix = weight[..., start : start + width].permute(2, 1, 0).flatten(0, 1).expand(len(x), -1, -1)
        part = torch.bmm(stretches, matrix)
        y = part if y is None else y.add_(part)
    assert y is not None
    return y if bias is None else y + bias


def grouped_convolve(x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Tensor:
    """A grouped convolution over time, padded by half its kernel on both sides.

    Args:
        x: (B, T, C).
        weight: (C', C / groups, kernel).
        bias: (C',).

    Returns:
        (B, T', C'), T' = T + 1 for an even kernel, else T.
    """
    # As an image one pixel high the batch already is in the channels-last layout, and nothing needs to be transposed.
    # In bfloat16 it is laid on its side: on processors with AMX, convolutions along the width (and `conv1d`) are wrong
    # there when a group has 4 to 8 channels, by half of their norm.
    across = 3 if _computed_in(x) == torch.bfloat16 else 2
    padding = (0, weight.shape[2] // 2) if across == 2 else (weight.shape[2] // 2, 0)
    with _full_precision(x):
        y = F.conv2d(
            x.transpose(1, 2).unsqueeze(across), weight.unsqueeze(across), bias, padding=padding, groups=groups
        )
    return y.squeeze(across).transpose(1, 2)


def _computed_in(x: Tensor) -> torch.dtype:
    """What a convolution of `x` computes in, which autocast may change."""
    kind = x.device.type
    cast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)  # not so where nothing is computed
    return torch.get_autocast_dtype(kind) if cast else x.dtype


def _full_precision(x: Tensor) -> AbstractContextManager[None]:
    """float32 means float32: by default, convolutions on a GPU (unlike matrix products) round to TF32."""
    cudnn = torch.backends.cudnn
    if not x.is_cuda or x.dtype != torch.float32:
        return nullcontext()
    return cudnn.flags(
        enabled=cudnn.enabled, benchmark=cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False
    )


class ConvTranspose1d(nn.ConvTranspose1d):
    """A transposed convolution over time of (B, T, C), without bias: T * stride + kernel - 1 frames come out."""

    def __init__(self, channels: int, kernel: int, stride: int):
        super().__init__(channels, channels, kernel, stride, output_padding=stride - 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """(B, T, C) -> (B, T', C)."""
        return convolve_transposed(x, self.weight, self.stride[0])


def convolve_transposed(x: Tensor, weight: Tensor, stride: int) -> Tensor:
    """A transposed convolution over time, as products of matrices: the mirror image of `convolve`.

    Args:
        x: (B, T, C).
        weight: (C, C', kernel).

    Returns:
        (B, T * stride + kernel - 1, C').
    """
    frames, kernel = x.shape[1], weight.shape[2]
    total = frames * stride + kernel - 1
    y = None
    for start in range(0, kernel, stride):
        width = min(stride, kernel - start)
        taps = weight[..., start : start + width].permute(2, 1, 0)
        stretches = F.linear(x, taps.flatten(0, 1)).unflatten(2, taps.shape[:2])
        # What one frame adds to the `stride` frames that follow `start`; no kernel reaches the last of them when the
        # width is smaller.
        stretches = F.pad(stretches, (0, 0, 0, stride - width)).flatten(1, 2)[:, : total - start]
        part = F.pad(stretches, (0, 0, start, total - start - stretches.shape[1]))
        y = part if y is None else y.add_(part)
    assert y is not None
    return y


class SequenceNorm(nn.GroupNorm):
    """A sequence normalised over its time and channels together: GroupNorm(1, C)."""

    def __init__(self, channels: int):
        super().__init__(1, channels)

    def forward(self, x: Tensor, lengths: Sequence[int]) -> Tensor:  # type: ignore[override]
        """Normalise (B, T, C) with the statistics of each sequence's first `lengths` frames."""
        valid = valid_frames(lengths, x)
        if valid is None:
            normalised = F.layer_norm(x, x.shape[1:], eps=self.eps)
        else:
            weight = valid[..., None].to(torch.promote_types(x.dtype, torch.float32))
            weight = weight / (weight.sum(1, keepdim=True) * x.shape[2])
            centred = x - (x * weight).sum((1, 2), keepdim=True)
            variance = (centred.square() * weight).sum((1, 2), keepdim=True)
            normalised = (centred * torch.rsqrt(variance + self.eps)).to(x.dtype)
        return torch.addcmul(self.bias, normalised, self.weight)


def length_groups(lengths: Sequence[int], overhead: int) -> list[list[int]]:
    """The split of a batch into groups of similar length that costs least.

    A group of n sequences costs n times its longest, plus a constant; sequences that are neighbours in length stay
    together, so the best split is found exactly, by dynamic programming over the sorted lengths.

    Args:
        lengths: of every sequence.
        overhead: what one more group costs, in the unit of the lengths.

    Returns:
        Positions in `lengths`, ascending within a group; the group of the longest first.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    best: list[tuple[int, int]] = [(0, 0)]  # per prefix of `order`: least cost, where its last group begins
    for end in range(1, len(order) + 1):
        costs = [(best[start][0] + (end - start) * lengths[order[start]] + overhead, start) for start in range(end)]
        best.append(min(costs))
    groups: list[list[int]] = []
    end = len(order)
    while end:
        start = best[end][1]
        groups.insert(0, sorted(order[start:end]))
        end = start
    return groups
