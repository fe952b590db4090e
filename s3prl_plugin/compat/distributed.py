"""s3prl's runner under torch.distributed: on the CPU, with one rank that evaluates and others that wait for it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import ModuleType
from typing import Any

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.compat.replaced import replaced

# how long a rank waits for another: as long as the leader may need to evaluate
PATIENCE = timedelta(days=1)


def install() -> None:
    """Hook the import of s3prl's runner."""
    hooks.after_import("s3prl.downstream.runner", _wrap_anywhere)
    hooks.after_import("s3prl.downstream.runner", _count_steps_on_every_rank)


@contextmanager
def patience() -> Iterator[None]:
    """Inside the block a process group starts with `PATIENCE`: torch's default is less than some evaluations take."""
    import torch.distributed

    start = functools.partial(torch.distributed.init_process_group, timeout=PATIENCE)
    with replaced(torch.distributed, init_process_group=start):
        yield


@contextmanager
def undistributed(entries: Sequence[Any]) -> Iterator[None]:
    """Inside the block models are without their DistributedDataParallel shell, whose forward waits for other ranks.

    Args:
        entries: of s3prl's runner; each has a `model`.
    """
    from torch.nn.parallel import DistributedDataParallel

    with ExitStack() as stack:
        for entry in entries:
            if isinstance(entry.model, DistributedDataParallel):
                stack.enter_context(replaced(entry, model=entry.model.module))
        yield


def _wrap_anywhere(runner: ModuleType) -> None:
    """Wrap a model that is on the CPU without device_ids, which torch refuses there."""
    stock: Callable[..., Any] = runner.DDP

    @functools.wraps(stock)
    def distribute(module: Any, device_ids: Any = None, **options: Any) -> Any:
        on_cpu = next(module.parameters()).device.type == "cpu"
        return stock(module, device_ids=None if on_cpu else device_ids, **options)

    runner.DDP = distribute  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", "DistributedDataParallel: no device_ids for a model on the CPU (gloo)")


def _count_steps_on_every_rank(runner: ModuleType) -> None:
    """Only the leader counts its steps, on the progress bar that ends the training: count the others' there, too."""

    class Bar(runner.tqdm):  # type: ignore[name-defined]
        """Remembers the bar that counts the steps."""

        steps: Any = None

        def __init__(self, *args: Any, **kwargs: Any):
            super().__init__(*args, **kwargs)
            if kwargs.get("desc") == "overall":
                Bar.steps = self

    stock = runner.Runner._get_optimizer

    @functools.wraps(stock)
    def get_optimizer(self: Any, *args: Any) -> Any:
        optimizer = stock(self, *args)
        if not runner.is_leader_process():
            reset = optimizer.zero_grad

            def zero_grad(*args: Any, **kwargs: Any) -> None:  # it ends every step, and is called nowhere else
                reset(*args, **kwargs)
                Bar.steps.update(1)

            optimizer.zero_grad = zero_grad
        return optimizer

    runner.tqdm = Bar  # type: ignore[attr-defined]
    runner.Runner._get_optimizer = get_optimizer
    note("s3prl", "0.4.18", "distributed training: every rank counts its steps, and so ends")
