"""The options of an HQA entry, from a file (`-g`) or from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from s3prl_plugin.config.schema import ConfigSection, Seed
from s3prl_plugin.states import given_options
from s3prl_plugin.states.pooling import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ConfigSection):
    """How an upstream is to run.

    Attributes:
        choice: of codes: "sample" (of the posterior, as the model was trained; decided by the seed and the waveform),
            or "most_probable".
        native: every entry of `hidden_states` stays at its own frame rate, and `get_downsample_rates` gives a list.
        pool_to: `mean:40` or `decimate:40`: taps finer than so many milliseconds are brought down to them.
        random_weights: all parameters are random; the running moments of the inputs stay.
        seed: decides random weights, and the samples.
    """

    choice: Literal["sample", "most_probable"] = "sample"
    native: bool = False
    pool_to: Wanted | None = None
    random_weights: bool = False
    seed: Seed = 0


def read(path: str | Path | None, given: Mapping[str, Any]) -> Options:
    """The options from a file, and from keyword arguments; see `given_options.read`."""
    return given_options.read(Options, "an HQA entry", path, given)
