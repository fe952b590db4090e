"""What goes with fine-tuning (`-f`), and what does not."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import torch

from s3prl_plugin import config
from s3prl_plugin.errors import UserError
from s3prl_plugin.store import options as store_options

STORE = "-f changes the upstream with every step, so its features cannot be kept: leave out store"


def check_suite(suite: Mapping[str, Any] | None, trainable: bool) -> None:
    """Refuse a suite that keeps features of an upstream that is trained.

    Args:
        suite: the section of a configuration.
        trainable: whether `-f` is given.

    Raises:
        UserError: it does, or its store is not possible anyhow.
    """
    if suite and store_options.read(config.given({"suite": suite})).enabled and trainable:
        raise UserError(STORE)


def check_upstream(model: torch.nn.Module, trainable: bool) -> None:
    """Tell what of an upstream's options does nothing without `-f`, and refuse what spoils training with it.

    Args:
        model: the upstream.
        trainable: whether `-f` is given.

    Raises:
        UserError: its weights are of a precision that loses small steps.
    """
    if trainable and any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters()):
        raise UserError("-f: weights in half precision lose the small steps of training; leave dtype at float32")
    if not trainable and getattr(getattr(model, "options", None), "freeze_to", None) is not None:
        print("[upstream] freeze_to does something in fine-tuning only, which -f asks for", file=sys.stderr)
