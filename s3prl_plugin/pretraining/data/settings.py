"""How a pre-training runs: the sections `runner`, `optimizer` and `scheduler` of its configuration; and its stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

import torch
from torch import nn
from torch.optim import Optimizer

from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError, did_you_mean

OPTIMIZERS: Mapping[str, Callable[..., Optimizer]] = {"AdamW": torch.optim.AdamW, "Adam": torch.optim.Adam}
SCHEDULES = ("linear_schedule_with_warmup", "constant")
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
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

    total_steps: int = 0
    gradient_accumulate_steps: int = 1
    gradient_clipping: float = 10.0
    log_step: int = 50
    save_step: int = 500
    max_keep: int = 2
    save_steps: int | Sequence[int] | Mapping[str, float] = ()
    valid_step: int = 0
    precision: str = "fp32"

    def __post_init__(self) -> None:
        least = {"total_steps": 0, "gradient_accumulate_steps": 1, "log_step": 1, "save_step": 1, "max_keep": 1}
        for name, smallest in {**least, "valid_step": 0}.items():
            _whole(name, getattr(self, name), smallest)
        _number("gradient_clipping", self.gradient_clipping, zero=True)
        if self.precision not in PRECISIONS:
            raise UserError(f"precision: {self.precision!r}; {did_you_mean(str(self.precision), PRECISIONS)}")
        kept_steps(self.save_steps, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerSettings:
    """The section `optimizer`; the defaults are HuBERT's."""

    name: str = "AdamW"
    lr: float = 5e-4
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        if self.name not in OPTIMIZERS:
            raise UserError(f"name: no optimizer is called {self.name!r}; {did_you_mean(str(self.name), OPTIMIZERS)}")
        for name in ("lr", "eps"):
            _number(name, getattr(self, name))
        _number("weight_decay", self.weight_decay, zero=True)
        betas = self.betas
        if not (isinstance(betas, (list, tuple)) and len(betas) == 2 and all(_is_share(each) for each in betas)):
            raise UserError(f"betas: {betas!r} are not two numbers from 0 to below 1")

    def make(self, parameters: Sequence[nn.Parameter]) -> Optimizer:
        """The optimizer."""
        options: dict[str, Any] = {"lr": self.lr, "betas": tuple(self.betas), "eps": self.eps}
        return OPTIMIZERS[self.name](parameters, weight_decay=self.weight_decay, **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """The section `scheduler`.

    Attributes:
        name: linear_schedule_with_warmup rises to the optimizer's learning rate and falls to zero at the last step, as
            HuBERT's does; constant only rises.
        num_warmup_steps: updates of the rise; below 1, a share of all (HuBERT base: 0.08).
    """

    name: str = "linear_schedule_with_warmup"
    num_warmup_steps: float = 0.08

    def __post_init__(self) -> None:
        if self.name not in SCHEDULES:
            raise UserError(f"name: no schedule is called {self.name!r}; {did_you_mean(str(self.name), SCHEDULES)}")
        _number("num_warmup_steps", self.num_warmup_steps, zero=True)

    def factor(self, step: int, steps: int) -> float:
        """Of the learning rate at the update after `step` others, 0 <= `step` < `steps`."""
        warmup = self.num_warmup_steps
        warmup = round(warmup * steps) if warmup < 1 else int(warmup)
        if step < warmup:
            return (step + 1) / warmup
        if self.name == "constant":
            return 1.0
        return (steps - step) / max(1, steps - warmup)


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
        section(config, ("runner",), RunnerSettings),
        section(config, ("optimizer",), OptimizerSettings),
        section(config, ("scheduler",), SchedulerSettings),
    )


Options = TypeVar("Options")


def section(config: Config, key: tuple[str, ...], kind: type[Options]) -> Options:
    """A section of a configuration as a dataclass, whose errors begin with the option's name.

    Raises:
        UserError: a key is unknown or a value not possible, with file and line.
    """
    config.refuse_unknown([f.name for f in fields(kind)], *key)  # type: ignore[arg-type]
    values = config.section(*key)
    try:
        return kind(**values)
    except UserError as error:
        raise config.error((*key, str(error).split(":")[0]), f"{'.'.join(key)}.{error}") from None


def kept_steps(given: object, total: int) -> set[int]:
    """The updates, 0 to `total`, at which a checkpoint is kept.

    Args:
        given: `RunnerSettings.save_steps`.
        total: the last update, which always is one of them.

    Raises:
        UserError: it says nothing that can be done.
    """
    steps = {total}
    if type(given) is int and given > 0:
        steps |= set(range(given, total, given))
    elif isinstance(given, Mapping) and set(given) == {"first", "factor"}:
        first, factor = given["first"], given["factor"]
        if type(first) is not int or first < 1 or type(factor) not in (int, float) or factor <= 1:
            raise UserError(f"save_steps: {dict(given)!r}: give first, a whole number above 0, and a factor above 1")
        while first < total:
            steps.add(first)
            first = max(first + 1, round(first * factor))
    elif isinstance(given, (list, tuple)) and all(type(step) is int and step >= 0 for step in given):
        steps |= {step for step in given if step <= total}
    else:
        raise UserError(
            f"save_steps: {given!r}: give a number of steps, a list of them, or `{{first: 100, factor: 2}}`"
        )
    return steps


def _whole(name: str, value: object, least: int) -> None:
    if type(value) is not int or value < least:
        raise UserError(f"{name}: {value!r} is no whole number from {least} on")


def _number(name: str, value: object, zero: bool = False) -> None:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value < 0 or (value == 0 and not zero):
        hint = " (YAML reads 5e-4 as text; write 5.0e-4)" if isinstance(value, str) else ""
        raise UserError(f"{name}: {value!r} is no number {'from 0 on' if zero else 'above 0'}{hint}")


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1


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
