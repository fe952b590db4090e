"""Where the taps of a network are: an entry per family (families.yaml), or where a user says that its lists are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from torch import nn

from s3prl_plugin import config
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.hf.observing import Point, members, module_lists

FRONT, OUT = "front", "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One entry of families.yaml, which says what its fields mean."""

    name: str
    types: Sequence[str]
    layers: str
    ms: Mapping[str, Any]
    encoder: str = ""
    front: str | None = None
    enters: bool = True
    norm: str | None = None
    aside: Mapping[str, str] = field(default_factory=dict)
    window: bool = False
    mask: str | None = None
    tokens: int = 0


@cache
def families() -> tuple[Family, ...]:
    """All families."""
    entries = config.read(config.packaged("upstream", "hf", "families.yaml")).data
    return tuple(Family(name=name, **entry) for name, entry in entries.items())


def of(model_type: str) -> Family | None:
    """The family of an architecture, as config.json calls it; None where it is none of these."""
    return next((family for family in families() if model_type in family.types), None)


def points(root: nn.Module, family: Family) -> list[Point]:
    """The taps of a family that a network has; the norm, where there may be one, comes as OUT.

    Args:
        root: the part of the model that hears.
        family: its entry.
    """
    found = layer_points(members(root, family.layers))
    if not family.enters:
        found = [replace(point, name=f"layer{i}", layer=f"layer{i}") for i, point in enumerate(found[1:])]
    if family.norm is not None and members(root, family.norm):
        found.append(Point(OUT, family.norm))
    if family.front is not None:
        found += [Point(FRONT, path, aside=True) for path in members(root, family.front)]
    for name, path in family.aside.items():
        paths = members(root, path)
        several = paths != [path] and not path.endswith("]")
        found += [Point(f"{name}{i}" if several else name, each, aside=True) for i, each in enumerate(paths, 1)]
    return found


def layer_points(paths: Sequence[str], block: str | None = None) -> list[Point]:
    """The taps of a list of layers: what enters the first, and what leaves each."""
    names = [f"layer{i}" for i in range(len(paths) + 1)]
    full = [name if block is None else f"{block}.{name}" for name in names]
    entering = [Point(full[0], paths[0], enters=True, block=block, layer=names[0])]
    leaving = zip(full[1:], paths, names[1:], strict=True)
    return entering + [Point(name, path, block=block, layer=layer) for name, path, layer in leaving]


def named_points(root: nn.Module, paths: Sequence[str], prefix: str = "") -> list[Point]:
    """The taps of the lists that a user names.

    Args:
        root: the part of the model that hears.
        paths: of lists of layers, see `observing.members`; several of them are the blocks `stack0`, `stack1`, ...
        prefix: the path of `root` in the model, which may be left out of the paths.

    Raises:
        UserError: one of them is not there; the lists that are, are named.
    """
    lists: list[list[str]] = []
    for given in paths:
        path = given.removeprefix(f"{prefix}.") if prefix else given
        parts = _lists(root, path)
        if not parts:
            known = ", ".join(module_lists(root)) or "none"
            raise UserError(f"layers: {given}: the network has no such modules; its lists are: {known}")
        lists += parts
    if len(lists) == 1:
        return layer_points(lists[0])
    return [point for i, each in enumerate(lists) for point in layer_points(each, f"stack{i}")]


def _lists(root: nn.Module, path: str) -> list[list[str]]:
    """The members of every list that a path means."""
    if "*" not in path:
        found = members(root, path)
        return [found] if found else []
    whole: dict[str, list[str]] = {}
    for each in members(root, path):
        whole.setdefault(each.rpartition(".")[0], []).append(each)
    return list(whole.values())
