"""The published MR-HuBERT checkpoints, as variants.yaml describes them; reading it needs neither torch nor s3prl."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from s3prl_plugin import download
from s3prl_plugin.config.plain_yaml import load_packaged
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.upstream.mr_hubert.network.config import Config

DESCRIPTION = Path(__file__).with_name("variants.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One published checkpoint; what is not known is None.

    Attributes:
        name: its entry.
        address: of fairseq's own file.
        mirror: of s3prl's converted copy.
        layers: per block in execution order.
        ratios: per step down, (up, down).
        dim, ffn_dim, heads: of every transformer layer.
        layer_norm_first: pre-LN.
        isolates: what distinguishes it, and from which other variant.
        data: of pre-training.
        unit_iteration: the HuBERT iteration that made its target units; 0 when no HuBERT did.
        licence: of the weights.
        sha256: of the file at `address`.
    """

    name: str
    address: str
    mirror: str | None = None
    layers: tuple[int, ...] | None
    ratios: tuple[tuple[int, int], ...] | None
    dim: int | None
    ffn_dim: int | None
    heads: int | None
    layer_norm_first: bool | None
    isolates: str
    data: str
    unit_iteration: int | None
    licence: str
    sha256: str | None = None

    def config(self) -> Config | None:
        """The network's sizes, as far as they decide its taps; None when the architecture is not known."""
        if None in (self.layers, self.ratios, self.dim, self.ffn_dim, self.heads, self.layer_norm_first):
            return None
        return Config(**{name: getattr(self, name) for name in _ARCHITECTURE})

    def checkpoint(self, *, refresh: bool = False) -> Path:
        """The checkpoint's file, downloaded unless it is in the cache; a mirror's copy that is there serves too.

        Args:
            refresh: download it again.

        Raises:
            UserError: it cannot be fetched, or is not what it was.
        """
        if (
            self.mirror
            and not download.cache_path(self.address).is_file()
            and download.cache_path(self.mirror).is_file()
        ):
            return download.fetch(self.mirror, refresh=refresh)
        return download.fetch(self.address, refresh=refresh, sha256=self.sha256)

    def differences(self, config: Config) -> list[str]:
        """What the description says otherwise than a checkpoint's own configuration, which decides.

        Args:
            config: of the checkpoint.
        """
        pairs = [(name, getattr(self, name), getattr(config, name)) for name in _ARCHITECTURE]
        return [f"{name} {said}, not {found}" for name, said, found in pairs if said is not None and said != found]


_ARCHITECTURE = ("layers", "ratios", "dim", "ffn_dim", "heads", "layer_norm_first")


def names() -> list[str]:
    """The entries of all variants, in the order of the description."""
    return list(_variants())


def variant(name: str) -> Variant:
    """The variant of an entry.

    Raises:
        UserError: there is none of that name.
    """
    if name not in _variants():
        raise UserError(f"no variant is called {name!r}: {did_you_mean(name, _variants())}")
    return _variants()[name]


def other_entries() -> dict[str, str]:
    """The entries that take a checkpoint of the user's, and what they are for."""
    return dict(_description()["entries"])


@cache
def _variants() -> dict[str, Variant]:
    """Every variant by name."""
    return {name: _read(name, said) for name, said in _description()["variants"].items()}


def _read(name: str, said: dict[str, Any]) -> Variant:
    """One variant, from what the file says of it."""
    unknown = set(said) - {field.name for field in fields(Variant)}
    if unknown:
        raise UserError(f"{DESCRIPTION}: {name}: unknown key {min(unknown)!r}; remove it")
    said = dict(said)
    if said["layers"] is not None:
        said["layers"] = tuple(said["layers"])
    if said["ratios"] is not None:
        said["ratios"] = tuple(zip(said["ratios"][::2], said["ratios"][1::2], strict=True))
    return Variant(name=name, **said)


@cache
def _description() -> dict[str, Any]:
    """variants.yaml, read once."""

    return load_packaged(DESCRIPTION)
