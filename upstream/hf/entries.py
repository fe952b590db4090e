"""What this package offers, for the registry (`registry.UpstreamPackage`); reading it imports no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s3prl_plugin.compat import hf_folder
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

WHAT = "any speech encoder of transformers: a folder or a name on the hub (-k FOLDER_OR_NAME, or -u hf:NAME)"


def names() -> list[str]:
    """The entries."""
    return ["hf"]


def entries(in_full: bool = False) -> dict[str, dict[str, Any]]:
    """What `ls upstreams` shows of each entry."""
    return {"hf": {"isolates": WHAT}}


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that no entry of this package has."""
    from s3prl_plugin.upstream.hf.options import read

    read(None, options)


def entry_for(checkpoint: Path) -> str | None:
    """The entry that reads a checkpoint; None where it is of another kind."""
    try:
        return "hf" if checkpoint.is_dir() and hf_folder.config_of(checkpoint, str(checkpoint)) else None
    except UserError:
        return None


def train_step(checkpoint: Path) -> int | None:
    """None: such a folder says no training step."""
    return None


def taps(entry: str, checkpoint: str | None, model_config: str | None) -> tuple[Tap, ...] | None:
    """None: the taps are learned from the model itself."""
    return None
