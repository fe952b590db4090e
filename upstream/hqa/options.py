"""The options of an HQA entry, from a file (`-g`) or from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states import given_options, pooling

CHOICES = ("sample", "most_probable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an upstream is to run.

    Attributes:
        choice: of codes: "sample" (of the posterior, as the model was trained; decided by the seed and the waveform),
            or "most_probable".
        native: every entry of `hidden_states` stays at its own frame rate, and `get_downsample_rates` gives a list.
        pool_to: `mean:40` or `decimate:40`: taps finer than so many milliseconds are brought down to them.
        random_weights: all parameters are random; the running moments of the inputs stay.
        seed: decides random weights, and the samples.

    Raises:
        UserError: an option has a value that it cannot have.
    """

    choice: str = "sample"
    native: bool = False
    pool_to: str | None = None
    random_weights: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.choice not in CHOICES:
            raise UserError(f"choice: {self.choice!r} is not possible; {did_you_mean(str(self.choice), CHOICES)}")
        for name in ("native", "random_weights"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name}: {getattr(self, name)!r} is neither true nor false")
        if type(self.seed) is not int or not 0 <= self.seed < 1 << 63:  # what torch takes
            raise UserError(f"seed: {self.seed!r} is no whole number from 0 to 2^63 - 1")
        if self.pool_to is not None:
            pooling.parse(self.pool_to)

    def changed(self) -> dict[str, Any]:
        """The options that differ from their defaults and can change a number."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}


def read(path: str | Path | None, given: Mapping[str, Any]) -> Options:
    """The options from a file, and from keyword arguments; see `given_options.read`."""
    return given_options.read(Options, "an HQA entry", path, given)
