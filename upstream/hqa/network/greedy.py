"""Greedy training: one level after another, the lower ones fixed. Steps without files, runners or loops over data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from s3prl_plugin import ranks
from s3prl_plugin.random_state import derived_seed
from s3prl_plugin.upstream.hqa.network.model import HQA, Encoded, Level
from s3prl_plugin.upstream.hqa.pretrain.losses import Loss, nearest_loss, stochastic_loss
from s3prl_plugin.upstream.hqa.pretrain.schedule import LevelRecipe, rate_factor

GRADIENT_NORM = 1.0
ENCODED_TOGETHER = 256  # items of the data


class LevelTraining:
    """What belongs to a level's training beside its parameters.

    Everything that is drawn depends on the recipe's seed, the level and the step alone, so that training goes on from
    any step with the same bits.

    Args:
        model: in training.
        level: which of its levels.
        steps: of this level.
        recipe: how.

    Attributes:
        use: (K,) how often every code was used since codes were last looked at.
        revived: codes that were moved so far.
    """

    def __init__(self, model: HQA, level: int, steps: int, recipe: LevelRecipe):
        self.model = model
        self.number = level
        self.level: Level = model.level(level)
        self.steps = steps
        self.recipe = recipe
        self.use = torch.zeros(model.config.codes, dtype=torch.int64)
        self.revived = 0

    def prepare(self) -> None:
        """Fix the levels below, in eval mode, and let this one learn."""
        self.model.requires_grad_(False).eval()
        self.level.requires_grad_(True).train()

    def input(self, x: Tensor, lengths: Tensor | None = None) -> Encoded:
        """What the level takes: the continuous output of the one below, without gradient."""
        if not self.number:
            return Encoded(x, lengths)
        with torch.no_grad():
            return self.model.encode(x, lengths, up_to=self.number)[-1]

    def loss(self, x: Tensor, step: int, lengths: Tensor | None = None, learn: bool = True) -> Loss:
        """The loss of a batch of the model's own input.

        Args:
            x: (B, channels, *S).
            step: of this level, from 0.
            lengths: (B,) valid positions of the last axis; None where all are.
            learn: its values enter the running moments, and its codes their counts.
        """
        return self.loss_above(self.input(x, lengths), step, learn)

    def loss_above(self, below: Encoded, step: int, learn: bool = True) -> Loss:
        """The same, of what `input` gave: the levels below are fixed, so it can be kept."""
        if learn:
            self.level.normaliser.update(*below)
        if self.model.config.quantiser == "nearest":
            found = nearest_loss(self.level, *below)
        else:
            temperature = self.recipe.temperature(step, self.steps)
            draw = self._generator(step, "sample", ranks.mine())
            found = stochastic_loss(self.level, below.z, temperature, below.lengths, draw)
        if learn:
            self.use += torch.bincount(found.codes, minlength=len(self.use)).cpu()
        return found

    def after_step(self, step: int) -> int | None:
        """Look at the use of codes where it is time to; a code that moved, or None."""
        if (step + 1) % self.recipe.reset_every:
            return None
        draw, use = self._generator(step, "code"), ranks.summed(self.use.double())
        moved = self.level.quantiser.revive(use, self.recipe.reset_share, self.recipe.reset_spread, draw)
        self.use.zero_()
        self.revived += moved is not None
        return moved

    def _generator(self, step: int, *what: int | str) -> torch.Generator:
        """For what is drawn at a step."""
        return torch.Generator().manual_seed(derived_seed(self.recipe.seed, self.number, step, *what))


def train(
    model: HQA,
    x: Tensor,
    steps: int | Sequence[int],
    recipe: LevelRecipe,
    batch_size: int = 32,
    levels: Iterable[int] | None = None,
) -> None:
    """Train a model by itself, on data of one size: images, or sequences of one length.

    What the levels below make of the data is computed once for every level.

    Args:
        model: gets its weights.
        x: (N, channels, *S) all the data; every step draws from it by the recipe's seed.
        steps: of every level, or the steps of each level of the model.
        recipe: how.
        batch_size: of a step.
        levels: which, in this order; all of them when None.
    """
    each = [steps] * model.config.levels if isinstance(steps, int) else list(steps)
    for number in range(model.config.levels) if levels is None else levels:
        training = LevelTraining(model, number, each[number], recipe)
        training.prepare()
        below = torch.cat([training.input(part).z for part in x.split(ENCODED_TOGETHER)])
        draw = torch.Generator().manual_seed(derived_seed(recipe.seed, number, "batches"))
        optimizer = torch.optim.RAdam(training.level.parameters(), recipe.learning_rate)
        for step in range(training.steps):
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate * rate_factor(step, training.steps)
            optimizer.zero_grad()
            batch = below[torch.randint(len(below), (batch_size,), generator=draw)]
            training.loss_above(Encoded(batch, None), step).total.backward()
            torch.nn.utils.clip_grad_norm_(training.level.parameters(), GRADIENT_NORM)
            optimizer.step()
            training.after_step(step)
    model.requires_grad_(False).eval()
