"""Frames of one rate seen at another: averages over what a coarser frame covers, repeats for a finer one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from s3prl_plugin.strides import Stride, clock


@dataclass(frozen=True, slots=True, eq=False)
class Bags:
    """Weighted means of frames, each of a few neighbouring ones.

    Attributes:
        index: (M,) the frames of one bag after the other.
        offsets: (S,) where in `index` each bag begins; the last one ends with it.
        weights: (M,) float64; those of a bag add up to one.
    """

    index: np.ndarray
    offsets: np.ndarray
    weights: np.ndarray

    @classmethod
    def of_ranges(cls, first: np.ndarray, last: np.ndarray) -> Bags:
        """The plain means of the frames from `first` to before `last`, (S,) each; an empty range is an empty bag."""
        sizes = last - first
        offsets = np.cumsum(sizes) - sizes
        index = np.repeat(first - offsets, sizes) + np.arange(sizes.sum())
        return cls(index, offsets, np.repeat(1 / np.maximum(sizes, 1), sizes))

    @classmethod
    def of_spans(cls, begin: np.ndarray, end: np.ndarray, width: int, frames: int) -> Bags:
        """Means over spans of time, every frame weighted by what it has in common with the span.

        Frame j lies from j width to (j + 1) width. A span that lies behind the last frame, or has no length, is the
        frame in which it begins, or the last one.

        Args:
            begin, end: (S,) integers, in the unit of `width`.
            width: of a frame.
            frames: T >= 1, how many there are.
        """
        first = np.minimum(begin // width, frames - 1)
        last = np.clip(-(-end // width), first + 1, frames)
        bags = cls.of_ranges(first, last)
        bag = np.repeat(np.arange(len(first)), last - first)
        common = np.minimum(end[bag], (bags.index + 1) * width) - np.maximum(begin[bag], bags.index * width)
        common = np.where(last[bag] - first[bag] == 1, 1, common)
        if not len(bag):
            return bags
        return replace(bags, weights=common / np.add.reduceat(common, bags.offsets)[bag])

    @staticmethod
    def joined(parts: Sequence[Bags], starts: Sequence[int]) -> Bags:
        """Bags of several runs of frames that lie in one array, one after the other.

        Args:
            parts: of each run.
            starts: where the frames of each begin.
        """
        before = np.cumsum([0, *(len(part.index) for part in parts)])
        return Bags(
            np.concatenate([part.index + start for part, start in zip(parts, starts, strict=True)]),
            np.concatenate([part.offsets + offset for part, offset in zip(parts, before, strict=False)]),
            np.concatenate([part.weights for part in parts]),
        )

    def mean(self, rows: torch.Tensor) -> torch.Tensor:
        """The means of rows, (R, D) -> (S, D), computed in the type of the rows."""
        (found,) = self.means([rows])
        return found

    def means(self, several: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The means of several tensors' rows, of one type and on one device."""
        rows = several[0]
        if not len(self.index):
            return [rows.new_zeros(len(self.offsets), each.shape[1]) for each in several]
        index, offsets, weights = (uploaded(array, rows.device) for array in (self.index, self.offsets, self.weights))
        weights = weights.to(rows.dtype)
        bag = torch.nn.functional.embedding_bag
        return [bag(index, each, offsets, mode="sum", per_sample_weights=weights) for each in several]


def uploaded(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """An array on a device, without waiting for it."""
    tensor = torch.from_numpy(array)
    return tensor if device.type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


def covered_frames(length: int, stride_in: Stride, stride_out: Stride, frames: int, offset: int = 0) -> int:
    """How many of `frames` output frames lie at least in part over `length` input frames; see `cells`."""
    return max(0, min(frames, -(-(length * stride_in - offset) // stride_out)))


def cells(length: int, stride_in: Stride, stride_out: Stride, frames: int, offset: int = 0) -> Bags:
    """The means of the frames that every frame of another rate covers, each weighted by how much of it is covered.

    Input frame j stands for the samples [j stride_in, (j + 1) stride_in), output frame i for
    [i stride_out + offset, (i + 1) stride_out + offset). Going to a finer rate repeats frames.

    Args:
        length: input frames.
        stride_in, stride_out: samples from one frame to the next.
        frames: how many output frames are wanted.
        offset: samples by which the output frames start later.

    Returns:
        At most `frames` bags: frames beyond the input are left off, a last one that is covered in part is the average
        over that part.
    """
    count = covered_frames(length, stride_in, stride_out, frames, offset)
    ticks = clock(stride_in, stride_out)
    width = int(stride_in * ticks)
    edges = np.minimum(np.arange(count + 1) * int(stride_out * ticks) + offset * ticks, length * width)
    return Bags.of_spans(edges[:-1], edges[1:], width, length)


def average_cells(x: torch.Tensor, stride_in: Stride, stride_out: Stride, frames: int, offset: int = 0) -> torch.Tensor:
    """The frames of one utterance, (T, D), at another rate, (T_out, D) float32; see `cells`."""
    return cells(len(x), stride_in, stride_out, frames, offset).mean(x.double()).float()
