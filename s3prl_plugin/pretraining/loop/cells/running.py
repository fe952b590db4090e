"""Runs the trainings of a file with cells, one after another; what is finished is not run again."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin import __version__, registry, results, stopping
from s3prl_plugin import config as configuration
from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests
from s3prl_plugin.jobs import process
from s3prl_plugin.jobs.durations import about
from s3prl_plugin.pretraining.loop.cells import plan
from s3prl_plugin.pretraining.loop.cells.plan import Training
from s3prl_plugin.pretraining.loop.own_units import with_units

FINISHED = "finished.json"
REASON = "failed.txt"
FILE_NAME = "pretrain.yaml"
UNITS = "units"
LIST = ".tsv"


def run(args: argparse.Namespace) -> int:
    """Train every cell with every seed, each in a process and a folder of its own.

    A training that fails does not keep the others from running, but for those that begin with what it should have
    become. The same command goes on after an interruption.

    Args:
        args: of `run_pretrain`.

    Returns:
        The exit status: 1 when a training failed, else 0.

    Raises:
        UserError: something that would make every training fail.
    """
    _refuse(args)
    from s3prl_plugin.pretraining.loop import arguments

    config = configuration.read(args.upstream_config)
    arguments.override(config.data, args)
    module = registry.pretrain_expert(args.upstream)
    todo = plan.trainings(config, Path(args.expdir), module.UpstreamPretrainExpert.SECTIONS)
    for training in todo:
        _check(config, training, module.UpstreamPretrainExpert)
    cells = _Cells(args, todo)
    with stopping.at_once():
        return cells.run()


@dataclass
class _Cells:
    """Trainings under way.

    Attributes:
        args: of `run_pretrain`.
        todo: what is wanted.
    """

    args: argparse.Namespace
    todo: Sequence[Training]

    def run(self) -> int:
        """Train what is not finished."""
        done = {each.folder: seconds for each in self.todo if (seconds := self._finished(each)) is not None}
        seeds = len({each.seed for each in self.todo})
        before = f"; {len(done)} are finished already" if done else ""
        _say(f"{len(self.todo)} trainings: {len(self.todo) // seeds} cells, {seeds} seeds{before}")
        failed: list[tuple[Training, str]] = []
        for number, each in enumerate(self.todo, 1):
            if each.folder in done:
                continue
            waiting = len(self.todo) - len(done) - len(failed)
            left = f" (about {about(waiting * sum(done.values()) / len(done))} left)" if done else ""
            _say(f"{number} of {len(self.todo)}: {each.cell}, seed {each.seed} -> {each.folder}{left}")
            began = time.monotonic()
            reason = self._train(each)
            if reason is None:
                done[each.folder] = time.monotonic() - began
                self._finish(each, done[each.folder])
            else:
                failed.append((each, reason))
                _say(f"{each.cell}, seed {each.seed} failed: {reason}")
        return self._end(len(done), failed)

    def _train(self, each: Training) -> str | None:
        """One training; why it failed, if it did."""
        for cell in each.first:
            if not self._checkpoint(cell, each.seed).is_file():
                return f"{cell} with seed {each.seed}, from which it begins, is not there"
        try:
            config = self._resolved(each)
        except UserError as error:
            return str(error)
        results.replace_file(each.folder / FILE_NAME, yaml.safe_dump(config, sort_keys=False).encode())
        flags = ["-u", self.args.upstream, "-g", str(each.folder / FILE_NAME), "-p", str(each.folder), "-a"]
        flags += ["--seed", str(each.seed), "--device", str(self.args.device)]
        return process.run(flags, each.folder / REASON, "run_pretrain")

    def _resolved(self, each: Training) -> dict[str, Any]:
        """The configuration with other cells' checkpoints and with units that are there."""
        changes: dict[str, Any] = {
            section: {"checkpoint": str(self._checkpoint(cell, each.seed).resolve())}
            for section, cell in plan.references(each.config)
        }
        config = plan.merged(each.config, changes)
        request = config.pop("units", None)
        return (
            config if request is None else with_units(config, request, Path(self.args.expdir) / UNITS, self.args.device)
        )

    def _checkpoint(self, cell: str, seed: int) -> Path:
        """What a cell becomes, also of one that is not wanted now."""
        return Path(self.args.expdir) / cell / f"seed{seed}" / plan.LAST

    def _identity(self, each: Training) -> Any:
        """All that decides what a training becomes."""
        given = {section: (each.config.get(section) or {}).get("checkpoint") for section in plan.REFERRING}
        said = {"config": each.config, "seed": each.seed, "first": each.first, "version": __version__}
        said["checkpoints"] = {section: digests.of_path(path) for section, path in given.items() if path}
        return json.loads(json.dumps(said, default=str))

    def _finished(self, each: Training) -> float | None:
        """How long this very training took, where it is finished."""
        path = each.folder / FINISHED
        if not (path.is_file() and each.checkpoint.is_file()):
            return None
        found = json.loads(path.read_text(encoding="utf-8"))
        return float(found["seconds"]) if found.get("run") == self._identity(each) else None

    def _finish(self, each: Training, seconds: float) -> None:
        content = json.dumps({"run": self._identity(each), "seconds": round(seconds, 1)}, indent=1)
        results.replace_file(each.folder / FINISHED, content.encode())

    def _end(self, done: int, failed: Sequence[tuple[Training, str]]) -> int:
        """Say how it went, and what comes next."""
        where = Path(self.args.expdir)
        _say(f"{done} of {len(self.todo)} trainings are finished: {where}/CELL/seedN/{plan.LAST}")
        for each, reason in failed:
            _say(f"  failed, and tried again by the same command: {each.cell}, seed {each.seed}: {reason}")
        return int(bool(failed))


def _check(config: Config, training: Training, kind: Any) -> None:
    """Refuse a cell that could not be trained, before the first one is."""
    check: Callable[[Config], None] | None = getattr(kind, "check", None)
    sections = {name: content for name, content in training.config.items() if name != "units"}
    if check is None:
        return
    try:
        check(Config(config.path, sections, {}))
        if training.config.get("units") is not None:
            from s3prl_plugin.pretraining.data.units.request import from_config

            from_config(training.config["units"])
    except UserError as error:
        reason = str(error).removeprefix(f"{config.path}: ")
        raise config.error((plan.CELLS, training.cell), f"cell {training.cell}: {reason}") from None


def _refuse(args: argparse.Namespace) -> None:
    """Flags that would say something else than the cells do."""
    for given, flag, instead in (
        (args.past_exp, "-e", "a file with cells goes on by itself: give the same command again"),
        (args.config, "-c", "a file with cells has all sections itself"),
        (args.local_rank is not None, "torchrun", "cells are trained in processes of their own, one after another"),
    ):
        if given:
            raise UserError(f"{flag} does not go with `cells`: {instead}")


def _say(line: str) -> None:
    print(f"[cells] {line}", flush=True)
