"""The options of the entry `hf`, from a file (`-g`) or from keyword arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from s3prl_plugin.config.schema import ConfigSection, Seed, Text, Whole
from s3prl_plugin.states import given_options
from s3prl_plugin.states.pooling import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(ConfigSection):
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
    """

    layers: Text | Sequence[Text] | None = None
    longer: Literal["refuse", "cut"] = "refuse"
    native: bool = False
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    stop_at: str | None = None
    freeze_to: str | None = None
    pool_to: Wanted | None = None
    reset_top: Whole = 0
    random_weights: bool = False
    seed: Seed = 0

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of `layers`."""
        return tuple(self.layers.split("+")) if isinstance(self.layers, str) else tuple(self.layers or ())

    def changed(self) -> dict[str, Any]:
        """The options that differ from their defaults and can change a number."""
        return ConfigSection.changed(self) | ({"layers": "+".join(self.paths)} if self.paths else {})


def read(path: str | Path | None, given: Mapping[str, Any]) -> Options:
    """The options from a file, and from keyword arguments; see `given_options.read`."""
    return given_options.read(Options, "the entry hf", path, given)
