"""What changes over the steps of a level's training, as pure functions of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from s3prl_plugin.config.schema import ConfigSection, Counted, Number, Positive, Whole

FLAT_SHARE = 2 / 3  # of the steps, before the learning rate falls
LAST_FACTOR = 0.1


@dataclass(frozen=True, kw_only=True)
class LevelRecipe(ConfigSection):
    """How a level is trained; the defaults are the authors'.

    Attributes:
        learning_rate: of RAdam: flat for two thirds of a level's steps, then down a cosine to a tenth.
        first_temperature, last_temperature: of the relaxed sample, linear in between.
        reset_every: steps from one look at the use of codes to the next.
        reset_share: of the most used code's count, under which the least used one moves.
        reset_spread: standard deviation of the noise around the place that it moves to.
        seed: of everything that is drawn in training.
    """

    learning_rate: Positive = 4e-4
    first_temperature: Positive = 0.667
    last_temperature: Positive = 0.001
    reset_every: Counted = 20
    reset_share: Number = 0.03
    reset_spread: Number = 0.01
    seed: Whole = 0

    def temperature(self, step: int, steps: int) -> float:
        """Of the relaxed sample at a step, 0 <= `step` < `steps`."""
        done = step / max(1, steps - 1)
        return self.first_temperature + (self.last_temperature - self.first_temperature) * done


def rate_factor(step: int, steps: int) -> float:
    """The learning rate at a step, 0 <= `step` < `steps`, over the first one."""
    done = (step / max(1, steps) - FLAT_SHARE) / (1 - FLAT_SHARE)
    return LAST_FACTOR + (1 - LAST_FACTOR) * (1 + math.cos(math.pi * max(0.0, done))) / 2
