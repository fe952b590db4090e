"""The frames of all utterances of a batch in one tensor, so that one operation does for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from s3prl_plugin.analysis.grid import Bags, cells, uploaded
from s3prl_plugin.strides import Stride


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Frames of B utterances; those of utterance i are rows[starts[i] : starts[i] + lengths[i]].

    Attributes:
        rows: (R, D); what lies between the utterances is meaningless.
        starts, lengths: B numbers each.
    """

    rows: torch.Tensor
    starts: Sequence[int]
    lengths: Sequence[int]

    @classmethod
    def of(cls, parts: Sequence[torch.Tensor]) -> Packed:
        """Of one tensor (T, D) per utterance."""
        lengths = [len(part) for part in parts]
        return cls(torch.cat(list(parts)), _starts(lengths), lengths)

    def __getitem__(self, i: int) -> torch.Tensor:
        """The frames of utterance `i`, (T, D)."""
        return self.rows[self.starts[i] : self.starts[i] + self.lengths[i]]

    def chosen(self, utterance: np.ndarray, frame: np.ndarray) -> torch.Tensor:
        """Some frames, (n, D), given the utterance of each and its number within that."""
        index = np.asarray(self.starts)[utterance] + frame
        return self.rows.index_select(0, uploaded(index, self.rows.device))

    def at_stride(self, own: Stride, stride: Stride, frames: Sequence[int], offset: int = 0) -> Packed:
        """The frames at another rate, float32; see `grid.cells`.

        Args:
            own, stride: samples from one frame to the next, of these and of the wanted ones.
            frames: of every utterance, at most so many.
            offset: samples by which the wanted frames start later.
        """
        parts = [cells(n, own, stride, most, offset) for n, most in zip(self.lengths, frames, strict=True)]
        lengths = [len(part.offsets) for part in parts]
        return Packed(Bags.joined(parts, self.starts).mean(self.rows.double()).float(), _starts(lengths), lengths)


def _starts(lengths: Sequence[int]) -> list[int]:
    """Where each begins when they lie one after the other."""
    return [0, *np.cumsum(lengths).tolist()][:-1]
