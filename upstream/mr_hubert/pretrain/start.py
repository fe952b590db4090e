"""What a pre-training begins with: random weights, or those of an earlier checkpoint, its last layers drawn anew.

A later HuBERT iteration begins with random weights as published. To go on from an earlier one, with its top layers
re-initialised, is among what "Investigating the 'Autoencoder Behavior' in Speech Self-Supervised Models: a focus on
HuBERT's Pretraining" (arXiv 2405.08402) asks about: top layers drift back towards the input, and are the ones to renew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3prl_plugin import config
from s3prl_plugin.config import Config, schema
from s3prl_plugin.config.schema import ConfigSection, Whole
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.checkpoint import load as checkpoint
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

SECTION = "initial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Initial(ConfigSection):
    """The section `initial`.

    Attributes:
        checkpoint: of an earlier model of the same sizes; empty for random weights.
        reset_top: so many of its last transformer layers, in execution order, keep the random weights that this
            training's seed gives them. Prediction heads and the mask's vector are always new: the units are others.
    """

    checkpoint: str = ""
    reset_top: Whole = 0

    def check_together(self) -> None:
        """Refuse layers that are to be reset of no checkpoint."""
        if self.reset_top and not self.checkpoint:
            raise UserError(
                "reset_top: there is no checkpoint whose layers could be reset; give one, or leave this out"
            )


def read(given: str | Path | Config | Mapping[str, Any]) -> Initial:
    """What a configuration, or a file with one, says.

    Raises:
        UserError: a key is unknown, or a value is not possible; with file and line.
    """
    return schema.read(config.given(given), (SECTION,), Initial)


def begin(network: MRHuBERT, initial: Initial) -> None:
    """Give a network with random weights those that it begins with, in place.

    Raises:
        UserError: the checkpoint cannot be read, is of another network, or has fewer layers than are to be reset.
    """
    if not initial.checkpoint:
        return
    earlier = checkpoint.load(initial.checkpoint)
    names = {module: name for name, module in network.named_modules()}
    layers = [names[layer] for layer in network.layers_in_order()]
    if initial.reset_top > len(layers):
        raise UserError(f"{SECTION}.reset_top: {initial.reset_top} layers of {len(layers)}; give at most so many")
    own = network.state_dict()
    differs = next((name for name in [*own, *earlier.weights] if not _same_shape(own, earlier.weights, name)), None)
    if differs is not None:
        raise UserError(
            f"{SECTION}.checkpoint: {initial.checkpoint} is of another network ({differs} differs); begin with one of "
            "the same sizes, or with random weights"
        )
    kept = tuple(f"{name}." for name in layers[len(layers) - initial.reset_top :])
    network.load_state_dict(
        {name: own[name] if kept and name.startswith(kept) else tensor for name, tensor in earlier.weights.items()}
    )


def _same_shape(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    return name in one and name in other and one[name].shape == other[name].shape
