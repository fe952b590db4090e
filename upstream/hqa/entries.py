"""What this package offers, for the registry (`plugins.interfaces.UpstreamPackage`); reading it imports no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s3prl_plugin.states.taps import Tap

ENTRIES = {
    "hqa_local": "a hierarchy of quantised autoencoders, a checkpoint of `run_pretrain -u hqa` (-k FILE)",
    "hqa_tiny": "a small one that comes with this package, trained on generated speech: for trying the software",
}


def names() -> list[str]:
    """The entries."""
    return list(ENTRIES)


def entries(in_full: bool = False) -> dict[str, dict[str, Any]]:
    """What `ls upstreams` shows of each entry."""
    return {name: {"isolates": what} for name, what in ENTRIES.items()}


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that no entry of this package has."""
    from s3prl_plugin.upstream.hqa.options import read

    read(None, options)


def entry_for(checkpoint: Path) -> str | None:
    """The entry that reads a checkpoint; None where it is of another kind."""
    from s3prl_plugin.upstream.hqa.checkpoint import load

    return "hqa_local" if checkpoint.is_file() and load.is_one(checkpoint) else None


def train_step(checkpoint: Path) -> int | None:
    """The training step that a checkpoint of this package says."""
    from s3prl_plugin.upstream.hqa.checkpoint import load

    return load.train_step(checkpoint)


def taps(entry: str, checkpoint: str | None, model_config: str | None) -> tuple[Tap, ...] | None:
    """None: the taps are learned from the model itself."""
    return None
