"""The convolutional front end: samples at 16 kHz -> frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s3prl_plugin.upstream.mr_hubert.network.config import Config
from s3prl_plugin.upstream.mr_hubert.network.frames import Conv1d, valid_frames

BLOCK = 1000
"""Frames of a batch that are computed at once: 20 s of speech."""
STATISTICS_BLOCK = 1 << 17
"""Windows of a waveform whose moments are taken at once: 40 s of speech."""


class ConvLayer(nn.ModuleDict):
    """A convolution, layer normalisation if the mode asks for it, GELU.

    The keys are the names that fairseq's nested `nn.Sequential`s give to the parameters.
    """

    def __init__(self, inputs: int, channels: int, kernel: int, stride: int, bias: bool, mode: str):
        super().__init__({"0": Conv1d(inputs, channels, kernel, stride, bias=bias)})
        if mode == "layer_norm":
            self["2"] = nn.ModuleDict({"1": nn.LayerNorm(channels)})

    @property
    def conv(self) -> Conv1d:
        """The convolution."""
        return cast(Conv1d, self["0"])

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T', C')."""
        return F.gelu(self.normalised(self.conv(x)))

    def normalised(self, x: Tensor) -> Tensor:
        """(B, T, C) after layer normalisation of every frame."""
        return cast(nn.ModuleDict, self["2"])["1"](x) if "2" in self else x


class FirstConv(ConvLayer):
    """The convolution of the waveform itself; in the default mode its channels are normalised over time."""

    def __init__(self, channels: int, kernel: int, stride: int, bias: bool, mode: str):
        super().__init__(1, channels, kernel, stride, bias, mode)
        if mode == "default":
            self["2"] = nn.GroupNorm(channels, channels)

    def forward(self, waveforms: Tensor, lengths: Sequence[int]) -> Tensor:  # type: ignore[override]
        """(B, L) -> (B, T, C); statistics over time see the first `lengths` samples."""
        return self.prepared(waveforms, lengths)(waveforms)

    def prepared(self, waveforms: Tensor, lengths: Sequence[int]) -> Callable[[Tensor], Tensor]:
        """What makes frames, (B, T, C), of a stretch of the waveforms, (B, l).

        Args:
            waveforms: (B, L), all of them: in the default mode a frame depends on its whole waveform.
            lengths: the samples of each that statistics over time may see.
        """
        conv, norm = self.conv, self["2"]
        width, step = conv.kernel_size[0], conv.stride[0]
        if not isinstance(norm, nn.GroupNorm):

            def plain(stretch: Tensor) -> Tensor:
                windows = stretch.unfold(1, width, step)
                return F.gelu(self.normalised(F.linear(windows, conv.weight[:, 0], conv.bias)))

            return plain
        frames = [(n - width) // step + 1 for n in lengths]
        mean, kernel = _normalising(waveforms.unfold(1, width, step), frames, conv.weight[:, 0], norm)

        def normalising(stretch: Tensor) -> Tensor:
            centred = stretch.unfold(1, width, step).double() - mean
            return F.gelu(F.pad(centred, (0, 1), value=1.0).to(stretch.dtype) @ kernel.to(stretch.dtype))

        return normalising


def _normalising(windows: Tensor, lengths: Sequence[int], weight: Tensor, norm: nn.GroupNorm) -> tuple[Tensor, Tensor]:
    """How to convolve windows (B, T, K) so that every channel is normalised over the time of its own sequence.

    A channel is a linear form w of the windows, so its mean and variance over time follow from theirs: w' m and
    w' S w. The convolution of windows less their mean by w / deviation is the result; that spares two passes over the
    largest activation of the network, and keeps its precision under an offset. (A bias would cancel.)

    Returns:
        mean: (B, 1, K) of the windows, float64.
        kernel: (B, K + 1, C) float64; its last row is the bias, for windows of one more sample that is 1.
    """
    valid = valid_frames(lengths, windows)
    share = windows.new_ones(windows.shape[:2], dtype=torch.float64) if valid is None else valid.double()
    share = (share / share.sum(1, keepdim=True))[..., None]
    parts = range(0, windows.shape[1], STATISTICS_BLOCK)
    stretches = [(slice(at, at + STATISTICS_BLOCK), share[:, at : at + STATISTICS_BLOCK]) for at in parts]
    mean = sum((windows[:, at].double() * part).sum(1, keepdim=True) for at, part in stretches)
    covariance = sum(_scatter(windows[:, at].double() - mean, part) for at, part in stretches)
    weight = weight.double()
    variance = ((weight @ covariance) * weight).sum(2)
    kernel = (norm.weight * torch.rsqrt(variance + norm.eps))[..., None] * weight
    kernel = torch.cat([kernel, norm.bias[:, None].expand(len(kernel), -1, 1)], dim=2)
    return cast(Tensor, mean), kernel.transpose(1, 2)


def _scatter(centred: Tensor, share: Tensor) -> Tensor:
    """(B, K, K) of centred windows (B, T, K), weighted by (B, T, 1)."""
    return (centred * share).transpose(1, 2) @ centred


class FrontEnd(nn.Module):
    """Strided convolutions, (B, L) -> (B, T, C)."""

    def __init__(self, config: Config):
        super().__init__()
        bias, mode = config.conv_bias, config.extractor_mode
        self.conv_layers = nn.ModuleList([FirstConv(*config.conv_layers[0], bias, mode)])
        for (inputs, _, _), sizes in zip(config.conv_layers, config.conv_layers[1:], strict=False):
            self.conv_layers.append(ConvLayer(inputs, *sizes, bias, mode))

        self.hop = config.hop
        self.field = 1  # samples that a frame sees
        for _, kernel, stride in reversed(config.conv_layers):
            self.field = (self.field - 1) * stride + kernel

    def forward(self, waveforms: Tensor, lengths: Sequence[int]) -> Tensor:
        """Frames of waveforms, computed block by block: the largest activations are those of a block.

        Args:
            waveforms: (B, L) samples.
            lengths: the samples of each waveform that statistics may see.
        """
        first, *others = self.conv_layers
        prepared = cast(FirstConv, first).prepared(waveforms, lengths)
        frames = (waveforms.shape[1] - self.field) // self.hop + 1
        size = max(1, BLOCK // len(waveforms))
        blocks = []
        for at in range(0, frames, size):
            end = (min(at + size, frames) - 1) * self.hop + self.field
            x = prepared(waveforms[:, at * self.hop : end])
            for layer in others:
                x = layer(x)
            blocks.append(x)
        return blocks[0] if len(blocks) == 1 else torch.cat(blocks, dim=1)

    def reset_parameters(self) -> None:
        """HuBERT's initialisation."""
        for layer in self.conv_layers:
            nn.init.kaiming_normal_(cast(ConvLayer, layer).conv.weight)
