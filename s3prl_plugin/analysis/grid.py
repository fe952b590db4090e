"""Frames of one rate seen at another: averages over what a coarser frame covers, repeats for a finer one."""

from __future__ import annotations

import torch

from s3prl_plugin.strides import Stride, clock


def covered_frames(length: int, stride_in: Stride, stride_out: Stride, frames: int, offset: int = 0) -> int:
    """How many of `frames` output frames lie at least in part over `length` input frames; see `average_cells`."""
    return max(0, min(frames, -(-(length * stride_in - offset) // stride_out)))


def average_cells(x: torch.Tensor, stride_in: Stride, stride_out: Stride, frames: int, offset: int = 0) -> torch.Tensor:
    """Average the frames that every frame of another rate covers, each weighted by how much of it is covered.

    Input frame j stands for the samples [j stride_in, (j + 1) stride_in), output frame i for
    [i stride_out + offset, (i + 1) stride_out + offset). Going to a finer rate repeats frames.

    Args:
        x: (T, D).
        stride_in, stride_out: samples from one frame to the next.
        frames: how many output frames are wanted.
        offset: samples by which the output frames start later.

    Returns:
        (T_out, D) float32, T_out <= `frames`: frames beyond the input are left off, a last one that is covered in
        part is the average over that part.
    """
    count = covered_frames(len(x), stride_in, stride_out, frames, offset)
    if stride_in == stride_out and not offset:
        return x[:count].float()
    ticks = clock(stride_in, stride_out)
    stride_in, stride_out, offset = int(stride_in * ticks), int(stride_out * ticks), offset * ticks
    edges = torch.arange(count + 1, device=x.device) * stride_out + offset
    edges = edges.clamp(max=len(x) * stride_in)
    whole = torch.div(edges, stride_in, rounding_mode="floor")
    part = (edges - whole * stride_in).double()[:, None] / stride_in
    x = x.double()
    integral = torch.cat([x.new_zeros(1, x.shape[1]), x.cumsum(0)])
    at_edge = integral[whole] + part * x[whole.clamp(max=len(x) - 1)]
    width = (edges[1:] - edges[:-1]).double()[:, None] / stride_in
    return ((at_edge[1:] - at_edge[:-1]) / width).float()
