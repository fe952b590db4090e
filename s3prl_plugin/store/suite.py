"""The feature store of a suite: one for its upstream, in front of which it stands in one task after another."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from s3prl_plugin import registry
from s3prl_plugin.plugins import plugin_flag
from s3prl_plugin.states import provenance
from s3prl_plugin.store.kept import Kept, StoreCounts
from s3prl_plugin.store.options import Options
from s3prl_plugin.store.parts import parts_of
from s3prl_plugin.store.repeats import Repeats
from s3prl_plugin.store.shards import Shards, gigabytes
from s3prl_plugin.store.upstream import StoredUpstream

FOLDER = "store"  # in the experiment's folder, unless the options name another
# What an option of this plugin's upstreams cannot change: the features of a tap that is there.
_WITHOUT_EFFECT = ("stop_at", "freeze_to", "native", "feature_grad_mult")


class TaskStore:
    """What a task's runners need of a suite's store.

    Args:
        kept: the suite's.
        crop_samples: the length of the task's random crops; None where it makes none of a fixed length.
        train_split: what the task calls its training split.
        layer_by_layer: the task is run on one layer after another; all are computed with the first of them.
    """

    def __init__(
        self,
        kept: Kept,
        crop_samples: int | None = None,
        train_split: str = "train",
        *,
        layer_by_layer: bool = False,
    ):
        self._kept = kept
        self._layer_by_layer = layer_by_layer
        self._repeats = Repeats(crop_samples)
        self._train_split = train_split

    def in_front_of(self, upstream: torch.nn.Module, args: argparse.Namespace) -> torch.nn.Module:
        """What a task is given in place of the upstream: one that reads the entry that the task uses.

        Args:
            upstream: the suite's.
            args: the task's arguments; `-s` and `-l` say which entry it uses.

        Returns:
            The upstream itself where it has no such entry: the featurizer will say so.
        """
        key, layer = args.upstream_feature_selection, args.upstream_layer_selection
        parts = parts_of(upstream, key, layer, args.device)
        computed = parts_of(upstream, key, None, args.device) if self._layer_by_layer else parts
        if parts is None or computed is None:
            return upstream
        return StoredUpstream(upstream, parts, self._kept, self._repeats, self._train_split, computed)


class SuiteStore:
    """What a suite's runner needs of a store.

    Args:
        options: how features are kept.
        upstream: the frozen upstream.
        args: the run's arguments.

    Attributes:
        dtype: in which features are kept, and tasks see them.
        checks: whether tasks are to be scored on fresh features, too.

    Raises:
        UserError: the folder cannot be used.
    """

    def __init__(self, options: Options, upstream: torch.nn.Module, args: argparse.Namespace):
        root = Path(options.folder or Path(args.expdir) / FOLDER)
        budget = None if options.budget_gb is None else round(options.budget_gb * 1e9)
        decisive = {**identity(upstream, args), "dtype": options.dtype}
        self.dtype = options.dtype
        self.checks = options.check
        self._tasks: dict[str, TaskStore] = {}
        self._kept = Kept(Shards(root, args.upstream, decisive, budget), getattr(torch, options.dtype), budget)

    def for_task(self, name: str, *about: Any, **more: Any) -> TaskStore:
        """The store of a task, the same for all its runners.

        Args:
            name: the task's.
            about, more: see `TaskStore`.
        """
        if name not in self._tasks:
            self._tasks[name] = TaskStore(self._kept, *about, **more)
        return self._tasks[name]

    def end_task(self, name: str) -> str:
        """Write what is left in memory, and tell what the store did for a task."""
        self._kept.flush()
        self._tasks.pop(name, None)
        counts, self._kept.counts = self._kept.counts, StoreCounts()
        return f"{summary(counts)}; the store takes {gigabytes(self._kept.shards.used_bytes())}"


def summary(counts: StoreCounts) -> str:
    """What a store did, in a line."""
    computed = counts.kept + counts.crops + counts.no_room
    return (
        f"features of {counts.read} utterances read and of {computed} computed ({counts.kept} kept, {counts.crops} "
        f"random crops, {counts.no_room} without room), {gigabytes(counts.written_bytes)} written"
    )


def identity(upstream: torch.nn.Module, args: argparse.Namespace) -> dict[str, Any]:
    """Whatever decides an upstream's features: its weights and options, and the programs that compute them."""
    found = provenance.identity(upstream, args.upstream, args.upstream_ckpt, args.upstream_model_config)
    options = found["options"]
    if isinstance(options, dict):
        found["options"] = {name: value for name, value in options.items() if name not in _WITHOUT_EFFECT}
    versions = {name: _version(name) for name in ("s3prl_plugin", "s3prl", "torch", "transformers")}
    return {**found, "versions": {**versions, **plugin_flag.versions(), **registry.origin("upstream", args.upstream)}}


def _version(package: str) -> str | None:
    """The version of a package; None for one that is not installed."""
    try:
        return provenance.versions().get(package) or version(package)
    except PackageNotFoundError:
        return None
