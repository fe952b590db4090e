"""What changes over the steps of a level's training, as pure functions of the step."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from s3prl_plugin.errors import UserError

FLAT_SHARE = 2 / 3  # of the steps, before the learning rate falls
LAST_FACTOR = 0.1


@dataclass(frozen=True, kw_only=True)
class LevelRecipe:
    """How a level is trained; the defaults are the authors'.

    Attributes:
        learning_rate: of RAdam: flat for two thirds of a level's steps, then down a cosine to a tenth.
        first_temperature, last_temperature: of the relaxed sample, linear in between.
        reset_every: steps from one look at the use of codes to the next.
        reset_share: of the most used code's count, under which the least used one moves.
        reset_spread: standard deviation of the noise around the place that it moves to.
        seed: of everything that is drawn in training.

    Raises:
        UserError: a value that cannot be.
    """

    learning_rate: float = 4e-4
    first_temperature: float = 0.667
    last_temperature: float = 0.001
    reset_every: int = 20
    reset_share: float = 0.03
    reset_spread: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(LevelRecipe):
            value: Any = getattr(self, field.name)
            whole = field.name in ("reset_every", "seed")
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise UserError(f"{field.name}: {value!r} is no {'whole ' if whole else ''}number")
            if value < 0 or (value == 0 and field.name not in ("seed", "reset_share", "reset_spread")):
                raise UserError(f"{field.name}: {value!r}; give a number above 0")

    def temperature(self, step: int, steps: int) -> float:
        """Of the relaxed sample at a step, 0 <= `step` < `steps`."""
        done = step / max(1, steps - 1)
        return self.first_temperature + (self.last_temperature - self.first_temperature) * done


def rate_factor(step: int, steps: int) -> float:
    """The learning rate at a step, 0 <= `step` < `steps`, over the first one."""
    done = (step / max(1, steps) - FLAT_SHARE) / (1 - FLAT_SHARE)
    return LAST_FACTOR + (1 - LAST_FACTOR) * (1 + math.cos(math.pi * max(0.0, done))) / 2
