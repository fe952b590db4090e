"""Options of this plugin for upstreams that are not its own: the resolution-matched grid, by `-g`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from s3prl_plugin import pooling, registry
from s3prl_plugin.errors import UserError
from s3prl_plugin.featurizer import StatesFeaturizer
from s3prl_plugin.pooling import Pooling

OPTION = "pool_to"
# The options that this plugin's upstreams read from `-g`; another one would silently run without them.
OWN_OPTIONS = frozenset(
    {"exact_batches", "native", "dtype", "stop_at", OPTION, "feature_grad_mult", "reset_top", "random_weights", "seed"}
)


def requested_pooling(upstream: str, model_config: str | Path | None) -> Pooling | None:
    """The grid that a file given by `-g` asks of an upstream that is not this plugin's.

    Args:
        upstream: the entry.
        model_config: the file, if there is one.

    Returns:
        None when nothing is asked, or the file is for the upstream itself to read.

    Raises:
        UserError: the file asks for an option that only this plugin's upstreams have, or mixes `pool_to` with the
            upstream's own.
    """
    if model_config is None or registry.upstreams().get(upstream, "").startswith("s3prl_plugin."):
        return None
    try:
        asked = yaml.safe_load(Path(model_config).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None  # whatever it is, the upstream must say what is wrong with it
    if not isinstance(asked, dict) or not asked:
        return None
    if set(asked) == {OPTION}:
        return pooling.parse(asked[OPTION])
    if set(asked) <= OWN_OPTIONS:
        other = min(set(asked) - {OPTION})
        raise UserError(
            f"{model_config}: {upstream} has no option {other!r}; of this plugin's it can have {OPTION} only"
        )
    if OPTION in asked:
        raise UserError(
            f"{model_config}: {OPTION} must stand alone, for {upstream} would read the whole file as its own"
        )
    return None


class PooledUpstream(torch.nn.Module):
    """An upstream brought down to a grid: for heads, and with States for analyses.

    Args:
        upstream: any upstream of s3prl's hub.
        grid: the frame rate to come down to.
        device: where the upstream lives.

    Raises:
        UserError: the upstream's strides are unknown, or do not divide the grid's.
    """

    def __init__(self, upstream: torch.nn.Module, grid: Pooling, device: str | torch.device = "cpu"):
        super().__init__()
        self.upstream = upstream
        self.grid = grid
        self.featurizer = StatesFeaturizer(upstream, device)
        self.taps = pooling.pool_taps(self.featurizer.taps, grid)

    def forward(self, wavs: Sequence[torch.Tensor]) -> dict[str, Any]:
        """The upstream's states on the grid.

        Args:
            wavs: per utterance, (L,) samples.

        Returns:
            hidden_states: list of (B, T, D); last_hidden_state: the last of them; states: `States`.
        """
        states = pooling.pool(self.featurizer(wavs, self.upstream(wavs)), self.grid)
        hidden = list(states.tensors)
        return {"hidden_states": hidden, "last_hidden_state": hidden[-1], "states": states}

    def get_downsample_rates(self, key: str = "hidden_states") -> int | list[int]:
        """Samples from one frame to the next; a list where they differ between layers."""
        strides = [tap.stride for tap in self.taps]
        if key == "last_hidden_state":
            return strides[-1]
        return strides[0] if len(set(strides)) == 1 else strides

    def describe(self) -> dict[str, Any]:
        """The option, for the results row."""
        described: dict[str, Any] = getattr(self.upstream, "describe", dict)()
        return {**described, "options": {**(described.get("options") or {}), OPTION: str(self.grid)}}
