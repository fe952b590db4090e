"""What passes through a network, seen by hooks on its own modules.

Not from `hidden_states`: in transformers 5 its last entry is the state before the final normalisation of some models
and behind it of others, of a few it is of another rate, and in training LayerDrop leaves entries out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

_PART = re.compile(r"(.*?)(?:\[(-?\d+)(:?)\])?")


@dataclass(frozen=True, slots=True)
class Point:
    """A place in a network where its states are seen.

    Attributes:
        name: of the tap.
        path: of the module.
        enters: what enters the module is seen, not what leaves it.
        aside: the tap is for analysis only, and no state of the weighted sum.
        block, layer: see `taps.Tap`.
    """

    name: str
    path: str
    enters: bool = False
    aside: bool = False
    block: str | None = None
    layer: str | None = None


class _SeenError(BaseException):
    """Everything that was asked for has been seen; no `except Exception` on the way holds it up."""


def observe(
    call: Callable[[], Any], root: nn.Module, points: Sequence[Point], early: bool = True
) -> dict[str, list[Tensor]]:
    """What is seen at some points while a network runs.

    Args:
        call: runs it.
        root: the network in which the paths are.
        points: where to look.
        early: end the run as soon as every point has been passed: what is above is not computed.

    Returns:
        Name of a point -> what was seen at each of its module's calls, in the order in which the first ones came.
    """
    seen: dict[str, list[Tensor]] = {}

    def note(point: Point, tensor: Tensor | None) -> None:
        if tensor is None:
            return
        seen.setdefault(point.name, []).append(tensor)
        if early and len(seen) == len(points):
            raise _SeenError

    with ExitStack() as hooks:
        for point in points:
            module = root.get_submodule(point.path)
            if point.enters:
                hook = module.register_forward_pre_hook(partial(_entering, note, point), with_kwargs=True)
            else:
                hook = module.register_forward_hook(partial(_leaving, note, point))
            hooks.callback(hook.remove)
        with suppress(_SeenError):
            call()
    return seen


def _entering(note: Callable[..., None], point: Point, _: nn.Module, args: Any, kwargs: Any) -> None:
    note(point, first_tensor([*args, *kwargs.values()]))


def _leaving(note: Callable[..., None], point: Point, _: nn.Module, args: Any, output: Any) -> None:
    note(point, first_tensor(output))


def first_tensor(output: Any) -> Tensor | None:
    """The states in what a module takes or gives: the first tensor of numbers with two to four axes."""
    values: Iterable[Any]
    values = output.values() if isinstance(output, dict) else output if isinstance(output, tuple | list) else [output]
    for value in values:
        if isinstance(value, Tensor) and value.is_floating_point() and 2 <= value.dim() <= 4:
            return value
    return None


def members(root: nn.Module, path: str) -> list[str]:
    """The paths of the modules that a path means: those of a list, or a single module.

    Args:
        root: the network.
        path: `encoder.layers`; `encoder.layers[-1]` and `encoder.layers[-3:]` count from the end; `*` stands for any
            part between dots. A module without parameters in a list is skipped.

    Returns:
        None of them where there is no such module.
    """
    if "*" in path:
        pattern = re.compile(re.escape(path).replace(r"\*", r"[^.]+"))
        return [found for name, _ in root.named_modules() if pattern.fullmatch(name) for found in members(root, name)]
    found = _PART.fullmatch(path)
    assert found is not None
    name, index, several = found.groups()
    try:
        module = root.get_submodule(name)
    except AttributeError:
        return []
    children = [f"{name}.{child}" if name else child for child, _ in module.named_children()]
    if index is not None and not several:
        return children[int(index) :][:1]
    if index is not None:
        children = children[int(index) :]
    elif not isinstance(module, nn.ModuleList | nn.Sequential):
        return [name]
    return [each for each in children if any(True for _ in root.get_submodule(each).parameters())]


def module_lists(root: nn.Module) -> list[str]:
    """The lists of modules in a network, as a user can name them."""
    return [name for name, module in root.named_modules() if isinstance(module, nn.ModuleList) and len(module)]


def frames_first(x: Tensor, batch: int, time: int) -> Tensor:
    """A tensor as (B, T, D); further axes, of frequency, become part of D."""
    x = x.movedim((batch, time), (0, 1))
    return x if x.dim() == 3 else x.flatten(2)


def equal_noise(samples: int, count: int, seed: int = 0) -> list[Tensor]:
    """Noises of one length, the same every time; torch's random state stays as it is."""
    draw = torch.Generator().manual_seed(seed)
    return [0.1 * torch.randn(samples, generator=draw) for _ in range(count)]
