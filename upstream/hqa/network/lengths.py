"""Sequences of unequal length in one batch: what lies past an utterance's end is kept at zero, as if it were alone."""

from __future__ import annotations

import torch
from torch import Tensor


def cut(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Zero what lies past the end of every sequence, as a convolution's own padding would have it.

    Args:
        x: (B, C, ..., T).
        lengths: (B,) valid positions of the last axis; None where all are valid.
    """
    return x if lengths is None else x * inside(x.shape[-1], lengths).view(len(x), *(1,) * (x.dim() - 2), -1)


def inside(positions: int, lengths: Tensor) -> Tensor:
    """(B, positions) true where a position is valid."""
    return torch.arange(positions, device=lengths.device) < lengths[:, None]


def halved(lengths: Tensor | None, times: int = 1) -> Tensor | None:
    """The lengths after a stride of 2, an odd one rounded up."""
    if lengths is None:
        return None
    for _ in range(times):
        lengths = (lengths + 1) // 2
    return lengths


def halved_size(size: tuple[int, ...], times: int = 1) -> tuple[int, ...]:
    """The same of the sizes of a tensor's last axes."""
    for _ in range(times):
        size = tuple((n + 1) // 2 for n in size)
    return size
