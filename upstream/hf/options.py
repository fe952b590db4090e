"""The options of the entry `hf`, from a file (`-g`) or from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states import given_options, pooling

DTYPES = ("float32", "bfloat16", "float16")
LONGER = ("refuse", "cut")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an upstream is to run.

    Attributes:
        layers: where the taps are: the path of a list of modules in the network, or several; `*` stands for any part
            between dots, and `+` between several paths. None for those of the model's family.
        longer: of models that hear a window of fixed length (Whisper: 30 s): "refuse" longer audio, or "cut" it into
            windows, each heard by itself.
        native: every entry of `hidden_states` stays at its own frame rate, and `get_downsample_rates` gives a list.
        dtype: what the network computes in, whatever its file holds; states are returned in float32.
        stop_at: a tap; whatever is above it is not computed, and the layers above it are gone.
        freeze_to: a tap; in fine-tuning (`-f`), everything up to and including it stays as it is.
        pool_to: `mean:40` or `decimate:40`: taps finer than so many milliseconds are brought down to them.
        reset_top: so many last layers of those that are left get the random weights of the model's initialisation.
        random_weights: the whole network does.
        seed: decides these random weights.

    Raises:
        UserError: an option has a value that it cannot have.
    """

    layers: str | tuple[str, ...] | None = None
    longer: str = "refuse"
    native: bool = False
    dtype: str = "float32"
    stop_at: str | None = None
    freeze_to: str | None = None
    pool_to: str | None = None
    reset_top: int = 0
    random_weights: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.layers, list):  # as YAML has it
            object.__setattr__(self, "layers", tuple(self.layers))
        if not isinstance(self.layers, str | tuple | None) or not all(isinstance(p, str) and p for p in self.paths):
            raise UserError(f"layers: {self.layers!r} is no path of modules such as encoder.layers, nor a list of them")
        for name in ("native", "random_weights"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name}: {getattr(self, name)!r} is neither true nor false")
        for name in ("reset_top", "seed"):
            value = getattr(self, name)
            if type(value) is not int or not 0 <= value < 1 << 63:  # what torch takes as a seed
                raise UserError(f"{name}: {value!r} is no whole number from 0 to 2^63 - 1")
        for name, possible in (("dtype", DTYPES), ("longer", LONGER)):
            value = getattr(self, name)
            if value not in possible:
                raise UserError(f"{name}: {value!r} is not possible; {did_you_mean(str(value), possible)}")
        for name in ("stop_at", "freeze_to"):
            if not isinstance(getattr(self, name), str | None):
                raise UserError(f"{name}: {getattr(self, name)!r} is no tap's name")
        if self.pool_to is not None:
            pooling.parse(self.pool_to)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of `layers`."""
        return tuple(self.layers.split("+")) if isinstance(self.layers, str) else tuple(self.layers or ())

    def changed(self) -> dict[str, Any]:
        """The options that differ from their defaults and can change a number."""
        found = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return found | ({"layers": "+".join(self.paths)} if self.paths else {})


def read(path: str | Path | None, given: Mapping[str, Any]) -> Options:
    """The options from a file, and from keyword arguments; see `given_options.read`."""
    return given_options.read(Options, "the entry hf", path, given)
