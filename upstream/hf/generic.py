"""The taps of a network of which nothing is known: its lists of layers that give a frame for every stretch of audio."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.hf.families import OUT, layer_points
from s3prl_plugin.upstream.hf.hearing import Hearing
from s3prl_plugin.upstream.hf.observing import Point, equal_noise, members, module_lists, observe

LONGER = 38400  # own samples


def find(hearing: Hearing) -> list[Point]:
    """The taps of the outermost lists of layers whose features are their last axis.

    Raises:
        UserError: there are none; the lists that there are, are named.
    """
    root = hearing.root
    named = {path: members(root, path) for path in module_lists(root)}
    every = [Point(path, path) for path in dict.fromkeys(path for paths in named.values() for path in paths)]
    runs = [_run(hearing, every, hearing.rate + i * LONGER) for i in range(2)]
    fitting = [path for path, paths in named.items() if paths and all(_frames_first(each, runs) for each in paths)]
    outer = [path for path in fitting if not any(path.startswith(f"{other}.") for other in fitting)]
    if not outer:
        raise UserError(
            f"no list of layers is seen here; name one with the option layers (of {', '.join(named) or 'none'})"
        )
    lists = sorted((named[path] for path in outer), key=lambda paths: list(runs[0]).index(paths[0]))
    if len(lists) > 1:
        return [point for i, paths in enumerate(lists) for point in layer_points(paths, f"stack{i}")]
    norm = norm_behind(hearing, lists[0][-1])
    return layer_points(lists[0]) + ([Point(OUT, norm)] if norm is not None else [])


def norm_behind(hearing: Hearing, last: str) -> str | None:
    """The normalisation that a list's last layer is seen through: it is the next module that takes its output.

    Args:
        hearing: runs the network.
        last: the path of the last layer.

    Returns:
        Its path; None where there is none.
    """
    root = hearing.root
    given: list[object] = []
    found: list[nn.Module] = []
    names = {module: name for name, module in root.named_modules()}

    def leaves(_: nn.Module, args: object, output: object) -> None:
        given.append(output[0] if isinstance(output, tuple | list) else output)

    def enters(module: nn.Module, args: Sequence[object]) -> None:
        if given and not found and args and isinstance(args[0], Tensor) and args[0] is given[-1]:
            found.append(module)

    hooks = [root.get_submodule(last).register_forward_hook(leaves)]
    hooks += [module.register_forward_pre_hook(enters) for module in root.modules()]
    try:
        with torch.no_grad():
            hearing(_noise(hearing, hearing.rate))
    finally:
        for hook in hooks:
            hook.remove()
    is_norm = bool(found) and "norm" in type(found[0]).__name__.lower()
    return names[found[0]] if is_norm else None


def _run(hearing: Hearing, points: Sequence[Point], samples: int) -> dict[str, list[Tensor]]:
    """What is seen of one utterance of so many own samples."""
    with torch.no_grad():
        return observe(lambda: hearing(_noise(hearing, samples)), hearing.root, points, early=False)


def _noise(hearing: Hearing, samples: int) -> list[Tensor]:
    return [wave.to(next(hearing.root.parameters()).device) for wave in equal_noise(samples, 1)]


def _frames_first(path: str, runs: Sequence[dict[str, list[Tensor]]]) -> bool:
    """Whether a module gives (B, T, D) or (T, B, D) once per utterance, T growing with the audio."""
    if not all(len(run.get(path, ())) == 1 and run[path][0].dim() == 3 for run in runs):
        return False
    x, y = (run[path][0].shape for run in runs)
    return x[2] == y[2] and x != y
