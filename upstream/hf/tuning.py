"""Which parts of a network are there, frozen, or begun anew."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.upstream.hf.hearing import Hearing
from s3prl_plugin.upstream.hf.observing import Point, equal_noise, observe


def cut(root: nn.Module, passed: Sequence[Point], last: Point) -> list[Point]:
    """Take out of a network, in place, the modules of all points after one; what is left keeps its paths.

    Args:
        root: the network.
        passed: all points, as they are passed.
        last: the one after which nothing is left.

    Returns:
        The points that are left.
    """
    names = [point.name for point in passed]
    left, gone = passed[: names.index(last.name) + 1], passed[names.index(last.name) + 1 :]
    kept = {point.path for point in left if not point.enters}
    for path in {point.path for point in gone if not point.enters} - kept:
        root.set_submodule(path, nn.Identity())  # it is never called: the network is left at the last point
    return list(left)


def freeze(hearing: Hearing, points: Sequence[Point], freeze_to: str) -> list[nn.Module]:
    """Freeze a network, in place, up to and including a point.

    Args:
        hearing: runs the network.
        points: all of them, as they are passed.
        freeze_to: the last one that is frozen.

    Returns:
        The modules that have done their work when it is passed: they stay in evaluation mode, too.

    Raises:
        UserError: there is none of that name.
    """
    point = named(points, "freeze_to", freeze_to)
    done: list[nn.Module] = []
    modules = list(hearing.root.modules())
    hooks = [module.register_forward_hook(lambda module, args, output: done.append(module)) for module in modules]
    noise = [wave.to(next(hearing.root.parameters()).device) for wave in equal_noise(hearing.rate, 1)]
    try:
        with torch.no_grad():
            observe(lambda: hearing(noise), hearing.root, [point])
    finally:
        for hook in hooks:
            hook.remove()
    frozen = [*done, *([] if point.enters else [hearing.root.get_submodule(point.path)])]
    for module in frozen:
        module.requires_grad_(False)
    return frozen


def reset_top(root: nn.Module, fresh: nn.Module, points: Sequence[Point], count: int) -> None:
    """Give the last layers of a network, in place, the weights of one that was just initialised.

    Args:
        root: the network.
        fresh: it as it is before training.
        points: those that are left of the network, as they are passed.
        count: how many layers.

    Raises:
        UserError: there are not so many.
    """
    layers = [point.path for point in points if point.layer is not None and not point.enters]  # no norm among them
    if count > len(layers):
        raise UserError(f"reset_top: {count} layers of {len(layers)}; give at most so many")
    for path in layers[len(layers) - count :]:
        root.get_submodule(path).load_state_dict(fresh.get_submodule(path).state_dict())


def named(points: Sequence[Point], option: str, name: str) -> Point:
    """The point that an option names.

    Raises:
        UserError: there is none of that name.
    """
    found = {point.name: point for point in points}
    if name not in found:
        raise UserError(f"{option}: no tap is called {name!r}: {did_you_mean(name, found)}")
    return found[name]
