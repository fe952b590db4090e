"""The options of an MR-HuBERT entry, from a file (`-g`) or from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states import given_options, pooling

DTYPES = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an upstream is to run.

    Attributes:
        exact_batches: an utterance gives the same in any batch; False reproduces fairseq's padded batches.
        native: every entry of `hidden_states` stays at its own frame rate, and `get_downsample_rates` gives a list.
        dtype: what the network computes in, "float32" or "bfloat16"; states are returned in float32.
        stop_at: a tap; whatever is above it is gone: not computed, not trained, not in memory.
        freeze_to: a tap; in fine-tuning (`-f`), everything up to and including it stays as it is: no gradients, no
            dropout, no dropped layers.
        pool_to: `mean:40` or `decimate:40`: taps finer than so many milliseconds are brought down to them.
        feature_grad_mult: scales the front end's gradient in fine-tuning; 0 freezes it, None leaves the checkpoint's.
        reset_top: so many last transformer layers of those that are left, in execution order, get random weights.
        random_weights: the whole network does.
        seed: decides these random weights.

    Raises:
        UserError: an option has a value that it cannot have.
    """

    exact_batches: bool = True
    native: bool = False
    dtype: str = "float32"
    stop_at: str | None = None
    freeze_to: str | None = None
    pool_to: str | None = None
    feature_grad_mult: float | None = None
    reset_top: int = 0
    random_weights: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("exact_batches", "native", "random_weights"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name}: {getattr(self, name)!r} is neither true nor false")
        for name in ("reset_top", "seed"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value < 1 << 63:  # what torch takes as a seed
                raise UserError(f"{name}: {value!r} is no whole number from 0 to 2^63 - 1")
        if self.dtype not in DTYPES:
            raise UserError(f"dtype: {self.dtype!r} is not possible; {did_you_mean(str(self.dtype), DTYPES)}")
        for name in ("stop_at", "freeze_to"):
            if not isinstance(getattr(self, name), str | None):
                raise UserError(f"{name}: {getattr(self, name)!r} is no tap's name")
        scale = self.feature_grad_mult
        if scale is not None and (type(scale) not in (int, float) or scale < 0):
            raise UserError(f"feature_grad_mult: {scale!r} is no number from 0 on")
        if self.pool_to is not None:
            pooling.parse(self.pool_to)

    def changed(self) -> dict[str, Any]:
        """The options that differ from their defaults and can change a number."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def read(path: str | Path | None, given: Mapping[str, Any]) -> Options:
    """The options from a file, and from keyword arguments; see `given_options.read`."""
    return given_options.read(Options, "an MR-HuBERT entry", path, given)
