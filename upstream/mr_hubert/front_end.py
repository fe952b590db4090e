"""The convolutional front end: samples at 16 kHz -> frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s3prl_plugin.upstream.mr_hubert.config import Config
from s3prl_plugin.upstream.mr_hubert.frames import Conv1d, valid_frames


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
        conv, norm = self.conv, self["2"]
        width, step = conv.kernel_size[0], conv.stride[0]
        windows = waveforms.unfold(1, width, step)
        if not isinstance(norm, nn.GroupNorm):
            return F.gelu(self.normalised(F.linear(windows, conv.weight[:, 0], conv.bias)))
        frames = [(n - width) // step + 1 for n in lengths]
        return F.gelu(_normalised_convolution(windows, frames, conv.weight[:, 0], norm))


def _normalised_convolution(windows: Tensor, lengths: Sequence[int], weight: Tensor, norm: nn.GroupNorm) -> Tensor:
    """The convolution of windows (B, T, K), every channel normalised over the time of its own sequence, (B, T, C).

    A channel is a linear form w of the windows, so its mean and variance over time follow from theirs: w' m and
    w' S w. The convolution of windows less their mean by w / deviation is the result; that spares two passes over the
    largest activation of the network, and keeps its precision under an offset. (A bias would cancel.)
    """
    samples = windows.double()
    valid = valid_frames(lengths, windows)
    share = samples.new_ones(samples.shape[:2]) if valid is None else valid.double()
    share = (share / share.sum(1, keepdim=True))[..., None]
    centred = samples - (samples * share).sum(1, keepdim=True)
    covariance = (centred * share).transpose(1, 2) @ centred
    weight = weight.double()
    variance = ((weight @ covariance) * weight).sum(2)
    kernel = (norm.weight * torch.rsqrt(variance + norm.eps))[..., None] * weight
    # The bias is one more tap of the kernel, on windows of one more sample that is 1.
    kernel = torch.cat([kernel, norm.bias[:, None].expand(len(kernel), -1, 1)], dim=2)
    return F.pad(centred, (0, 1), value=1.0).to(windows.dtype) @ kernel.to(windows.dtype).transpose(1, 2)


class FrontEnd(nn.Module):
    """Strided convolutions, (B, L) -> (B, T, C)."""

    def __init__(self, config: Config):
        super().__init__()
        bias, mode = config.conv_bias, config.extractor_mode
        self.conv_layers = nn.ModuleList([FirstConv(*config.conv_layers[0], bias, mode)])
        for (inputs, _, _), sizes in zip(config.conv_layers, config.conv_layers[1:], strict=False):
            self.conv_layers.append(ConvLayer(inputs, *sizes, bias, mode))

    def forward(self, waveforms: Tensor, lengths: Sequence[int]) -> Tensor:
        """Frames of waveforms.

        Args:
            waveforms: (B, L) samples.
            lengths: the samples of each waveform that statistics may see.
        """
        first, *others = self.conv_layers
        x = first(waveforms, lengths)
        for layer in others:
            x = layer(x)
        return x

    def reset_parameters(self) -> None:
        """HuBERT's initialisation."""
        for layer in self.conv_layers:
            nn.init.kaiming_normal_(cast(ConvLayer, layer).conv.weight)
