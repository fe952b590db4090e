"""Small MR-HuBERTs with random weights, for demonstrations and tests."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.network.config import Config
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

PUBLISHED_DIM = 768  # of the base models


def small_config(
    *,
    dim: int = 64,
    layers: tuple[int, ...] = (2, 2, 2),
    ratios: tuple[tuple[int, int], ...] = ((1, 2),),
    layer_norm_first: bool = False,
    plain_adapters: bool = False,
    adapter_kernel: int = 1,
) -> Config:
    """A network a thousandth of the published ones in size, with their receptive field and rates."""
    return Config(
        dim=dim,
        ffn_dim=2 * dim,
        heads=4,
        layers=layers,
        ratios=ratios,
        conv_layers=((dim, 10, 5), *((dim, 3, 2),) * 4, *((dim, 2, 2),) * 2),
        extractor_mode="layer_norm" if layer_norm_first else "default",
        layer_norm_first=layer_norm_first,
        plain_adapters=plain_adapters,
        adapter_kernel=adapter_kernel,
    )


def random_network(config: Config, seed: int = 0) -> MRHuBERT:
    """A network with random weights whose layers do as much to their input as those of a published one.

    HuBERT's initialisation has one spread for every width; in a narrow network it would make each layer all but the
    identity. It is widened by the root of the ratio of the widths. torch's random state is left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = MRHuBERT(config)
    with torch.no_grad():
        for layer in network.layers_in_order():
            for module in layer.modules():
                if isinstance(module, torch.nn.Linear):
                    module.weight *= math.sqrt(PUBLISHED_DIM / config.dim)
    return network


def write_random_checkpoint(path: str | Path, config: Config | None = None, *, seed: int = 0) -> Path:
    """Write a network with random weights in fairseq's format; its training step is 0.

    Args:
        path: the file.
        config: its sizes; `small_config()` when None.
        seed: decides the weights.

    Returns:
        The file's path.
    """
    network = random_network(config or small_config(), seed)
    return load.save(path, network, normalize=network.config.layer_norm_first)
