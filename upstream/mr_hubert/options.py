"""The options of an MR-HuBERT entry, from a file (`-g`) or from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from s3prl_plugin.config.schema import ConfigSection, Number, Seed, Whole
from s3prl_plugin.states import given_options
from s3prl_plugin.states.pooling import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ConfigSection):
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
    """

    exact_batches: bool = True
    native: bool = False
    dtype: Literal["float32", "bfloat16"] = "float32"
    stop_at: str | None = None
    freeze_to: str | None = None
    pool_to: Wanted | None = None
    feature_grad_mult: Number | None = None
    reset_top: Whole = 0
    random_weights: bool = False
    seed: Seed = 0


def read(path: str | Path | None, given: Mapping[str, Any]) -> Options:
    """The options from a file, and from keyword arguments; see `given_options.read`."""
    return given_options.read(Options, "an MR-HuBERT entry", path, given)
