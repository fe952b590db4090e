"""torch: checkpoints that hold an argparse.Namespace, and CUDA calls in a run on the CPU."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.compat.replaced import replaced


def install() -> None:
    """Hook the import of s3prl: only who uses s3prl loads its checkpoints."""
    hooks.after_import("s3prl", _trust_namespaces)


def _trust_namespaces(_: ModuleType) -> None:
    """Let torch.load's safe reader build a Namespace: s3prl's checkpoints keep their arguments in one."""
    import torch

    allow = getattr(torch.serialization, "add_safe_globals", None)
    # Before weights_only became the default nothing was refused; a Namespace only holds what the reader already built.
    if allow is not None:
        allow([argparse.Namespace])
        note("torch", "2.6", "weights_only checkpoints (-e, -i): argparse.Namespace is trusted, nothing else")


@contextmanager
def cuda_is_identity() -> Iterator[None]:
    """Inside the block `.cuda()` returns the tensor or module itself, for code that is written for CUDA only."""
    import torch

    def cuda(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self

    with replaced(torch.Tensor, cuda=cuda), replaced(torch.nn.Module, cuda=cuda):
        yield


@contextmanager
def cuda_is_hidden() -> Iterator[None]:
    """Inside the block no CUDA device is to be seen, and choosing one does nothing: for a run on the CPU."""
    import torch

    with replaced(torch.cuda, is_available=lambda: False, set_device=lambda device: None):
        yield
