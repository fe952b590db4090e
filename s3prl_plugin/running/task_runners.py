"""The runners of a suite's tasks, which share the suite's upstream and its store."""

from __future__ import annotations

import argparse
import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from s3prl_plugin import config, ranks, superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.running.fine_tuning import STORE
from s3prl_plugin.states import provenance
from s3prl_plugin.store import options as store_options
from s3prl_plugin.store.suite import SuiteStore
from s3prl_plugin.superb import rates

if TYPE_CHECKING:
    from s3prl_plugin.running.progress import Progress
    from s3prl_plugin.running.runner import Runner


class TaskRunners:
    """Gives the runners of a suite's tasks.

    Args:
        runner: of the suite.
        progress: is told which part of a task runs.
    """

    def __init__(self, runner: Runner, progress: Progress):
        self.progress = progress
        self._runner = runner
        self._args = runner.args

    def task_runner(
        self,
        task: superb.Task,
        settings: dict[str, Any],
        folder: Path,
        checkpoint: Path | None = None,
        layer: int | None = None,
        stored: bool = True,
    ) -> Runner:
        """A runner for one task that shares the suite's upstream (a fine-tuned one is loaded anew).

        Args:
            task: what is run.
            settings: its configuration.
            folder: where it leaves its checkpoints and files.
            checkpoint: of its own, to go on from or to be scored.
            layer: the only one it is to see, in place of what `-l` says.
            stored: whether it may take features from the suite's store.
        """
        args = argparse.Namespace(**vars(self._args))
        args.downstream = task.downstream
        args.downstream_variant = None
        args.expdir = str(folder)
        args.init_ckpt = str(checkpoint) if checkpoint else None
        if layer is not None:
            args.upstream_layer_selection = layer
        shared = None if args.upstream_trainable else (self._runner.upstream, self._runner.after_upstream)
        store = None
        if stored and self.features is not None:
            train_split = settings["runner"].get("train_dataloader", "train")
            layer_by_layer = layer is not None and self._args.upstream_layer_selection is None
            store = self.features.for_task(
                task.name, task.crop_samples(settings), train_split, layer_by_layer=layer_by_layer
            )
        return type(self._runner)(args, copy.deepcopy(settings), shared, store)

    @property
    def checks_store(self) -> bool:
        """Whether what was scored on features from a store is to be scored on fresh ones, too."""
        return self.features is not None and self.features.checks

    @cached_property
    def features(self) -> SuiteStore | None:
        """The suite's store; None where it has none.

        Raises:
            UserError: it is not available, or not as the suite says.
        """
        options = store_options.read(config.given(self._runner.config))
        if not options.enabled:
            return None
        if self._args.upstream_trainable:
            raise UserError(STORE)
        return SuiteStore(options, self._runner.upstream.model, self._args)

    def check_rate(self, task: superb.Task, settings: dict[str, Any]) -> list[str]:
        """Refuse a task that cannot be run at the frame rate of its features; else what is different at that rate.

        Raises:
            UserError: it cannot, or the features have several rates.
        """
        return rates.check(task, settings, self._stride)

    @cached_property
    def _stride(self) -> float:
        """Samples from one frame of the features to the next."""
        return rates.stride(self._runner.upstream.model, self._args.upstream_feature_selection)

    def layers(self) -> list[int]:
        """The layers of `-s` that a task may be run on, one by one; the one of `-l` where that is given."""
        if self._args.upstream_layer_selection is not None:
            return [self._args.upstream_layer_selection]
        with torch.no_grad():
            states = self._runner.upstream.model([torch.randn(16000, device=self._args.device)])
        found = states[self._args.upstream_feature_selection]
        return [0] if isinstance(found, torch.Tensor) else list(range(len(found)))

    def what_decides_a_score(self) -> dict[str, Any]:
        """What decides a task's score besides its settings."""
        args = self._args
        model = self._runner.upstream.model
        return {
            "upstream": provenance.identity(model, args.upstream, args.upstream_ckpt, args.upstream_model_config),
            "trainable": args.upstream_trainable,
            "features": [args.upstream_feature_selection, args.upstream_layer_selection],
            "normalize": args.upstream_feature_normalize,
            "seed": args.seed,
            "store": None if self.features is None else self.features.dtype,
            **({"number of processes": ranks.count()} if ranks.count() > 1 else {}),  # each adds its batch to a step
        }
