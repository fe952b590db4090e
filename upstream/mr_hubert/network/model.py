"""The MR-HuBERT network: a U-net of transformer blocks at several frame rates.

Parameters bear the names of fairseq's checkpoints, so that a state dict goes in and out as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s3prl_plugin.states.taps import Tap
from s3prl_plugin.upstream.mr_hubert.network.adapter import Adapter
from s3prl_plugin.upstream.mr_hubert.network.config import BlockSpec, Config
from s3prl_plugin.upstream.mr_hubert.network.frames import grouped_convolve, valid_frames, zero_padding
from s3prl_plugin.upstream.mr_hubert.network.front_end import FrontEnd

FEED_FORWARD_BLOCK = 3000
"""Frames that go through a feed-forward network at once: its inside is the widest state of a layer."""


class State(NamedTuple):
    """What one tap shows for a batch.

    Attributes:
        name: the tap's.
        x: (B, T, dim) at the tap's own rate; frames past an utterance's length are meaningless.
        lengths: the valid frames of every utterance.
    """

    name: str
    x: Tensor
    lengths: list[int]


class PositionalConv(nn.Module):
    """A grouped convolution whose kernel is factored, per position in time, into a length and a direction."""

    def __init__(self, dim: int, kernel: int, groups: int):
        super().__init__()
        self.groups = groups
        self.weight_g = nn.Parameter(torch.empty(1, 1, kernel))
        self.weight_v = nn.Parameter(torch.empty(dim, dim // groups, kernel))
        self.bias = nn.Parameter(torch.empty(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        weight = self.weight_v * (self.weight_g / _length(self.weight_v))
        y = grouped_convolve(x, weight, self.bias, self.groups)
        return F.gelu(y[:, : x.shape[1]])

    def reset_parameters(self) -> None:
        """HuBERT's initialisation."""
        dim, _, kernel = self.weight_v.shape
        nn.init.normal_(self.weight_v, std=(4 / (kernel * dim)) ** 0.5)
        self.weight_g.data.copy_(_length(self.weight_v.data))
        nn.init.zeros_(self.bias)


def _length(weight: Tensor) -> Tensor:
    """The norm of a kernel at each of its positions in time, (1, 1, kernel)."""
    return weight.square().sum((0, 1), keepdim=True).sqrt()  # `vector_norm` of these axes takes ten times as long


class SelfAttention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, config: Config):
        super().__init__()
        self.heads = config.heads
        self.dropout = config.attention_dropout
        self.k_proj = nn.Linear(config.dim, config.dim)
        self.v_proj = nn.Linear(config.dim, config.dim)
        self.q_proj = nn.Linear(config.dim, config.dim)
        self.out_proj = nn.Linear(config.dim, config.dim)

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        """(B, T, C) -> (B, T, C); `attend`, (B, 1, 1, T), says which frames may be looked at."""
        query, key, value = (
            projection(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=attend, dropout_p=dropout)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """A transformer layer, post-LN or pre-LN."""

    def __init__(self, config: Config):
        super().__init__()
        self.norm_first = config.layer_norm_first
        self.dropout = config.dropout
        self.activation_dropout = config.activation_dropout
        self.self_attn = SelfAttention(config)
        self.self_attn_layer_norm = nn.LayerNorm(config.dim)
        self.fc1 = nn.Linear(config.dim, config.ffn_dim)
        self.fc2 = nn.Linear(config.ffn_dim, config.dim)
        self.final_layer_norm = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, attend: Tensor | None) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        if self.norm_first:
            x = x + self._drop(self.self_attn(self.self_attn_layer_norm(x), attend))
            return x + self._feed_forward(self.final_layer_norm(x))
        x = self.self_attn_layer_norm(x + self._drop(self.self_attn(x, attend)))
        return self.final_layer_norm(x + self._feed_forward(x))

    def _feed_forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or x.shape[1] <= FEED_FORWARD_BLOCK:
            return self._fed(x)
        return torch.cat([self._fed(part) for part in x.split(FEED_FORWARD_BLOCK, dim=1)], dim=1)

    def _fed(self, x: Tensor) -> Tensor:
        x = F.dropout(F.gelu(self.fc1(x)), self.activation_dropout, self.training)
        return self._drop(self.fc2(x))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)

    def reset_parameters(self) -> None:
        """HuBERT's initialisation."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()


class Block(nn.Module):
    """Transformer layers at one frame rate, every one of them a tap."""

    def __init__(self, config: Config, spec: BlockSpec):
        super().__init__()
        self.tap_names = config.block_taps(spec)
        self.norm_first = config.layer_norm_first
        self.dropout = config.dropout
        self.layerdrop = config.layerdrop
        self.generator: torch.Generator | None = None  # decides which layers are dropped; torch's own state when None
        if spec.positional:
            self.pos_conv = nn.ModuleDict({"0": PositionalConv(config.dim, config.pos_kernel, config.pos_groups)})
        self.layers = nn.ModuleList(Layer(config) for _ in range(spec.layers))
        self.layer_norm = nn.LayerNorm(config.dim)

    def states(self, x: Tensor, lengths: list[int]) -> Generator[State, None, Tensor]:
        """Yield what enters the first layer, then every layer's output; return the last.

        Args:
            x: (B, T, C), zero past every sequence's end.
            lengths: valid frames.
        """
        first, *others = self.tap_names
        if hasattr(self, "pos_conv"):
            x = x + self.pos_conv["0"](x)
        if not self.norm_first:
            x = self.layer_norm(x)
        yield State(first, x, lengths)
        # Layer by layer it is decided whether this is training: the first ones of a block may be frozen.
        x = F.dropout(x, self.dropout, self.layers[0].training)
        valid = valid_frames(lengths, x)
        attend = None if valid is None else valid[:, None, None]
        for name, layer in zip(others, self.layers, strict=False):  # there are fewer layers where a network is cut
            # A dropped layer still is a tap: it shows its input.
            if not (layer.training and torch.rand((), generator=self.generator) < self.layerdrop):
                x = layer(x, attend)
            if self.norm_first and name == others[-1]:
                x = self.layer_norm(x)
            yield State(name, x, lengths)
        return x


class MRHuBERT(nn.Module):
    """Multi-resolution HuBERT without its prediction heads; with no ratios, plain HuBERT.

    Args:
        config: the sizes.

    Attributes:
        cut_at: the tap above which there is nothing any more; None for a whole network.
        frozen: modules that stay as in evaluation, also in training.

    Reference:
        Shi et al., "Multi-resolution HuBERT", ICLR 2024; Hsu et al., "HuBERT", 2021.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        channels = config.conv_layers[-1][0]
        self.feature_extractor = FrontEnd(config)
        self.layer_norm = nn.LayerNorm(channels)
        self.post_extract_proj = nn.Linear(channels, config.dim) if channels != config.dim else None
        blocks = {spec.name: Block(config, spec) for spec in config.blocks}
        steps = range(len(config.ratios))
        self.encoders = nn.ModuleList(blocks[f"enc{i}"] for i in steps)
        self.middle_encoder = blocks["mid"]
        self.decoders = nn.ModuleList(blocks[f"dec{i}"] for i in steps)
        self.downsample_modules = nn.ModuleList(Adapter(config, ratio, raises=False) for ratio in config.ratios)
        self.upsample_modules = nn.ModuleList(Adapter(config, ratio[::-1], raises=True) for ratio in config.ratios)
        self.cut_at: str | None = None
        self.frozen: list[nn.Module] = []
        if not self.layer_norm.weight.is_meta:
            self.reset_parameters()

    def train(self, mode: bool = True) -> MRHuBERT:
        """Training or evaluation; what is frozen is in evaluation always."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    @property
    def taps(self) -> tuple[Tap, ...]:
        """Every tap, in the order in which `forward` returns them."""
        return self.config.taps()

    def forward(
        self, waveforms: Tensor, lengths: Sequence[int], *, exact: bool = True, stop_at: str | None = None
    ) -> list[State]:
        """Every tap's state for a batch of waveforms.

        Args:
            waveforms: (B, L) samples at 16 kHz, zero past each waveform's end.
            lengths: the samples of each waveform.
            exact: whatever else is in the batch, an utterance gives the same as alone; otherwise padding takes part
                in statistics and convolutions, and valid frames are counted, as fairseq does.
            stop_at: the last tap that is computed; all that there are when None.

        Returns:
            The states in the order of `config.taps(stop_at)`.

        Raises:
            ValueError: the network was cut below that tap.
        """
        stop_at = stop_at or self.cut_at
        if self.cut_at is not None and stop_at not in {tap.name for tap in self.config.taps(self.cut_at)}:
            raise ValueError(f"{stop_at} lies above {self.cut_at}, where this network was cut")
        states: list[State] = []
        outputs: list[State] = []
        for state in self.states(*self.features(waveforms, lengths, exact), exact):
            (outputs if state.name.startswith("res_out") else states).append(state)
            if state.name == stop_at:
                break
        return states + outputs

    def features(self, waveforms: Tensor, lengths: Sequence[int], exact: bool) -> tuple[Tensor, list[int]]:
        """What enters the first block, (B, T, dim), and its lengths."""
        x, frames = self.convolved(waveforms, lengths, exact)
        return self.projected(x), frames

    def convolved(self, waveforms: Tensor, lengths: Sequence[int], exact: bool) -> tuple[Tensor, list[int]]:
        """What the convolutional front end makes of waveforms, (B, T, channels), and its lengths."""
        multiplier = self.config.feature_grad_mult
        with torch.set_grad_enabled(torch.is_grad_enabled() and multiplier > 0):
            seen = lengths if exact else [waveforms.shape[1]] * len(waveforms)
            x = self.feature_extractor(waveforms, seen)
        if x.requires_grad and multiplier != 1:
            x.register_hook(lambda gradient: gradient * multiplier)
        if exact:
            frames = [self.config.feature_frames(n) for n in lengths]
        else:
            # fairseq calls a frame valid when any sample is in its share of L // T samples.
            share = waveforms.shape[1] // x.shape[1]
            frames = [min(x.shape[1], -(-n // share)) for n in lengths]
        return x, frames

    def projected(self, x: Tensor) -> Tensor:
        """The front end's (B, T, channels), normalised and in the width of the blocks: (B, T, dim)."""
        x = self.layer_norm(x)
        if self.post_extract_proj is not None:
            x = self.post_extract_proj(x)
        # This dropout belongs to what enters the first block, and is off where that is frozen.
        return F.dropout(x, self.config.input_dropout, self.layer_norm.training)

    def states(self, x: Tensor, lengths: list[int], exact: bool) -> Generator[State, None, None]:
        """Yield every state in execution order; nothing above the last one taken is computed.

        Args:
            x: (B, T, dim), what enters the first block.
            lengths: valid frames.
            exact: as in `forward`.
        """
        skips = []
        for encoder, adapter in zip(self.encoders, self.downsample_modules, strict=True):
            x = yield from cast(Block, encoder).states(zero_padding(x, lengths), lengths)
            skips.append((x, lengths))
            x, lengths = adapter(x, lengths, exact)

        x = zero_padding(x, lengths)
        y = yield from self.middle_encoder.states(x, lengths)
        x = x + y if self.config.middle_residual else y
        yield State("res_out0", x, lengths)

        for i, (decoder, adapter) in enumerate(zip(self.decoders, reversed(self.upsample_modules), strict=True)):
            x, lengths = adapter(x, lengths, exact)
            x = yield from cast(Block, decoder).states(zero_padding(x, lengths), lengths)
            skip, skip_lengths = skips.pop()
            frames = min(x.shape[1], skip.shape[1])
            x = x[:, :frames] + skip[:, :frames]
            limits = skip_lengths if exact else [frames] * len(lengths)
            lengths = [min(pair) for pair in zip(lengths, limits, strict=True)]
            yield State(f"res_out{i + 1}", x, lengths)

    def layers_in_order(self) -> list[Layer]:
        """The transformer layers in the order in which they run."""
        blocks = (*self.encoders, self.middle_encoder, *self.decoders)
        return [cast(Layer, layer) for block in blocks for layer in cast(Block, block).layers]

    def reset_parameters(self, before: Callable[[str], object] | None = None) -> None:
        """Random weights, as HuBERT begins with; torch's random state decides them.

        Args:
            before: called with a module's name before that module draws its weights.
        """
        for name, module in reversed(list(self.named_modules())):  # a part before the whole, which may decide otherwise
            reset = getattr(module, "reset_parameters", None)
            if module is not self and reset is not None:
                if before is not None:
                    before(name)
                reset()
