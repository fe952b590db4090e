"""Codes for vectors: the posterior over a learned codebook, and samples of it. Any number of dimensions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

INITIAL_DEVIATION = 0.3
"""Of the codebook's values. With values from N(0, 1), codes of 64 dimensions differ by so much in their distance from
the first, small vectors that all of these get the same code, and training begins with one."""


class Quantiser(nn.Module):
    """A codebook, learned as a parameter like any other.

    Vectors are (B, D, *S), with S of one dimension or more; codes (B, *S) integers; what is per code (B, *S, K).

    Args:
        codes: K.
        dim: D.

    Reference:
        Williams et al. 2020, "Hierarchical Quantized Autoencoders", arXiv 2002.08111, section 3.
    """

    def __init__(self, codes: int, dim: int):
        super().__init__()
        self.codebook = nn.Parameter(INITIAL_DEVIATION * torch.randn(codes, dim))

    def distances(self, z: Tensor) -> Tensor:
        """|z - e_k|^2 of every vector and code, (B, *S, K)."""
        rows = z.movedim(1, -1)
        squares = rows.square().sum(-1, keepdim=True) + self.codebook.square().sum(-1)
        return (squares - 2 * rows @ self.codebook.T).clamp(min=0)

    @staticmethod
    def log_posterior(distances: Tensor) -> Tensor:
        """log q(k | z), with q = softmax(-|z - e_k|^2), (B, *S, K)."""
        return torch.log_softmax(-distances, dim=-1)

    @staticmethod
    def relaxed(log_q: Tensor, temperature: float, generator: torch.Generator | None = None) -> Tensor:
        """A relaxed one-hot sample of the posterior, (B, *S, K); the lower the temperature, the nearer to one-hot.

        Reference:
            Jang et al. 2017, "Categorical reparameterization with Gumbel-softmax", arXiv 1611.01144, eq. 2.
        """
        return torch.softmax((log_q + gumbel(log_q, generator)) / temperature, dim=-1)

    @staticmethod
    def sampled(log_q: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A sample of the posterior, (B, *S) codes."""
        return (log_q + gumbel(log_q, generator)).argmax(dim=-1)

    def look_up(self, codes: Tensor) -> Tensor:
        """The vectors of codes, (B, D, *S)."""
        return self.codebook[codes].movedim(-1, 1)

    def mixed(self, weights: Tensor) -> Tensor:
        """Sums of the codebook's vectors, (B, D, *S), weighted by (B, *S, K)."""
        return (weights @ self.codebook).movedim(-1, 1)

    @torch.no_grad()
    def revive(
        self, counts: Tensor, share: float, spread: float, generator: torch.Generator | None = None
    ) -> int | None:
        """Move the least used code next to the most used one, if it is used by far less.

        Args:
            counts: (K,) how often every code was used of late.
            share: of the most used one's count, under which the least used one moves.
            spread: standard deviation of the noise that tells the two apart.
            generator: of the noise; on the CPU.

        Returns:
            The code that moved; None where none did.
        """
        least, most = int(counts.argmin()), int(counts.argmax())
        if counts[least] >= share * counts[most]:
            return None
        noise = torch.randn(self.codebook.shape[1], generator=generator)
        self.codebook[least] = self.codebook[most] + spread * noise.to(self.codebook)
        return least


def gumbel(like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Gumbel noise of some shape: added to log-probabilities, its argmax is a sample.

    Drawn on the generator's device, so that a seed gives the same codes on any.
    """
    if generator is None:
        return -torch.empty_like(like).exponential_().log()
    noise = torch.empty(like.shape, dtype=like.dtype, device=generator.device)
    return -noise.exponential_(generator=generator).log().to(like.device)
