"""The plugin's own upstreams, by what the `entries.py` of each folder says; none of their networks is imported."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from s3prl_plugin.plugins.folders import folders
from s3prl_plugin.plugins.interfaces import UpstreamPackage

if TYPE_CHECKING:
    from s3prl_plugin.states.taps import Tap

_UPSTREAMS = "s3prl_plugin.upstream"


@cache
def packages() -> dict[str, UpstreamPackage]:
    """The plugin's own upstreams: name of the folder -> its module `entries`. None of their networks is imported."""
    names = sorted(path.parent.name for folder in folders(_UPSTREAMS) for path in folder.glob("*/entries.py"))
    return {name: cast(UpstreamPackage, importlib.import_module(f"{_UPSTREAMS}.{name}.entries")) for name in names}


@cache
def targets() -> dict[str, str]:
    """entry -> "module:function"."""
    return {
        entry: f"{_UPSTREAMS}.{name}.hubconf:{entry}"
        for name, package in packages().items()
        for entry in package.names()
    }


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Refuse options that one of the plugin's own upstreams does not have; loads no network.

    Args:
        name: the entry; of another's nothing is known, and nothing refused.
        options: name -> value.

    Raises:
        UserError: with the closest names, or the values that are possible.
    """
    package = _of(name)
    if package is not None:
        package.check_options(options)


def taps(name: str, checkpoint: str | None, model_config: str | None) -> tuple[Tap, ...] | None:
    """The taps of an entry where they are known without its network; else None.

    Raises:
        UserError: the checkpoint or the options cannot be read.
    """
    package = _of(name)
    return package.taps(name, checkpoint, model_config) if package else None


def entry_for(checkpoint: Path) -> str | None:
    """The entry that reads a checkpoint, where its content tells; None for any other kind of file.

    Args:
        checkpoint: a file, or a folder as transformers writes it.
    """
    from s3prl_plugin.compat import transformers

    if checkpoint.is_dir():
        known = transformers.entry_for(checkpoint)
        if known is not None:
            return known
    return next(filter(None, (package.entry_for(checkpoint) for package in packages().values())), None)


def train_step(checkpoint: Path) -> int | None:
    """The training step of a checkpoint that one of the plugin's own upstreams reads; None where it says none.

    Raises:
        UserError: it is damaged.
    """
    owner = next((package for package in packages().values() if package.entry_for(checkpoint)), None)
    return owner.train_step(checkpoint) if owner else None


def pretrainable() -> list[str]:
    """The upstreams that can be pre-trained here, sorted; loads none of them."""
    experts = (path for folder in folders(_UPSTREAMS) for path in folder.glob("*/pretrain/expert.py"))
    return sorted(path.parents[1].name for path in experts)


def pretrain_expert(name: str) -> ModuleType:
    """The module of an upstream that has its `UpstreamPretrainExpert`.

    Args:
        name: one of `pretrainable()`.
    """
    return importlib.import_module(f"{_UPSTREAMS}.{name}.pretrain.expert")


def _of(entry: str) -> UpstreamPackage | None:
    """Which of the upstreams an entry is of."""
    target = targets().get(entry, "")
    owned = (package for name, package in packages().items() if target.startswith(f"{_UPSTREAMS}.{name}.hubconf:"))
    return next(owned, None)
