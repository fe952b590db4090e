"""What a forward pass costs, in multiply-accumulates, from the sizes alone."""

from __future__ import annotations

from collections.abc import Iterator

from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert.network.config import BlockSpec, Config, adapter_frames


def macs_per_second(config: Config, stop_at: str | None = None, *, duration_s: float = 10.0) -> float:
    """Multiply-accumulates per second of audio.

    Args:
        config: the network's sizes.
        stop_at: the last tap that is computed; all when None.
        duration_s: of the utterance; attention grows with its square, everything else is proportional to it.

    Returns:
        Those of convolutions, linear layers and attention.
    """
    config.taps(stop_at)  # refuses a name that no tap has
    return macs(config, round(duration_s * SAMPLE_RATE), stop_at) / duration_s


def macs(config: Config, samples: int, stop_at: str | None = None) -> int:
    """Multiply-accumulates for one utterance of so many samples."""
    total = 0
    for name, cost in _steps(config, samples):
        total += cost
        if name == stop_at and name is not None:
            break
    return total


def _steps(config: Config, samples: int) -> Iterator[tuple[str | None, int]]:
    """What it takes to get from one tap to the next, in execution order; a step without a tap has no name."""
    yield None, _front_end(config, samples)
    n, blocks = len(config.ratios), config.blocks
    frames = config.feature_frames(samples)
    skips = []
    for block, ratio in zip(blocks, config.ratios, strict=False):
        yield from _block(config, block, frames)
        skips.append(frames)
        cost, frames = _adapter(config, frames, ratio, raises=False)
        yield None, cost
    yield from _block(config, blocks[n], frames)
    yield "res_out0", 0
    for i, (block, (up, down)) in enumerate(zip(blocks[n + 1 :], reversed(config.ratios), strict=True), 1):
        cost, frames = _adapter(config, frames, (down, up), raises=True)
        yield None, cost
        yield from _block(config, block, frames)
        frames = min(frames, skips.pop())
        yield f"res_out{i}", 0


def _front_end(config: Config, samples: int) -> int:
    """Convolutions and the projection to the transformer's width; samples that no frame sees are left out."""
    field = 1
    for _, kernel, stride in reversed(config.conv_layers):
        field = (field - 1) * stride + kernel
    total, inputs = 0, 1
    frames = (config.feature_frames(samples) - 1) * config.hop + field
    for channels, kernel, stride in config.conv_layers:
        frames = (frames - kernel) // stride + 1
        total += frames * kernel * inputs * channels
        inputs = channels
    return total + (frames * inputs * config.dim if inputs != config.dim else 0)


def _block(config: Config, block: BlockSpec, frames: int) -> Iterator[tuple[str, int]]:
    """A block's taps and the cost of each."""
    layer = frames * (4 * config.dim**2 + 2 * config.dim * config.ffn_dim) + 2 * frames**2 * config.dim
    positional = frames * config.pos_kernel * config.dim**2 // config.pos_groups if block.positional else 0
    first, *layers = config.block_taps(block)
    yield first, positional
    for name in layers:
        yield name, layer


def _adapter(config: Config, frames: int, ratio: tuple[int, int], *, raises: bool) -> tuple[int, int]:
    """The cost of an adapter, and the frames that come out."""
    up, down = ratio
    per_frame = config.adapter_kernel * config.dim**2
    total = 0
    if raises or not config.plain_adapters:
        total += frames * per_frame
        frames *= up
    if not raises or not config.plain_adapters:
        frames = adapter_frames(frames, (1, down), config.adapter_kernel)
        total += frames * per_frame
    return total, frames
