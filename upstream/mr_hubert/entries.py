"""What this package offers, for the registry (`plugins.interfaces.UpstreamPackage`); reading it imports no network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s3prl_plugin.states.taps import Tap
from s3prl_plugin.upstream.mr_hubert import packaged, variants
from s3prl_plugin.upstream.mr_hubert.variants import Variant


def names() -> list[str]:
    """The entries."""
    return [*variants.names(), *packaged.names(), *variants.other_entries()]


def entries(in_full: bool = False) -> dict[str, dict[str, Any]]:
    """What `ls upstreams` shows of each entry: published variants, packaged models, readers of the user's checkpoints.

    Args:
        in_full: with all that is known of a published variant.
    """
    found = {name: _variant(variants.variant(name), in_full) for name in variants.names()}
    found |= {name: _card(packaged.card(name)) for name in packaged.names()}
    return found | {name: {"isolates": what} for name, what in variants.other_entries().items()}


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that no entry of this package has."""
    from s3prl_plugin.upstream.mr_hubert.options import read

    read(None, options)


def entry_for(checkpoint: Path) -> str | None:
    """The entry that reads a checkpoint; None where it is of another kind."""
    from s3prl_plugin.upstream.mr_hubert.checkpoint import load

    return load.entry_for(checkpoint) if checkpoint.is_file() or load.is_folder(checkpoint) else None


def train_step(checkpoint: Path) -> int | None:
    """The training step that a checkpoint of this package says."""
    from s3prl_plugin.upstream.mr_hubert.checkpoint import load

    return load.train_step(checkpoint)


def taps(entry: str, checkpoint: str | None, model_config: str | None) -> tuple[Tap, ...] | None:
    """The taps that follow from the architecture behind an entry; no network is built."""
    from s3prl_plugin.upstream.mr_hubert import architecture

    if entry == "hubert_any" and checkpoint is not None and "://" not in checkpoint:
        from s3prl_plugin.upstream.mr_hubert.checkpoint import any_format

        if any_format.entry_of(checkpoint) == any_format.FOLDERS:
            return None  # they are learned from the model itself
    return tuple(architecture.taps(entry, checkpoint, model_config))


def _variant(variant: Variant, in_full: bool) -> dict[str, Any]:
    """A published variant in a line, or all that is known of it."""
    config = variant.config()
    rates = {tap.block: tap.resolution_ms for tap in config.taps() if tap.block} if config else {}
    unknown = None if in_full else "?"
    shown: dict[str, Any] = {
        "layers": "-".join(map(str, config.layers)) if config else unknown,
        "ms": "-".join(f"{rate:g}" for rate in rates.values()) or unknown,
        "dim": variant.dim or unknown,
        "isolates": variant.isolates,
        "data": variant.data,
    }
    if in_full:
        shown |= {
            "blocks": config and list(rates),
            "unit_iteration": variant.unit_iteration,
            "licence": variant.licence,
            "address": variant.address,
            "mirror": variant.mirror,
            "sha256": variant.sha256,
        }
    return shown


def _card(card: Mapping[str, Any]) -> dict[str, Any]:
    """A small model that comes with the package."""
    return {key: card[key] for key in ("layers", "ms", "dim", "isolates", "data")}
