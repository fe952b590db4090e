"""Trying an upstream out on noise, which leaves everything as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from s3prl_plugin.random_state import RandomState
from s3prl_plugin.states.taps import SAMPLE_RATE


@contextmanager
def undisturbed(model: torch.nn.Module) -> Iterator[None]:
    """Inside the block a network is in evaluation mode, without gradients.

    Random states, and which of its modules are training, are the same afterwards.
    """
    before = RandomState.capture()
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, was in training:
            module.training = was
        before.restore()


def hear_noise(model: torch.nn.Module) -> None:
    """Call an upstream with one second of noise, alone in its batch.

    Args:
        model: an upstream of s3prl's hub.
    """
    tensor = next(model.parameters(), None)
    device = "cpu" if tensor is None else tensor.device
    noise = torch.randn(SAMPLE_RATE, generator=torch.Generator().manual_seed(0)).to(device)
    with undisturbed(model):
        model([noise])
