"""A part of a training: which parameters learn, for how many steps, with which optimizer and learning rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn
from torch.optim import Optimizer


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; most trainings have a single one.

    Attributes:
        name: for the log.
        steps: how many updates.
        parameters: what learns.
        begin: called before the stage's first step, and before the first one after a restart.
        optimizer: makes the optimizer; by default the run's configuration says which.
        rate: (step of the stage from 0, steps) -> factor of the learning rate; by default the run's scheduler.
    """

    name: str
    steps: int
    parameters: Sequence[nn.Parameter]
    begin: Callable[[], object] | None = None
    optimizer: Callable[[Sequence[nn.Parameter]], Optimizer] | None = None
    rate: Callable[[int, int], float] | None = None


def place_of(stages: Sequence[Stage], step: int) -> tuple[int, int]:
    """Which stage the update after `step` updates belongs to, and how many of that stage's came before it."""
    for i, stage in enumerate(stages):
        if step < stage.steps:
            return i, step
        step -= stage.steps
    return len(stages) - 1, stages[-1].steps
