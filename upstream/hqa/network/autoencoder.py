"""A level's encoder and decoder, in one dimension (time) or in two (images)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.lengths import cut, halved, halved_size

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}


def _convolution(config: Config, channels: tuple[int, int], kernel: int = 3, stride: int = 1) -> nn.Module:
    """From some channels to others; the same size, or half of it rounded up."""
    return CONVOLUTIONS[config.dims](*channels, kernel, stride, padding=kernel // 2)


class ResidualBlock(nn.Module):
    """x + conv 1 (Mish (conv 3 (Mish (x)))).

    Args:
        config: of the model.
    """

    def __init__(self, config: Config):
        super().__init__()
        inner = config.hidden // 2
        self.wide = _convolution(config, (config.hidden, inner))
        self.narrow = _convolution(config, (inner, config.hidden), kernel=1)

    def forward(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """(B, hidden, *S) -> (B, hidden, *S)."""
        return x + self.narrow(F.mish(self.wide(cut(F.mish(x), lengths))))


class Encoder(nn.Module):
    """What a level makes of its input: vectors at half the rate (of a flat VQ-VAE, halved several times).

    Args:
        config: of the model.
        level: which one.
    """

    def __init__(self, config: Config, level: int):
        super().__init__()
        half = config.hidden // 2
        into = [config.level_channels(level), *[half] * (config.halvings[level] - 1)]
        self.down = nn.ModuleList(_convolution(config, (c, half), stride=2) for c in into)
        self.wide = _convolution(config, (half, config.hidden))
        self.residual = nn.ModuleList(ResidualBlock(config) for _ in range(config.residual_blocks))
        self.out = _convolution(config, (config.hidden, config.code_dim), kernel=1)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """(B, C, *S) -> (B, code_dim, *S'), S' = S / 2 rounded up; `lengths` are those of `x`, see `lengths.cut`."""
        for down in self.down:
            x = F.mish(down(cut(x, lengths)))
            lengths = halved(lengths)
        x = F.mish(self.wide(cut(x, lengths)))
        for block in self.residual:
            x = block(x, lengths)
        return cut(self.out(x), lengths)


class Decoder(nn.Module):
    """Back from codes to what the level took.

    Args:
        config: of the model.
        level: which one.
    """

    def __init__(self, config: Config, level: int):
        super().__init__()
        half, times = config.hidden // 2, config.halvings[level]
        self.wide = _convolution(config, (config.code_dim, config.hidden))
        self.residual = nn.ModuleList(ResidualBlock(config) for _ in range(config.residual_blocks))
        into = [config.hidden, *[half] * (times - 1)]
        self.up = nn.ModuleList(_convolution(config, (c, half)) for c in into)
        self.out = _convolution(config, (half, config.level_channels(level)))

    def forward(self, z: Tensor, size: tuple[int, ...], lengths: Tensor | None = None) -> Tensor:
        """Decode.

        Args:
            z: (B, code_dim, *S').
            size: S, of what shall come out: an odd size gives the same S' as the even one above it.
            lengths: of what shall come out.

        Returns:
            (B, C, *S)
        """
        times = len(self.up)
        coarse = halved(lengths, times)
        x = F.mish(self.wide(cut(z, coarse)))
        for block in self.residual:
            x = block(x, coarse)
        for i, up in enumerate(self.up):
            at, wanted = halved(lengths, times - 1 - i), halved_size(size, times - 1 - i)
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            for axis, n in enumerate(wanted, 2):
                x = x.narrow(axis, 0, n)
            x = F.mish(up(cut(x, at)))
        return cut(self.out(cut(x, lengths)), lengths)
