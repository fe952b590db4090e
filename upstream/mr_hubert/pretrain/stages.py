"""What becomes of the top layers in the course of a training: drawn anew, or added one after another.

Both are after "Investigating the 'Autoencoder Behavior' in Speech Self-Supervised Models: a focus on HuBERT's
Pretraining" (arXiv 2405.08402): top layers drift back towards the input, and a network may be given them later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from s3prl_plugin import config
from s3prl_plugin.config import Config, schema
from s3prl_plugin.config.schema import ConfigSection, Counted, Whole
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.settings import Settings, Stage
from s3prl_plugin.upstream.mr_hubert.network import config as sizes
from s3prl_plugin.upstream.mr_hubert.pretrain.network import PretrainNetwork

SECTION = "stages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages(ConfigSection):
    """The section `stages`. Each begins with a new optimizer, whose learning rate rises first and then is what it would
    have been in a training without stages.

    Attributes:
        at: the updates after which the next stage begins; empty for a training of one stage.
        reset_top: at the beginning of every stage but the first, so many of the last transformer layers get random
            weights, others each time.
        layers: of a plain HuBERT, the number of transformer layers in each stage, one more number than `at`; a new
            layer begins with the weights of the one below it. Empty for all layers in all stages.
    """

    at: Sequence[Counted] = ()
    reset_top: Whole = 0
    layers: Sequence[Counted] = ()

    def check_together(self) -> None:
        """Refuse stages out of order, without a change, or with two."""
        if any(later <= earlier for earlier, later in pairwise(self.at)):
            raise UserError(f"at: {list(self.at)} does not rise; give the updates in order")
        if self.at and not self.reset_top and not self.layers:
            raise UserError("at: nothing changes there; give reset_top or layers, or leave this out")
        if self.reset_top and not self.at:
            raise UserError("reset_top: at which updates? Give `at`; initial.reset_top resets before the first one")
        if self.layers and len(self.layers) != len(self.at) + 1:
            raise UserError(f"layers: {len(self.layers)} numbers for {len(self.at) + 1} stages; give one each")
        if any(later < earlier for earlier, later in pairwise(self.layers)):
            raise UserError(f"layers: {list(self.layers)} falls; a network only grows")


def read(given: str | Path | Config | Mapping[str, Any]) -> Stages:
    """What a configuration, or a file with one, says.

    Raises:
        UserError: a key is unknown, or a value is not possible; with file and line.
    """
    return schema.read(config.given(given), (SECTION,), Stages)


def check(stages: Stages, network: sizes.Config, steps: int) -> None:
    """Refuse stages that a network, or a training, does not have.

    Args:
        stages: that are asked for.
        network: the sizes of the whole network.
        steps: updates of the training.

    Raises:
        UserError: the message begins with the name of an option.
    """
    if stages.at and stages.at[-1] >= steps:
        raise UserError(f"at: after {stages.at[-1]} updates, of {steps} (runner.total_steps), no stage can begin")
    if stages.layers and len(network.layers) > 1:
        raise UserError("layers: a network of several resolutions cannot grow; leave this out")
    if stages.layers and stages.layers[-1] != sum(network.layers):
        raise UserError(f"layers: the last stage has {stages.layers[-1]} of {sum(network.layers)} layers; give all")
    fewest = min(stages.layers[1:], default=sum(network.layers))  # nothing is reset in the first stage
    if stages.reset_top > fewest:
        raise UserError(f"reset_top: {stages.reset_top} layers of {fewest}; give at most so many")


def planned(stages: Stages, model: PretrainNetwork, settings: Settings) -> list[Stage]:
    """The stages of a training; none where it has a single one.

    Args:
        stages: that are asked for.
        model: what is trained; it is changed when a stage begins.
        settings: of the run.

    Raises:
        UserError: the network, or the training, does not have them.
    """
    if not stages.at:
        return []
    total = settings.runner.total_steps
    check(stages, model.network.config, total)
    bounds = [0, *stages.at, total]
    depths = [*stages.layers] or [sum(model.network.config.layers)] * (len(stages.at) + 1)
    found = []
    for i, (begin, end) in enumerate(pairwise(bounds)):
        depth, before = depths[i], depths[i - 1] if i else depths[i]
        found.append(
            Stage(
                name=f"stage{i}",
                steps=end - begin,
                parameters=list(model.parameters()),
                enter=partial(_change, model, i, before, depth, stages.reset_top if i else 0),
                begin=partial(model.run_layers, depth),
                rate=partial(_rate, settings, begin),
            )
        )
    return found


def _change(model: PretrainNetwork, stage: int, before: int, depth: int, reset: int) -> None:
    """What happens to the weights where a stage begins."""
    layers = model.network.layers_in_order()
    for layer in layers[before:depth]:
        layer.load_state_dict(layers[before - 1].state_dict())
    model.draw_anew(layers[depth - reset : depth], stage)


def _rate(settings: Settings, before: int, step: int, steps: int) -> float:
    """The factor of the learning rate in a stage: that of the whole training, risen to from zero at first."""
    whole = settings.scheduler.factor(before + step, settings.runner.total_steps)
    return min(whole, settings.scheduler.rise(step, settings.runner.total_steps))
