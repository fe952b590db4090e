"""Which process of a run this is: one of several under torchrun, else the only one."""

from __future__ import annotations

import torch.distributed

from s3prl_plugin.errors import UserError


def count() -> int:
    """How many processes run together."""
    return torch.distributed.get_world_size() if _distributed() else 1


def mine() -> int:
    """The number of this one, from 0."""
    return torch.distributed.get_rank() if _distributed() else 0


def leads() -> bool:
    """Whether this process speaks to the user and writes results."""
    return mine() == 0


def wait() -> None:
    """Wait until all processes have come here.

    Raises:
        UserError: another one has ended.
    """
    if not _distributed():
        return
    try:
        torch.distributed.barrier()
    except RuntimeError as error:
        raise UserError(
            f"process {mine() + 1} of {count()}: another process of this run has ended (its own message is above); "
            "what was gathered is kept: give the same command again"
        ) from error


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()
