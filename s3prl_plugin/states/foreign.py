"""Options of this plugin for upstreams that are not its own, by `-g`: the resolution-matched grid, random weights.

They stand alone; any others are for the upstream itself to read. Of s3prl's own upstreams, those of this plugin's are
refused; one of another package may use the same names for what it likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml

from s3prl_plugin import config, own_upstreams, registry
from s3prl_plugin.config import schema
from s3prl_plugin.config.schema import ConfigSection, Seed, names
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import entry_arguments, pooling, untrained
from s3prl_plugin.states.featurizer import StatesFeaturizer
from s3prl_plugin.states.pooling import Pooling, Wanted
from s3prl_plugin.strides import stride_number


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignOptions(ConfigSection):
    """What any upstream can have, as far as its strides and its architecture allow.

    Attributes:
        pool_to: `mean:40` or `decimate:40`: taps finer than so many milliseconds are brought down to them.
        random_weights: all parameters are random.
        seed: decides them.
    """

    pool_to: Wanted | None = None
    random_weights: bool = False
    seed: Seed = 0


FOREIGN_OPTIONS = tuple(names(ForeignOptions))
# The options that this plugin's upstreams read from `-g`; another one would silently run without them.
OWN_OPTIONS = frozenset(
    {
        "exact_batches",
        "native",
        "dtype",
        "stop_at",
        "freeze_to",
        "feature_grad_mult",
        "reset_top",
        "choice",
        "layers",
        "longer",
        *FOREIGN_OPTIONS,
    }
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of an upstream that is not this plugin's.

    Attributes:
        grid: the frame rate to come down to; None for its own.
        random_seed: of random weights; None for those of its checkpoint.
    """

    grid: Pooling | None = None
    random_seed: int | None = None

    @contextmanager
    def loading(self, upstream: str) -> Iterator[None]:
        """Inside the block the upstream is loaded with the weights that are asked for."""
        if self.random_seed is None:
            yield
        else:
            with untrained.random_weights(upstream, self.random_seed):
                yield

    def applied(self, model: torch.nn.Module, device: str | torch.device = "cpu") -> torch.nn.Module:
        """The upstream as it is asked for.

        Args:
            model: the upstream, loaded inside `loading`.
            device: where it lives.

        Raises:
            UserError: its strides do not fit the grid.
        """
        if self.random_seed is not None:
            options = {"random_weights": True, **({"seed": self.random_seed} if self.random_seed else {})}
            model.describe = partial(dict, weights="random", train_step=0, options=options)  # type: ignore[assignment]
        return model if self.grid is None else PooledUpstream(model, self.grid, device)


def requested(upstream: str, model_config: str | Path | None) -> Asked | None:
    """What a file given by `-g` asks of an upstream that is not this plugin's.

    Args:
        upstream: the entry.
        model_config: the file, if there is one.

    Returns:
        None when nothing is asked, or the file is for the upstream itself to read.

    Raises:
        UserError: as `asked_of`, naming the file.
    """
    if model_config is None:
        return None
    try:
        options = yaml.safe_load(Path(model_config).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        options = None  # whatever it is, the upstream must say what is wrong with it
    try:
        if not isinstance(options, dict):
            _check_is_read(upstream)
            return None
        return asked_of(upstream, options)
    except UserError as error:
        raise UserError(f"{model_config}: {error}") from None


def asked_of(upstream: str, options: Mapping[str, Any]) -> Asked | None:
    """What options ask of an upstream that is not this plugin's.

    Args:
        upstream: the entry.
        options: name -> value.

    Returns:
        None when nothing is asked, or the options are for the upstream itself to read.

    Raises:
        UserError: an option that only this plugin's upstreams have, a value that is not possible, options of ours
            beside those of the upstream, options of an upstream that reads none, or random weights of an architecture
            whose initialisation is not known.
    """
    if not options or registry.is_own(upstream):
        return None
    if registry.is_of_another(upstream):  # whose options are its own, whatever they are called
        is_ours = set(options) <= set(FOREIGN_OPTIONS) and not set(options) <= {"seed"}
    else:
        is_ours = set(options) <= OWN_OPTIONS
    if not is_ours:
        mixed = [name for name in ("pool_to", "random_weights") if name in options]
        if mixed:
            raise UserError(f"{mixed[0]} must stand alone, for {upstream} would read all the options as its own")
        _check_is_read(upstream)
        return None
    other = sorted(set(options) - set(FOREIGN_OPTIONS))
    if other:
        can = ", ".join(FOREIGN_OPTIONS)
        raise UserError(f"{upstream} has no option {other[0]!r}; of this plugin's it can have {can} only")
    said = ForeignOptions(**options)
    if said.random_weights:
        untrained.check(upstream)
    grid = pooling.parse(said.pool_to) if said.pool_to is not None else None
    return Asked(grid, said.seed if said.random_weights else None)


def check_options(upstream: str, options: Mapping[str, Any]) -> None:
    """Refuse options that an upstream, the plugin's own or another, could not have; loads no network.

    Raises:
        UserError: with the closest names, or the values that are possible.
    """
    own_upstreams.check_options(upstream, options)
    asked_of(upstream, options)


def check_file(upstream: str, path: str | Path) -> None:
    """Refuse a file given by `-g` with options that an upstream could not have.

    Raises:
        UserError: with file and line.
    """
    file = config.read(path)
    try:
        check_options(upstream, file.data)
    except UserError as error:
        raise schema.placed(file, (), str(error)) from None


def _check_is_read(upstream: str) -> None:
    """Refuse options that an entry of s3prl's would leave unread; others refuse them themselves."""
    if upstream in registry.upstreams() or upstream not in registry.upstream_names():
        return
    if entry_arguments.uses(upstream).model_config is False:
        others = entry_arguments.readers(upstream, "model_config")
        who = f"; {', '.join(others)} can" if others else ""
        can = ", ".join(FOREIGN_OPTIONS)
        raise UserError(f"{upstream} reads no options of its own{who} (of this plugin's, it can have {can})")


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
        together = self.training or torch.is_grad_enabled()  # as s3prl trains, with padding
        states = self.featurizer(wavs, self.upstream(wavs)) if together else self.featurizer.of(self.upstream, wavs)
        states = pooling.pool(states, self.grid)
        hidden = list(states.tensors)
        return {"hidden_states": hidden, "last_hidden_state": hidden[-1], "states": states}

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The upstream's own, since the checkpoint of a fine-tuned one is loaded before the grid is put over it."""
        return getattr(self.upstream, "module", self.upstream).state_dict(*args, **kwargs)  # of DistributedDataParallel

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """The counterpart."""
        return getattr(self.upstream, "module", self.upstream).load_state_dict(*args, **kwargs)

    def get_downsample_rates(self, key: str = "hidden_states") -> float | list[float]:
        """Samples from one frame to the next; a list where they differ between layers."""
        strides = [stride_number(tap.stride) for tap in self.taps]
        if key == "last_hidden_state":
            return strides[-1]
        return strides[0] if len(set(strides)) == 1 else strides

    def describe(self) -> dict[str, Any]:
        """The option, for the results row."""
        described: dict[str, Any] = getattr(self.upstream, "describe", dict)()
        return {**described, "options": {**(described.get("options") or {}), "pool_to": str(self.grid)}}
