"""The hierarchy: every level compresses what the level below made of the input, at half its rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from s3prl_plugin.random_state import derived_seed
from s3prl_plugin.upstream.hqa.network.autoencoder import Decoder, Encoder
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.lengths import halved, halved_size
from s3prl_plugin.upstream.hqa.network.normaliser import Normaliser
from s3prl_plugin.upstream.hqa.network.quantiser import Quantiser

Choice = Callable[[int, Tensor], Tensor]
"""(level, log-posterior (B, *S, K)) -> codes (B, *S)."""


class Encoded(NamedTuple):
    """One level's continuous output.

    Attributes:
        z: (B, code_dim, *S).
        lengths: (B,) valid positions of the last axis; None where all are.
    """

    z: Tensor
    lengths: Tensor | None


class Level(nn.Module):
    """One autoencoder of the hierarchy.

    Args:
        config: of the model.
        level: its place, from 0, the lowest.
    """

    def __init__(self, config: Config, level: int):
        super().__init__()
        self.normaliser = Normaliser(config.level_channels(level))
        self.encoder = Encoder(config, level)
        self.quantiser = Quantiser(config.codes, config.code_dim)
        self.decoder = Decoder(config, level)
        self.halvings = config.halvings[level]

    def encode(self, x: Tensor, lengths: Tensor | None = None) -> Encoded:
        """What the level makes of its input, (B, C, *S)."""
        return Encoded(self.encoder(self.normaliser(x), lengths), halved(lengths, self.halvings))

    def decode(self, quantised: Tensor, size: tuple[int, ...], lengths: Tensor | None = None) -> Tensor:
        """The input that codes stand for, (B, C, *S), on the input's own scale; see `Decoder.forward`."""
        return self.normaliser.undo(self.decoder(quantised, size, lengths))


class HQA(nn.Module):
    """A hierarchy of quantised autoencoders; with a single level of several halvings, a flat VQ-VAE.

    The input of a level is the *continuous* output of the one below, so that what was lost in the codes below is not
    lost here.

    Args:
        config: its sizes.

    Reference:
        Williams et al. 2020, "Hierarchical Quantized Autoencoders", arXiv 2002.08111.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.levels = nn.ModuleList(Level(config, level) for level in range(config.levels))

    def level(self, level: int) -> Level:
        """One of them."""
        found = self.levels[level]
        assert isinstance(found, Level)
        return found

    def encode(self, x: Tensor, lengths: Tensor | None = None, up_to: int | None = None) -> list[Encoded]:
        """The continuous output of every level below `up_to` (of all when None).

        Args:
            x: (B, channels, *S).
            lengths: (B,) valid positions of the last axis; None where all are.
        """
        found: list[Encoded] = []
        for level in range(self.config.levels if up_to is None else up_to):
            below = found[-1] if found else Encoded(x, lengths)
            found.append(self.level(level).encode(*below))
        return found

    def log_posterior(self, level: int, z: Tensor) -> Tensor:
        """log q(k | z) at a level, (B, *S, K)."""
        quantiser = self.level(level).quantiser
        return quantiser.log_posterior(quantiser.distances(z))

    def decode(
        self, level: int, codes: Tensor, size: tuple[int, ...], choose: Choice, lengths: Tensor | None = None
    ) -> Tensor:
        """The input that a level's codes stand for: decoded, quantised by the level below, decoded, ... to the end.

        Args:
            level: whose codes.
            codes: (B, *S').
            size: of the input's last axes.
            choose: how the levels below choose their codes.
            lengths: of the input.

        Returns:
            (B, channels, *size)
        """
        x = self.level(level).quantiser.look_up(codes)
        for at in range(level, -1, -1):
            below = sum(self.config.halvings[:at])
            x = self.level(at).decode(x, halved_size(size, below), halved(lengths, below))
            if at:
                x = self.level(at - 1).quantiser.look_up(choose(at - 1, self.log_posterior(at - 1, x)))
        return x

    def reconstruct(self, x: Tensor, level: int, choose: Choice, lengths: Tensor | None = None) -> Tensor:
        """What is left of the input after a level's codes, (B, channels, *S)."""
        z = self.encode(x, lengths, up_to=level + 1)[-1].z
        codes = choose(level, self.log_posterior(level, z))
        return self.decode(level, codes, tuple(x.shape[2:]), choose, lengths)


class Sampling:
    """Codes as samples of the posterior.

    The same seed gives the same codes for the same inputs, whatever was sampled before.

    Args:
        seed: decides, with the level; several numbers do together.
    """

    def __init__(self, *seed: int):
        self.seed = seed

    def __call__(self, level: int, log_q: Tensor) -> Tensor:
        """See `Choice`."""
        generator = torch.Generator().manual_seed(derived_seed(*self.seed, level))
        return Quantiser.sampled(log_q, generator)


def most_probable(level: int, log_q: Tensor) -> Tensor:
    """The `Choice` of the most probable code, which is the nearest one."""
    return log_q.argmax(dim=-1)
