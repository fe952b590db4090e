"""A step of fine-tuning the whole network beside one of a network that is cut, and of one that is frozen in part."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks import forward
from benchmarks.ratios import Measuring, Ratio, alternate, of_times
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.network.config import Config

ADAM = 2  # moments for every parameter that is trained


def measure(settings: Measuring) -> Iterator[Ratio]:
    """Yield the ratios of the whole network's cost to that of a smaller part of it: time and memory of a step.

    Args:
        settings: how to measure.
    """
    work = forward.workload(settings.quick)
    encoder, middle = (work.config.block_taps(block)[-1] for block in work.config.blocks[:2])
    with tempfile.TemporaryDirectory() as folder:
        path = load.save(Path(folder) / "network.pt", small.random_network(work.config))
        whole = Step(path, settings.device)
        for name, options in (
            (f"cut at {middle}", {"stop_at": middle}),
            (f"frozen to {encoder}", {"freeze_to": encoder}),
            (f"cut at {middle}, frozen to {encoder}", {"stop_at": middle, "freeze_to": encoder}),
        ):
            part = Step(path, settings.device, **options)
            yield from _compared(settings, name, whole, part, _share(work.config, options.get("stop_at")))


class Step:
    """A step of fine-tuning: forward, backward, Adam.

    Args:
        path: the checkpoint.
        device: where it is computed.
        options: of the upstream.
    """

    def __init__(self, path: Path, device: str, **options: str):
        self.upstream: nn.Module = forward._load_ours(path, device, **options).train()
        for module in self.upstream.modules():
            if hasattr(module, "layerdrop"):
                setattr(module, "layerdrop", 0.0)  # noqa: B010 - so that every step runs every layer
        self.optimizer = torch.optim.Adam(self.upstream.parameters(), lr=1e-5)

    def run(self, batch: list[Tensor]) -> None:
        """Do it once."""
        self._loss(batch).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def memory_bytes(self, batch: list[Tensor]) -> int:
        """What a step holds at its fullest: weights, gradients, Adam's moments, and what is kept for going backward."""
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        weights = {p.untyped_storage().data_ptr(): p.nbytes for p in self.upstream.parameters()}
        trained = sum(p.nbytes for p in self.upstream.parameters() if p.requires_grad)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = self._loss(batch)
        activations = sum(size for place, size in kept.items() if place not in weights)
        del loss
        return sum(weights.values()) + (1 + ADAM) * trained + activations

    def _loss(self, batch: list[Tensor]) -> Tensor:
        """As of a head that sees the last state."""
        return self.upstream(batch)["last_hidden_state"].square().mean()


def _compared(settings: Measuring, name: str, whole: Step, part: Step, share: str) -> Iterator[Ratio]:
    """Time and memory of two steps."""
    batch = forward._noise(forward.workload(settings.quick).fixed_s, settings.device)
    wait = torch.cuda.synchronize if settings.device != "cpu" else lambda: None
    jobs: dict[str, Callable[[], object]] = {"whole": partial(whole.run, batch), "part": partial(part.run, batch)}
    seconds = alternate(jobs, settings.rounds, wait)
    bar = None if settings.quick else 1.0
    yield of_times(f"time, {name}", seconds["whole"], seconds["part"], bar, share)
    there, here = whole.memory_bytes(batch), part.memory_bytes(batch)
    yield Ratio.once(f"memory, {name}", there / here, f"{there / 1e6:.0f} MB", f"{here / 1e6:.0f} MB", bar)


def _share(config: Config, stop_at: str | None) -> str:
    """What part of a forward's multiply-accumulates is left."""
    return (
        "" if stop_at is None else f"{forward._share(config, stop_at, 6.0):.2f} of the forward's multiply-accumulates"
    )
