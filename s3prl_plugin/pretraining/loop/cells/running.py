"""Runs the trainings of a file with cells, one after another; what is finished is not run again."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from s3prl_plugin import config as configuration
from s3prl_plugin import own_upstreams, results
from s3prl_plugin.config import Config, schema
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs import process
from s3prl_plugin.jobs.engine import Engine, Job
from s3prl_plugin.jobs.mark import Mark
from s3prl_plugin.pretraining.loop import states
from s3prl_plugin.pretraining.loop.cells import plan
from s3prl_plugin.pretraining.loop.cells.plan import CellTraining
from s3prl_plugin.pretraining.loop.experiment import with_units
from s3prl_plugin.pretraining.loop.journal import LAST

FILE_NAME = "pretrain.yaml"
UNITS = "units"


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
    module = own_upstreams.pretrain_expert(args.upstream)
    todo = plan.trainings(config, Path(args.expdir), module.UpstreamPretrainExpert.SECTIONS)
    for training in todo:
        _check(config, training, module.UpstreamPretrainExpert)
    engine = Engine("cells")
    seeds = len({training.seed for training in todo})
    counts = f"{len(todo)} trainings: {len(todo) // seeds} cells, {seeds} seeds"
    status = engine.run([_job(args, training) for training in todo], said=counts)
    print(engine.summary(f"results: {args.expdir}/CELL/seedN/{LAST}"), flush=True)
    return status


def _job(args: argparse.Namespace, training: CellTraining) -> Job:
    """A training as the engine has it."""
    given = [(training.config.get(section) or {}).get("checkpoint") for section in plan.REFERRING]
    files = [path for path in given if path and not str(path).startswith(plan.REFERENCE)]
    decisive = {"config": training.config, "seed": training.seed, "first": training.first}
    mark = Mark(training.checkpoint, decisive, files)
    return Job(
        name=f"{training.cell}, seed {training.seed}",
        run=partial(_train, args, training),
        finished_s=mark.seconds(),
        finish=mark.write,
        folder=training.folder,
    )


def _train(args: argparse.Namespace, training: CellTraining) -> None:
    """One training, in a process of its own."""
    path, seed = training.folder / FILE_NAME, training.seed
    for cell in training.first:
        if not _checkpoint(args, cell, seed).is_file():
            raise UserError(f"{cell} with seed {seed}, from which it begins, is not there")
    chosen = yaml.safe_dump(_resolved(args, training), sort_keys=False).encode()
    if states.in_folder(training.folder) and path.is_file() and path.read_bytes() != chosen:
        # The file stays: it says what the states and checkpoints beside it were trained with.
        raise UserError(
            f"{path}: what was trained here has other values than {args.upstream_config} now; move {training.folder} "
            "away to train it anew, or choose another folder (-p)"
        )
    results.replace_file(path, chosen)
    flags = ["-u", args.upstream, "-g", str(path), "-p", str(training.folder), "-a", "--seed", str(seed)]
    process.run([*flags, "--device", str(args.device)], training.folder, "run_pretrain")


def _resolved(args: argparse.Namespace, training: CellTraining) -> dict[str, Any]:
    """The configuration with other cells' checkpoints and with units that are there."""
    changes: dict[str, Any] = {
        section: {"checkpoint": str(_checkpoint(args, cell, training.seed).resolve())}
        for section, cell in plan.references(training.config)
    }
    config = plan.merged(training.config, changes)
    request = config.pop("units", None)
    return config if request is None else with_units(config, request, Path(args.expdir) / UNITS, args.device)


def _checkpoint(args: argparse.Namespace, cell: str, seed: int) -> Path:
    """What a cell becomes, also of one that is not wanted now."""
    return Path(args.expdir) / cell / f"seed{seed}" / LAST


def _check(config: Config, training: CellTraining, kind: Any) -> None:
    """Refuse a cell that could not be trained, before the first one is."""
    check: Callable[[Config], None] | None = getattr(kind, "check", None)
    sections = {name: content for name, content in training.config.items() if name != "units"}
    if check is None:
        return
    try:
        check(Config(config.path, sections, {}))
        if training.config.get("units") is not None:
            from s3prl_plugin.pretraining.data.units.request import Request

            schema.read(configuration.given(training.config), ("units",), Request)
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
