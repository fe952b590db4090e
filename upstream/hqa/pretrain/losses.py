"""What a level is trained for, in terms that can be looked at one by one."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from s3prl_plugin.upstream.hqa.network.lengths import cut, halved, inside
from s3prl_plugin.upstream.hqa.network.model import Level

KL_WEIGHT = 1e-3
COMMITMENT_WEIGHT = 1e-3
VQ_COMMITMENT_WEIGHT = 0.25  # of the flat VQ-VAE, as its authors set it


class Loss(NamedTuple):
    """The loss of one batch at one level.

    Attributes:
        total: what is minimised.
        reconstruction: squared error of the level's own (normalised) input, per value.
        kl: sum over positions of KL(q || uniform), per value of the input.
        commitment: sum over positions of sum_k q_k |z - e_k|^2, per value of the input.
        codes: (n,) the codes of all valid positions.
    """

    total: Tensor
    reconstruction: Tensor
    kl: Tensor
    commitment: Tensor
    codes: Tensor


def stochastic_loss(
    level: Level, x: Tensor, temperature: float, lengths: Tensor | None = None, generator: torch.Generator | None = None
) -> Loss:
    """The loss of a level of the hierarchy.

    Sums over valid positions, divided by the number of valid input values: for sequences of one length that is the
    mean over the batch of each one's sum over its dimensions, over these dimensions. The commitment has no
    stop-gradient: codes come to vectors as vectors do to codes.

    Args:
        level: in training.
        x: (B, C, *S) its input, on the input's own scale.
        temperature: of the relaxed sample.
        lengths: (B,) valid positions of the last axis; None where all are.
        generator: of the sample.

    Reference:
        Williams et al. 2020, arXiv 2002.08111, eq. 7 and its appendix.
    """
    wanted = cut(level.normaliser(x), lengths)
    z, coarse = level.encoder(wanted, lengths), halved(lengths, level.halvings)
    distances = level.quantiser.distances(z)
    log_q = level.quantiser.log_posterior(distances)
    weights = level.quantiser.relaxed(log_q, temperature, generator)
    decoded = level.decoder(level.quantiser.mixed(weights), tuple(x.shape[2:]), lengths)
    q, valid = log_q.exp(), _valid(log_q, coarse)
    values = _values(x, lengths)
    reconstruction = (decoded - wanted).square().sum() / values
    kl = ((q * log_q).sum(-1) + math.log(q.shape[-1]))[valid].sum() / values
    commitment = (q * distances).sum(-1)[valid].sum() / values
    total = reconstruction + KL_WEIGHT * kl + COMMITMENT_WEIGHT * commitment
    return Loss(total, reconstruction, kl, commitment, weights.detach().argmax(-1)[valid])


def nearest_loss(level: Level, x: Tensor, lengths: Tensor | None = None) -> Loss:
    """The loss of a flat VQ-VAE: nearest codes, passed straight through; codebook and commitment terms.

    Args, as `stochastic_loss`.

    Reference:
        van den Oord et al. 2017, "Neural discrete representation learning", arXiv 1711.00937, eq. 3; its means over
        values, so that terms weigh alike at any rate.
    """
    wanted = cut(level.normaliser(x), lengths)
    z, coarse = level.encoder(wanted, lengths), halved(lengths, level.halvings)
    codes = level.quantiser.distances(z.detach()).argmin(-1)
    e = level.quantiser.look_up(codes)
    decoded = level.decoder(z + (e - z).detach(), tuple(x.shape[2:]), lengths)
    valid, values = _valid(codes[..., None], coarse), _values(x, lengths)
    reconstruction = (decoded - wanted).square().sum() / values
    latents = valid.sum() * z.shape[1]
    codebook = (e - z.detach()).square().sum(1)[valid].sum() / latents
    commitment = (z - e.detach()).square().sum(1)[valid].sum() / latents
    total = reconstruction + codebook + VQ_COMMITMENT_WEIGHT * commitment
    return Loss(total, reconstruction, torch.zeros_like(total), commitment, codes[valid])


def _valid(per_code: Tensor, lengths: Tensor | None) -> Tensor:
    """(B, *S) true where a position is valid, for a tensor (B, *S, K)."""
    shape = per_code.shape[:-1]
    if lengths is None:
        return torch.ones(shape, dtype=torch.bool, device=per_code.device)
    return inside(shape[-1], lengths).view(len(per_code), *(1,) * (len(shape) - 2), -1).expand(shape)


def _values(x: Tensor, lengths: Tensor | None) -> int | Tensor:
    """How many values of (B, C, *S) are valid."""
    return x.numel() if lengths is None else lengths.sum() * (x[0].numel() // x.shape[-1])
