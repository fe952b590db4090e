"""What an MR-HuBERT is made of: its sizes, its blocks in execution order, and the taps that follow from them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states.taps import Tap

EXTRACTOR_MODES = ("default", "layer_norm")

# Far above any published model; a file that asks for more is broken or hostile, and is refused before memory is taken.
MAX_LAYERS = 512
MAX_CONVOLUTIONS = 32
MAX_DIM = 1 << 15
MAX_KERNEL = 1 << 12
MAX_RESOLUTIONS = 16


class BlockSpec(NamedTuple):
    """One transformer block.

    Attributes:
        name: as in tap names: enc0, ..., mid, dec0, ...
        module: the prefix of its parameters: encoders.0, middle_encoder, decoders.0, ...
        layers: how many.
        stride: samples per frame.
        positional: whether it begins with the positional convolution.
    """

    name: str
    module: str
    layers: int
    stride: int
    positional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The network's sizes, and nothing else of a checkpoint's configuration.

    Attributes:
        dim, ffn_dim, heads: of every transformer layer.
        layers: per block in execution order: encoders, middle, decoders; 2 N + 1 numbers for N adapters.
        ratios: per step down, (up, down): the frame rate is multiplied by up / down; () is plain HuBERT.
        conv_layers: per convolution of the front end, (channels, kernel, stride).
        extractor_mode: "default" (group normalisation in the first convolution) or "layer_norm" (in all).
        adapter_kernel: of the convolutions that change the rate.
        plain_adapters: one convolution per adapter ("simple sampling") in place of two.
        layer_norm_first: pre-LN, as in the large models.
        middle_residual: the middle block's input is added to its output; not so in plain HuBERT.
        feature_grad_mult: scales the front end's gradient; 0 freezes it.

    Raises:
        UserError: no network can be built from these sizes.

    Reference:
        Shi et al., "Multi-resolution HuBERT", ICLR 2024, section 3.
    """

    dim: int
    ffn_dim: int
    heads: int
    layers: tuple[int, ...]
    ratios: tuple[tuple[int, int], ...] = ((1, 2),)
    conv_layers: tuple[tuple[int, int, int], ...] = ((512, 10, 5), *((512, 3, 2),) * 4, *((512, 2, 2),) * 2)
    conv_bias: bool = False
    extractor_mode: str = "default"
    adapter_kernel: int = 1
    plain_adapters: bool = False
    layer_norm_first: bool = False
    middle_residual: bool = True
    pos_kernel: int = 128
    pos_groups: int = 16
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0
    input_dropout: float = 0.1
    layerdrop: float = 0.05
    feature_grad_mult: float = 0.1

    def __post_init__(self) -> None:
        _check_sizes(self)
        _check_ratios(self)
        for name in ("dropout", "attention_dropout", "activation_dropout", "input_dropout", "layerdrop"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; a probability below 1 is needed")

    @property
    def hop(self) -> int:
        """Samples from one frame of the front end to the next."""
        return math.prod(stride for _, _, stride in self.conv_layers)

    @property
    def strides(self) -> tuple[int, ...]:
        """Samples per frame at every resolution, finest first."""
        strides = [self.hop]
        for up, down in self.ratios:
            strides.append(strides[-1] * down // up)
        return tuple(strides)

    @property
    def blocks(self) -> tuple[BlockSpec, ...]:
        """The transformer blocks in execution order."""
        n = len(self.ratios)
        places = [(f"enc{i}", f"encoders.{i}", i) for i in range(n)]
        places += [("mid", "middle_encoder", n)]
        places += [(f"dec{i}", f"decoders.{i}", n - 1 - i) for i in range(n)]
        return tuple(
            BlockSpec(name, module, layers, self.strides[rate], positional=position == 0)
            for position, ((name, module, rate), layers) in enumerate(zip(places, self.layers, strict=True))
        )

    def block_taps(self, block: BlockSpec) -> tuple[str, ...]:
        """The names of a block's taps; in pre-LN networks the last layer is seen through the final normalisation."""
        parts = ["pre", *(f"layer{i}" for i in range(block.layers))]
        if self.layer_norm_first:
            parts[-1] = "out"
        return tuple(f"{block.name}.{part}" for part in parts)

    def taps(self, stop_at: str | None = None) -> tuple[Tap, ...]:
        """The taps of this network, states first, then outputs.

        Args:
            stop_at: the last tap that is computed; all when None.

        Raises:
            UserError: no tap is called `stop_at`.
        """
        order = list(self._execution())
        if stop_at is not None:
            names = [tap.name for tap in order]
            if stop_at not in names:
                raise UserError(f"stop_at: no tap is called {stop_at!r}: {did_you_mean(stop_at, names)}")
            order = order[: names.index(stop_at) + 1]
        order.sort(key=lambda tap: tap.role == "output")
        return tuple(replace(tap, index=i) for i, tap in enumerate(order))

    def _execution(self) -> Iterator[Tap]:
        """Every tap in the order of computation."""
        for i, block in enumerate(self.blocks):
            for name in self.block_taps(block):
                yield Tap(0, name, block.name, name.split(".")[1], block.stride, self.dim)
            if i >= len(self.ratios):
                name = f"res_out{i - len(self.ratios)}"
                yield Tap(0, name, None, name, block.stride, self.dim, role="output")

    def feature_frames(self, samples: int) -> int:
        """How many frames the front end makes of so many samples; 0 when they are too few for one."""
        for _, kernel, stride in self.conv_layers:
            samples = (samples - kernel) // stride + 1
        return max(samples, 0)

    def tap_frames(self, samples: int) -> dict[str, int]:
        """How many frames every tap has for an utterance of so many samples."""
        frames = {}
        count, skips = self.feature_frames(samples), []
        down = len(self.ratios)
        for i, block in enumerate(self.blocks):
            frames.update(dict.fromkeys(self.block_taps(block), count))
            if i < down:
                skips.append(count)
                count = adapter_frames(count, self.ratios[i], self.adapter_kernel)
                continue
            if i > down:
                count = min(count, skips.pop())
            frames[f"res_out{i - down}"] = count
            if i < 2 * down:
                up = self.ratios[2 * down - 1 - i][::-1]
                count = count * up[0] if self.plain_adapters else adapter_frames(count, up, self.adapter_kernel)
        return frames

    @property
    def min_samples(self) -> int:
        """The shortest waveform that gives a frame at every tap."""
        frames = next(n for n in itertools.count(1) if self._survives(n))
        for _, kernel, stride in reversed(self.conv_layers):
            frames = (frames - 1) * stride + kernel
        return frames

    def _survives(self, frames: int) -> bool:
        """Whether so many frames leave one at the lowest rate (an even adapter kernel trims some)."""
        for ratio in self.ratios:
            frames = adapter_frames(frames, ratio, self.adapter_kernel)
        return frames >= 1


def adapter_frames(frames: int, ratio: tuple[int, int], kernel: int) -> int:
    """How many frames an adapter makes of so many: the convolution's count, trimmed to its residual's."""
    up, down = ratio
    raised = frames * up
    convolved = (raised + 2 * ((kernel - 1) // 2) - kernel) // down + 1
    return min(convolved, math.ceil(raised / down))


def _check_sizes(config: Config) -> None:
    """Every size in its bounds, and those that must divide do."""
    if not config.conv_layers or len(config.conv_layers) > MAX_CONVOLUTIONS:
        raise UserError(
            f"{len(config.conv_layers)} convolutions in the front end; 1 to {MAX_CONVOLUTIONS} are possible"
        )
    for channels, kernel, stride in config.conv_layers:
        if not (0 < channels <= MAX_DIM and 0 < stride <= kernel <= MAX_KERNEL):
            raise UserError(
                f"a convolution of (channels, kernel, stride) = {(channels, kernel, stride)} cannot be built"
            )
    for name, bound in (("dim", MAX_DIM), ("ffn_dim", 4 * MAX_DIM), ("heads", MAX_DIM)):
        if not 0 < getattr(config, name) <= bound:
            raise UserError(f"{name} is {getattr(config, name)}; 1 to {bound} is possible")
    for name in ("pos_kernel", "pos_groups", "adapter_kernel"):
        if not 0 < getattr(config, name) <= MAX_KERNEL:
            raise UserError(f"{name} is {getattr(config, name)}; 1 to {MAX_KERNEL} is possible")
    if config.dim % config.heads or config.dim % config.pos_groups:
        raise UserError(f"dim {config.dim} is no multiple of {config.heads} heads and {config.pos_groups} groups")
    if config.extractor_mode not in EXTRACTOR_MODES:
        raise UserError(
            f"extractor_mode {config.extractor_mode!r}: {did_you_mean(config.extractor_mode, EXTRACTOR_MODES)}"
        )


def _check_ratios(config: Config) -> None:
    """As many layer counts as blocks, and strides that are whole numbers of samples."""
    if len(config.ratios) >= MAX_RESOLUTIONS:
        raise UserError(f"{len(config.ratios) + 1} resolutions; at most {MAX_RESOLUTIONS} are possible")
    if len(config.layers) != 2 * len(config.ratios) + 1:
        raise UserError(
            f"{len(config.layers)} layer counts for {len(config.ratios)} rate changes; "
            f"{2 * len(config.ratios) + 1} blocks need one each"
        )
    if min(config.layers) < 1 or sum(config.layers) > MAX_LAYERS:
        raise UserError(f"blocks of {config.layers} layers; each needs one and all together at most {MAX_LAYERS}")
    stride = config.hop
    for up, down in config.ratios:
        if not (0 < up <= MAX_KERNEL and 0 < down <= MAX_KERNEL):
            raise UserError(f"a rate cannot be changed by {up}/{down}")
        if config.plain_adapters and up != 1:
            raise UserError(f"plain adapters only divide a rate; they cannot change it by {up}/{down}")
        if stride * down % up:
            raise UserError(f"a rate change of {up}/{down} on frames of {stride} samples gives no whole stride")
        stride = stride * down // up
