"""The mean and deviation of a level's input, per channel, over everything that it was trained on."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from s3prl_plugin.upstream.hqa.network.lengths import inside

SMALLEST_DEVIATION = 1e-5


class Normaliser(nn.Module):
    """Running moments: those of all values seen so far, merged batch by batch.

    Args:
        channels: of the input.

    Reference:
        Chan, Golub & LeVeque 1979, "Updating formulae and a pairwise algorithm for computing sample variances".
    """

    count: Tensor
    mean: Tensor
    scatter: Tensor

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("count", torch.zeros((), dtype=torch.float64))
        self.register_buffer("mean", torch.zeros(channels, dtype=torch.float64))
        self.register_buffer("scatter", torch.zeros(channels, dtype=torch.float64))

    @torch.no_grad()
    def update(self, x: Tensor, lengths: Tensor | None = None) -> None:
        """Take in the valid values of a batch, (B, C, *S)."""
        values = x.movedim(1, -1).double()
        rows = values.reshape(-1, x.shape[1]) if lengths is None else values[inside(x.shape[-1], lengths)]
        mean = rows.mean(dim=0)
        count, shift = self.count + len(rows), mean - self.mean
        self.scatter += ((rows - mean) ** 2).sum(dim=0) + shift**2 * (self.count * len(rows) / count)
        self.mean += shift * (len(rows) / count)
        self.count.copy_(count)

    @property
    def deviation(self) -> Tensor:
        """(C,) of the values; 1 where none were seen, or where a channel does not vary."""
        deviation = (self.scatter / self.count.clamp(min=1)).sqrt()
        return torch.where(deviation > SMALLEST_DEVIATION, deviation, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, *S), less the mean, over the deviation."""
        return (x - self._shaped(self.mean, x)) / self._shaped(self.deviation, x)

    def undo(self, x: Tensor) -> Tensor:
        """The inverse of `forward`."""
        return x * self._shaped(self.deviation, x) + self._shaped(self.mean, x)

    @staticmethod
    def _shaped(values: Tensor, x: Tensor) -> Tensor:
        return values.to(x.dtype).view(-1, *(1,) * (x.dim() - 2))
