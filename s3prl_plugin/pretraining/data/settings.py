"""How a pre-training runs: the sections `runner`, `optimizer` and `scheduler` of its configuration; and its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt, Len, Lt
from torch import nn
from torch.optim import Optimizer
from typing_extensions import TypedDict

from s3prl_plugin.config import Config, schema
from s3prl_plugin.config.schema import ConfigSection, Counted, Number, Positive, Whole

Beta = Annotated[float, Ge(0), Lt(1)]
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Growing(TypedDict):
    """Steps that are further and further apart: `first`, and from there always `factor` times as many."""

    first: Counted
    factor: Annotated[float, Gt(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings(ConfigSection):
    """The section `runner`.

    Attributes:
        total_steps: updates; what brings stages of its own need not give it.
        gradient_accumulate_steps: batches per update and process.
        gradient_clipping: the norm above which gradients are scaled down to it; 0 for never.
        log_step: updates from one line of the log to the next.
        save_step: updates from one saved state (from which training can go on) to the next.
        max_keep: so many of these states are kept.
        save_steps: at which updates a checkpoint is kept for good: a number for every so many, a list, or
            `{first: 100, factor: 2}` for 100, 200, 400, ...; 0 is the network before training.
        valid_step: updates from one validation to the next; 0 for none.
        precision: fp32, bf16 or fp16 (the latter two mixed: weights stay in float32).
    """

    total_steps: Whole = 0
    gradient_accumulate_steps: Counted = 1
    gradient_clipping: Number = 10.0
    log_step: Counted = 50
    save_step: Counted = 500
    max_keep: Counted = 2
    save_steps: Counted | Sequence[Whole] | Growing = ()
    valid_step: Whole = 0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings(ConfigSection):
    """The section `optimizer`; the defaults are HuBERT's.

    Attributes:
        name: AdamW or Adam, as torch has them.
        lr: the learning rate, which the schedule scales.
        betas, eps, weight_decay: as torch's optimizers have them.
    """

    name: Literal["AdamW", "Adam"] = "AdamW"
    lr: Positive = 5e-4
    betas: Annotated[Sequence[Beta], Len(2, 2)] = (0.9, 0.98)
    eps: Positive = 1e-6
    weight_decay: Number = 0.01

    def make(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        """The optimizer."""
        kind: type[torch.optim.Adam] = getattr(torch.optim, self.name)
        return kind(parameters, self.lr, (self.betas[0], self.betas[1]), self.eps, self.weight_decay)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings(ConfigSection):
    """The section `scheduler`.

    Attributes:
        name: linear_schedule_with_warmup rises to the optimizer's learning rate and falls to zero at the last step, as
            HuBERT's does; constant only rises.
        num_warmup_steps: updates of the rise; below 1, a share of all (HuBERT base: 0.08).
    """

    name: Literal["linear_schedule_with_warmup", "constant"] = "linear_schedule_with_warmup"
    num_warmup_steps: Number = 0.08

    def factor(self, step: int, steps: int) -> float:
        """Of the learning rate at the update after `step` others, 0 <= `step` < `steps`."""
        warmup = self._warmup(steps)
        if step < warmup or self.name == "constant":
            return self.rise(step, steps)
        return (steps - step) / max(1, steps - warmup)

    def rise(self, step: int, steps: int) -> float:
        """The same without the fall: what it rises by from zero to 1 in the first updates."""
        warmup = self._warmup(steps)
        return (step + 1) / warmup if step < warmup else 1.0

    def _warmup(self, steps: int) -> int:
        """The updates of the rise."""
        warmup = self.num_warmup_steps
        return round(warmup * steps) if warmup < 1 else int(warmup)


@dataclass(frozen=True, slots=True)
class Settings:
    """All three sections."""

    runner: RunnerSettings = field(default_factory=RunnerSettings)
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    scheduler: SchedulerSettings = field(default_factory=SchedulerSettings)


def read(config: Config) -> Settings:
    """The settings of a run.

    Raises:
        UserError: a key is unknown or a value not possible, with file and line.
    """
    return Settings(
        schema.read(config, ("runner",), RunnerSettings),
        schema.read(config, ("optimizer",), OptimizerSettings),
        schema.read(config, ("scheduler",), SchedulerSettings),
    )


def kept_steps(given: int | Sequence[int] | Growing, total: int) -> set[int]:
    """The updates, 0 to `total`, at which a checkpoint is kept.

    Args:
        given: `RunnerSettings.save_steps`.
        total: the last update, which always is one of them.
    """
    if isinstance(given, int):
        return {total, *range(given, total, given)}
    if not isinstance(given, Mapping):
        return {total, *(step for step in given if step <= total)}
    steps, step = {total}, given["first"]
    while step < total:
        steps.add(step)
        step = max(step + 1, round(step * given["factor"]))
    return steps


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage; most trainings have a single one.

    Attributes:
        name: for the log.
        steps: how many updates.
        parameters: what learns.
        enter: called before the stage's first step, once: not after a restart in the middle of the stage.
        begin: called before the stage's first step, and before the first one after a restart.
        optimizer: makes the optimizer; by default the run's configuration says which.
        rate: (step of the stage from 0, steps) -> factor of the learning rate; by default the run's scheduler.
    """

    name: str
    steps: int
    parameters: Sequence[nn.Parameter]
    enter: Callable[[], object] | None = None
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
