"""The adapter between two frame rates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from s3prl_plugin.upstream.mr_hubert.network.config import Config, adapter_frames
from s3prl_plugin.upstream.mr_hubert.network.frames import Conv1d, ConvTranspose1d, SequenceNorm, zero_padding

RESIDUAL_SCALE = math.sqrt(0.4)


class Adapter(nn.Module):
    """Changes the frame rate by up / down: a transposed convolution, then a strided one, each with a residual.

    Args:
        config: `dim`, `adapter_kernel`, and whether adapters are plain.
        ratio: (up, down).
        raises: on the way back up; a plain adapter then has the transposed convolution only, else the strided one only.

    Reference:
        Shi et al., "Multi-resolution HuBERT", ICLR 2024, section 3.1 and appendix (simple sampling).
    """

    def __init__(self, config: Config, ratio: tuple[int, int], *, raises: bool):
        super().__init__()
        self.up, self.down = ratio
        self.kernel = kernel = config.adapter_kernel
        dim, plain = config.dim, config.plain_adapters
        self.upsample_conv = self.downsample_conv = None
        if raises or not plain:
            self.upsample_conv = nn.ModuleDict({"0": ConvTranspose1d(dim, kernel, self.up), "2": SequenceNorm(dim)})
        if not raises or not plain:
            conv = Conv1d(dim, dim, kernel, self.down, padding=(kernel - 1) // 2, bias=False)
            self.downsample_conv = nn.ModuleDict({"0": conv, "2": SequenceNorm(dim)})

    def forward(self, x: Tensor, lengths: Sequence[int], exact: bool) -> tuple[Tensor, list[int]]:
        """(B, T, C) -> (B, T', C), and the lengths that go with it.

        Args:
            exact: padding is kept out of convolutions and statistics; otherwise it is treated as sound.
        """
        lengths = list(lengths)
        raised = None
        if self.upsample_conv is not None:
            x, raised, lengths = self._raise(x, lengths, exact)
        if self.downsample_conv is not None:
            x, lengths = self._lower(x, raised, lengths, exact)
        return x, lengths

    def _raise(self, x: Tensor, lengths: list[int], exact: bool) -> tuple[Tensor, Tensor, list[int]]:
        """The transposed convolution: the result, the repeated input, the lengths of both."""
        assert self.upsample_conv is not None
        x = zero_padding(x, lengths) if exact else x
        y = self.upsample_conv["0"](x)
        # The statistics see the tail of kernel - 1 frames that is trimmed afterwards.
        seen = [n * self.up + self.kernel - 1 for n in lengths] if exact else [y.shape[1]] * len(x)
        y = F.gelu(self.upsample_conv["2"](y, seen))
        raised = x.repeat_interleave(self.up, dim=1) if self.up > 1 else x
        return (y[:, : raised.shape[1]] + raised) * RESIDUAL_SCALE, raised, [n * self.up for n in lengths]

    def _lower(self, x: Tensor, raised: Tensor | None, lengths: list[int], exact: bool) -> tuple[Tensor, list[int]]:
        """The strided convolution, its residual, and the highway from the adapter's input."""
        assert self.downsample_conv is not None
        x = zero_padding(x, lengths) if exact else x
        y = self.downsample_conv["0"](x)
        if exact:
            convolved = [(n + 2 * ((self.kernel - 1) // 2) - self.kernel) // self.down + 1 for n in lengths]
        else:
            convolved = [y.shape[1]] * len(x)
        y = F.gelu(self.downsample_conv["2"](y, convolved))
        frames = adapter_frames(x.shape[1], (1, self.down), self.kernel)
        y = (y[:, :frames] + x[:, :: self.down][:, :frames]) * RESIDUAL_SCALE
        if raised is not None:
            y = (y + raised[:, :: self.down][:, :frames]) * RESIDUAL_SCALE
        if exact:
            return y, [adapter_frames(n, (1, self.down), self.kernel) for n in lengths]
        return y, [min(frames, -(-n // self.down)) for n in lengths]
