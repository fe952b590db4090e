"""Which process of a run this is: one of several under torchrun, else the only one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from s3prl_plugin.errors import UserError

if TYPE_CHECKING:
    import torch

Found = TypeVar("Found")


def count() -> int:
    """How many processes run together."""
    group = _group()
    return group.get_world_size() if group else 1


def mine() -> int:
    """The number of this one, from 0."""
    group = _group()
    return group.get_rank() if group else 0


def leads() -> bool:
    """Whether this process speaks to the user and writes results."""
    return mine() == 0


def wait() -> None:
    """Wait until all processes have come here.

    Raises:
        UserError: another one has ended.
    """
    if group := _group():
        _together(group.barrier)


@contextmanager
def leader_first() -> Iterator[None]:
    """The block is run by the leader while the others wait, and then by them; all leave it together.

    Raises:
        UserError: another one has ended, as it does where its block fails.
    """
    if not leads():
        wait()
    yield
    if leads():
        wait()
    wait()


def from_leader(find: Callable[[], Found]) -> Found:
    """What the leader finds, told to all; the others wait for it.

    Raises:
        UserError: another one has ended.
    """
    group = _group()
    if not group:
        return find()
    found: list[Any] = [find() if leads() else None]
    _together(partial(group.broadcast_object_list, found, src=0))
    return found[0]


def summed(values: torch.Tensor) -> torch.Tensor:
    """The sum of what every process has; all of them call it, with tensors of one shape, and all get it.

    Raises:
        UserError: another one has ended.
    """
    group = _group()
    if not group:
        return values
    on_gpu = group.get_backend() == "nccl"  # which sums nothing that lies elsewhere
    total = values.cuda() if on_gpu and not values.is_cuda else values.clone()
    _together(partial(group.all_reduce, total))
    return total.to(values.device)


def _together(collective: Callable[[], Any]) -> None:
    """Do what all processes have to take part in."""
    try:
        collective()
    except RuntimeError as error:
        raise UserError(
            f"process {mine() + 1} of {count()}: another process of this run has ended (its own message is above); "
            "what was gathered is kept: give the same command again"
        ) from error


def _group() -> Any:
    """torch.distributed where several processes run together, else None; who has not imported torch is alone."""
    distributed: Any = sys.modules.get("torch.distributed")
    return distributed if distributed and distributed.is_available() and distributed.is_initialized() else None
