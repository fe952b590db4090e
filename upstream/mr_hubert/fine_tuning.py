"""Which parts of a network are there for fine-tuning: those above a tap can be cut, those up to a tap frozen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from torch import nn

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.network.adapter import Adapter
from s3prl_plugin.upstream.mr_hubert.network.model import Block, MRHuBERT


def steps(network: MRHuBERT) -> Iterator[tuple[str, list[nn.Module]]]:
    """What it takes to get from one tap to the next, in execution order.

    Args:
        network: a whole one, of which nothing is cut.

    Yields:
        A tap's name, and the modules that run after the tap before it; each module comes once.
    """
    adapters = [cast(Adapter, a) for a in (*network.downsample_modules, *reversed(network.upsample_modules))]
    before: list[list[nn.Module | None]]
    before = [[network.feature_extractor, network.layer_norm, network.post_extract_proj]]
    before += [[adapter.upsample_conv, adapter.downsample_conv] for adapter in adapters]
    blocks = [cast(Block, block) for block in (*network.encoders, network.middle_encoder, *network.decoders)]
    for i, (block, entering) in enumerate(zip(blocks, before, strict=True)):
        first, *others = block.tap_names
        first_norm, last_norm = (None, block.layer_norm) if block.norm_first else (block.layer_norm, None)
        yield first, _there(*entering, getattr(block, "pos_conv", None), first_norm)
        for name, layer in zip(others, block.layers, strict=True):
            yield name, _there(layer, last_norm if name == others[-1] else None)
        if i >= len(adapters) // 2:
            yield f"res_out{i - len(adapters) // 2}", []


def cut(network: MRHuBERT, stop_at: str) -> None:
    """Take out of a network, in place, whatever is computed after a tap; what is left keeps its parameters' names.

    Raises:
        UserError: no tap has that name.
    """
    network.config.taps(stop_at)
    parts = dict(steps(network))
    names = list(parts)
    gone = {module for name in names[names.index(stop_at) + 1 :] for module in parts[name]}
    for owner in list(network.modules()):
        for name, child in reversed(list(owner.named_children())):  # the last of a list first: others keep their place
            if child not in gone:
                continue
            if isinstance(owner, nn.ModuleList):
                del owner[int(name)]
            else:
                setattr(owner, name, None)
    network.cut_at = stop_at


def freeze(network: MRHuBERT, freeze_to: str) -> None:
    """Freeze a whole network, in place, up to and including a tap: no gradients, no dropout, no dropped layers there.

    Raises:
        UserError: no tap has that name.
    """
    parts = dict(steps(network))
    names = list(parts)
    try:
        network.config.taps(freeze_to)
    except UserError as error:
        raise UserError(str(error).replace("stop_at", "freeze_to", 1)) from None
    network.frozen = [module for name in names[: names.index(freeze_to) + 1] for module in parts[name]]
    for module in network.frozen:
        module.requires_grad_(False)
    network.train(network.training)


def reset_top(network: MRHuBERT, count: int) -> None:
    """Give the last layers that a network still has, in execution order, random weights; torch's state decides them.

    Raises:
        UserError: there are not so many, or some of them are frozen.
    """
    layers = network.layers_in_order()
    if count > len(layers):
        raise UserError(f"reset_top: {count} layers of {len(layers)}; give at most so many")
    free = [layer for layer in layers if layer.fc1.weight.requires_grad]
    if count > len(free):
        raise UserError(f"reset_top: {count} layers, of which freeze_to keeps all but {len(free)} as they are")
    for layer in layers[len(layers) - count :]:
        layer.reset_parameters()


def _there(*modules: nn.Module | None) -> list[nn.Module]:
    """Those that the network has."""
    return [module for module in modules if module is not None]
