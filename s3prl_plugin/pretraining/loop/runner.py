"""The training loop: stages, updates, log, validation, checkpoints, and going on where it was interrupted.

What is trained is an `UpstreamPretrainExpert`, as s3prl has them: `get_train_dataloader()`, a forward pass
`(data, records, global_step, log_step) -> (loss, records)`, `log_records`, `add_state_to_save`, `load_model` and
`on_before_zero_grad`. The gradient of an update is the mean over its batches, of all processes. An expert may also have
    SECTIONS, check(config)    the sections of the configuration that are its own, and what refuses them early;
    stages(settings)           stages that are trained one after another, each with its steps and parameters;
    before_step(batches, step) sees all batches of an update before the first of them is trained on;
    after_step(step)           is called when an update is done;
    get_valid_dataloader()     batches to validate on;
    names(data)                the utterances of a batch, for messages;
    export(path, step)         writes the checkpoint that the upstream reads.
What is drawn in a step follows from the seed, the step, the batch's number and the process, so that a training that
goes on needs no generator's state.
"""

from __future__ import annotations

import math
import time
from argparse import Namespace
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from s3prl_plugin import ranks, stopping
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.settings import PRECISIONS, Settings, Stage, kept_steps, place_of
from s3prl_plugin.pretraining.loop import states
from s3prl_plugin.pretraining.loop.journal import LAST, Journal, line_of
from s3prl_plugin.pretraining.loop.supply import Supply
from s3prl_plugin.random_state import derived_seed, seed_everything
from s3prl_plugin.running.place import STEPS


def checkpoint_name(step: int) -> str:
    """The file of the checkpoint that is kept at an update."""
    return f"checkpoint_{step}.pt"


class Runner:
    """Trains an expert.

    Args:
        args: `expdir`, `upstream`, `seed`, `device`.
        config: the whole configuration, kept in every state.
        settings: what it says about the run.
        expert: what is trained; see `UpstreamPretrainExpert` of an upstream.
        resumed: the state to go on from; None at the beginning.
    """

    def __init__(
        self,
        args: Namespace,
        config: Mapping[str, Any],
        settings: Settings,
        expert: nn.Module,
        resumed: Mapping[str, Any] | None = None,
    ):
        self.args, self.config, self.settings = args, config, settings
        self.expert = cast(Any, expert)  # it has more than a module; see the class
        self.folder = Path(args.expdir)
        self.device = torch.device(args.device)
        self.stages = self._stages()
        self.total = sum(stage.steps for stage in self.stages)
        self.step = int(resumed["Step"]) if resumed else 0
        self._resumed = resumed
        if resumed:
            self.expert.load_model(resumed)
        epoch, position = resumed["Position"] if resumed else (0, 0)
        self.supply = Supply(self.expert.get_train_dataloader(), args.seed, epoch, position)
        self._kept = kept_steps(settings.runner.save_steps, self.total)
        # in float16, small gradients would be zero without it
        self._scaler = torch.amp.GradScaler(self.device.type, enabled=settings.runner.precision == "fp16")
        if resumed and resumed.get("Scaler"):
            self._scaler.load_state_dict(resumed["Scaler"])
        self._records: defaultdict[str, list[Any]] = defaultdict(list)
        self._bar: tqdm | None = None
        self._asked = stopping.StopRequest()

    def train(self) -> None:
        """Train to the last step of the last stage.

        Raises:
            UserError: the loss or its gradient is no longer finite, or another process has ended.
        """
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        self.journal = Journal(self.folder, self.step, ranks.leads())
        self._clock = _Clock(self.supply)
        self.expert.train()
        if self.step == 0 and 0 in self._kept:
            self._export(checkpoint_name(0))
        with (
            stopping.between_steps() as self._asked,
            tqdm(total=self.total, initial=self.step, desc=STEPS) as self._bar,
        ):
            while self.step < self.total:
                number, done = place_of(self.stages, self.step)
                self._train_stage(self.stages[number], done)
        self.journal.close()

    def _stages(self) -> list[Stage]:
        """The expert's stages, or a single one."""
        found = list(self.expert.stages(self.settings)) if hasattr(self.expert, "stages") else []
        if found:
            return found
        steps = self.settings.runner.total_steps
        if steps == 0:
            raise UserError("runner.total_steps is missing: how many updates?")
        return [Stage("", steps, [p for p in self.expert.parameters() if p.requires_grad])]

    def _train_stage(self, stage: Stage, done: int) -> None:
        """The rest of a stage, of which so many steps are done."""
        if stage.enter is not None and not done:
            stage.enter()
        if stage.begin is not None:
            stage.begin()
        optimizer = (stage.optimizer or self.settings.optimizer.make)(list(stage.parameters))
        rates = [group["lr"] for group in optimizer.param_groups]
        if self._resumed is not None and done:
            optimizer.load_state_dict(self._resumed["Optimizer"])
        self._resumed = None
        forward = self._distributed(_Loss(self.expert))
        factor = stage.rate or self.settings.scheduler.factor
        for step in range(done, stage.steps):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor(step, stage.steps)
            norm = self._update(forward, stage, optimizer)
            self.step += 1
            if hasattr(self.expert, "after_step"):
                self.expert.after_step(self.step)
            self._tell(optimizer.param_groups[0]["lr"], norm)
            self._save(optimizer)
            if self._bar is not None:
                self._bar.update(1)
            if self._asked and self.step < self.total:
                self._save(optimizer, stops=True)
                self._asked.stop()

    def _distributed(self, module: _Loss) -> nn.Module:
        """With several processes, gradients are averaged over them."""
        if ranks.count() == 1:
            return module
        return DistributedDataParallel(module, find_unused_parameters=True)  # a dropped layer has no gradient

    def _update(self, forward: nn.Module, stage: Stage, optimizer: torch.optim.Optimizer) -> float:
        """One update: the mean gradient of the batches of all processes. Returns its norm."""
        settings = self.settings.runner
        count = settings.gradient_accumulate_steps
        batches = self.supply.take(count)
        if hasattr(self.expert, "before_step"):
            self.expert.before_step(batches, self.step + 1)
        for i, data in enumerate(batches):
            self._clock.hear(data)
            seed_everything(derived_seed(self.args.seed, "step", self.step, i, ranks.mine()))
            last = i == count - 1 or not isinstance(forward, DistributedDataParallel)
            with nullcontext() if last else forward.no_sync():  # type: ignore[operator]
                with self._precision():
                    loss = forward(data, self._records, self.step + 1, settings.log_step)
                self._refuse_infinite(loss.detach(), "loss", [data])
                self._scaler.scale(loss / count).backward()
        self._scaler.unscale_(optimizer)
        parameters = [p for p in stage.parameters if p.grad is not None]
        norm = nn.utils.clip_grad_norm_(parameters, settings.gradient_clipping or math.inf)
        if not self._scaler.is_enabled():  # which passes over such an update by itself
            self._refuse_infinite(norm, "gradient", batches)
        self._scaler.step(optimizer)
        self._scaler.update()
        self.expert.on_before_zero_grad()
        optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def _precision(self) -> AbstractContextManager[None]:
        """In which the forward pass computes."""
        dtype = PRECISIONS[self.settings.runner.precision]
        return nullcontext() if dtype == torch.float32 else torch.autocast(self.device.type, dtype)

    def _refuse_infinite(self, value: Tensor, what: str, batches: list[Any]) -> None:
        """Stop, on all processes together, where a value is not finite on one of them."""
        fine = bool(torch.isfinite(value))
        if float(ranks.summed(torch.tensor(0.0 if fine else 1.0, device=self.device))) == 0:
            return
        kept = [path.name for path in states.in_folder(self.folder)]
        name_of = getattr(self.expert, "names", lambda data: ())
        heard = ", ".join(name for data in batches for name in name_of(data)) or "one batch"
        if fine:
            found = f"the {what} of another process is not finite (its own message names the batch)"
        else:
            found = f"the {what} is {float(value):g} on the batch of {heard}"
        raise UserError(
            f"step {self.step + 1}: {found}; "
            + (f"{kept[-1]} in {self.folder} is the last good state" if kept else "no state had been saved before")
            + "; look at these files, or lower optimizer.lr"
        )

    def _tell(self, rate: float, norm: float) -> None:
        """Log and validate where it is time to."""
        settings = self.settings.runner
        last = self.step == self.total
        if self.step % settings.log_step == 0 or last:
            prefix = f"{self.args.upstream}/train-"
            self.expert.log_records(records=self._records, logger=self.journal, prefix=prefix, global_step=self.step)
            self._records = defaultdict(list)
            for name, value in {"lr": rate, "gradient-norm": norm, **self._clock.rates()}.items():
                self.journal.add_scalar(prefix + name, value, self.step)
        validates = settings.valid_step and (self.step % settings.valid_step == 0 or last)
        if validates:
            self._validate()
        if self.step % settings.log_step == 0 or last or validates:
            row = self.journal.end_row(self.step)
            if ranks.leads():
                print(f"[pretrain] {line_of(row)}", flush=True)

    def _validate(self) -> None:
        """The loss on held-out utterances, where the expert has some."""
        open_loader = getattr(self.expert, "get_valid_dataloader", lambda: None)
        loader = open_loader()
        if loader is None:
            return
        records: defaultdict[str, list[Any]] = defaultdict(list)
        self.expert.eval()
        with torch.no_grad(), self._precision():
            for data in loader:
                self.expert(data, records=records, global_step=self.step, log_step=1)
        self.expert.train()
        prefix = f"{self.args.upstream}/valid-"
        self.expert.log_records(records=records, logger=self.journal, prefix=prefix, global_step=self.step)

    def _save(self, optimizer: torch.optim.Optimizer, stops: bool = False) -> None:
        """Write a state and checkpoints where it is time to, or the training `stops`."""
        settings = self.settings.runner
        if self.step in self._kept and not stops:
            self._export(checkpoint_name(self.step))
        due = self.step % settings.save_step == 0 or self.step == self.total
        if due == stops or not ranks.leads():  # where it stops, what was due is there
            return
        self._export(LAST)
        kept = ("upstream", "seed")
        content = {
            "Step": self.step,
            "Args": {name: getattr(self.args, name) for name in kept},
            "Config": dict(self.config),
            "Optimizer": optimizer.state_dict(),
            "Scaler": self._scaler.state_dict(),
            "Position": (self.supply.epoch, self.supply.position),
        }
        states.save(self.folder, self.step, self.expert.add_state_to_save(content), settings.max_keep)

    def _export(self, name: str) -> None:
        """Write the checkpoint that the upstream reads."""
        if ranks.leads() and hasattr(self.expert, "export"):
            self.expert.export(self.folder / name, self.step)


class _Loss(nn.Module):
    """An expert's loss alone: the records stay out of what DistributedDataParallel looks through."""

    def __init__(self, expert: nn.Module):
        super().__init__()
        self.expert = expert

    def forward(self, data: Any, records: Any, global_step: int, log_step: int) -> Tensor:
        return self.expert(data, records=records, global_step=global_step, log_step=log_step)[0]


class _Clock:
    """How fast training goes."""

    def __init__(self, supply: Supply):
        self._supply = supply
        self._restart()

    def _restart(self) -> None:
        self._began_s, self._waited_s, self._heard_s = time.perf_counter(), self._supply.waited_s, 0.0

    def hear(self, data: Any) -> None:
        """A batch was trained on; its `duration_s` is its audio."""
        self._heard_s += getattr(data, "duration_s", 0.0)

    def rates(self) -> dict[str, float]:
        """Since the last time: audio of all processes per second, and the share of time spent waiting for data."""
        passed_s = max(time.perf_counter() - self._began_s, 1e-9)
        heard_s = float(ranks.summed(torch.tensor(self._heard_s, dtype=torch.float64)))
        waited = (self._supply.waited_s - self._waited_s) / passed_s
        self._restart()
        return {"audio-seconds-per-second": heard_s / passed_s, "waiting-share": waited}
