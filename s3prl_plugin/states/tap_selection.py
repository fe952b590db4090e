"""Which taps of an upstream an analysis measures: by their names, or by `-s` and `-l` as a task would see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states.taps import States, Tap

if TYPE_CHECKING:
    import torch

ALL = "hidden_states"  # of s3prl: the key that is meant where `-s` is not given


def by_patterns(patterns: Sequence[str], taps: Sequence[Tap]) -> list[str]:
    """The names of the taps that patterns match, in the order of the network.

    Args:
        patterns: names, or patterns of a shell such as `dec0.*`.
        taps: of the upstream.

    Raises:
        UserError: one of them matches nothing.
    """
    names = [tap.name for tap in taps]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UserError(f"no tap matches {pattern!r}; {did_you_mean(pattern, names)}")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def by_flags(features: Mapping[str, Any], states: States, key: str, layer: int | None) -> list[str]:
    """The names of the taps that an entry of an upstream's result is made of.

    Args:
        features: what the upstream returned for some waveforms.
        states: of the same.
        key: `-s`.
        layer: `-l`; the only one of the entry's list that is meant.

    Raises:
        UserError: there is no such entry or layer, or it is no list of states.
    """
    found = features.get(key)
    if key not in features or key == "states":
        raise UserError(f"-s {key}: this upstream does not return it; {did_you_mean(key, set(features) - {'states'})}")
    observed = [tap.name for tap in states.taps if tap.role == "state"]
    if key in {tap.name for tap in states.taps}:
        names: list[str] | None = [key]
    elif key == ALL:
        names = observed
    else:
        entries = list(found.values()) if isinstance(found, Mapping) else found
        entries = list(entries) if isinstance(entries, list | tuple) else [entries]
        names = _recognised(entries, states)
    if names is None:
        raise UserError(f"-s {key}: it is not among the states that are analysed: {', '.join(observed)}")
    if layer is None:
        return names
    if len(names) == 1:
        raise UserError(f"-l {layer}: -s {key} is a single tap, {names[0]}; leave -l out")
    if not -len(names) <= layer < len(names):
        raise UserError(f"-l {layer}: -s {key} has {len(names)} layers; count them from 0")
    return [names[layer]]


def _recognised(entries: Sequence[Any], states: States) -> list[str] | None:
    """The tap that each entry holds the states of, to within frames at the end; None where one is of none of them."""
    names: list[str] = []
    for entry in entries:
        alike = [tap.name for tap, x in zip(states.taps, states.tensors, strict=True) if _same(entry, x)]
        left = [name for name in alike if name not in names]
        if not left:
            return None
        names.append(left[0])
    return names


def _same(entry: Any, tensor: torch.Tensor) -> bool:
    """Whether two (B, T, D) hold the same frames, but for some at the end of the longer one."""
    if not hasattr(entry, "dim") or entry.dim() != 3 or entry.shape[-1] != tensor.shape[-1]:
        return False
    frames = min(entry.shape[1], tensor.shape[1])
    return 2 * frames > max(entry.shape[1], tensor.shape[1]) and bool((entry[:, :frames] == tensor[:, :frames]).all())
