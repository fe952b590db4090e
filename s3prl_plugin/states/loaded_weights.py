"""Were all weights loaded on which an upstream's states depend? Several of s3prl's load files with strict=False."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from s3prl_plugin.compat.replaced import replaced

NOISE_SAMPLES = 16000


class LoadedWeights:
    """Which parameters have come from a file, and which a file lacked.

    Attributes:
        found: those that a file held.
        missing: those that a file for their network did not hold.
    """

    def __init__(self) -> None:
        self.found: list[Tensor] = []
        self.missing: list[Tensor] = []

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Inside the block, every `load_state_dict` is taken note of."""
        stock = nn.Module.load_state_dict

        def load_state_dict(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            said = stock(module, *args, **kwargs)
            for name, parameter in module.named_parameters():
                (self.missing if name in said.missing_keys else self.found).append(parameter)
            return said

        with replaced(nn.Module, load_state_dict=load_state_dict):
            yield

    def random(self, model: nn.Module) -> list[str]:
        """The parameters that no file held and that change the states.

        Args:
            model: an upstream of s3prl's hub that was loaded inside `watching`; it is as it was afterwards.
        """
        found = {id(parameter) for parameter in self.found}
        missing = {id(parameter) for parameter in self.missing} - found
        unloaded = {name: p for name, p in model.named_parameters() if id(p) in missing}
        if not unloaded:
            return []
        trained = model.training
        model.eval()
        try:
            wanted = _states(model)
            return [name for name, parameter in unloaded.items() if _matters(model, parameter, wanted)]
        finally:
            model.train(trained)


def _matters(model: nn.Module, parameter: Tensor, wanted: list[Tensor]) -> bool:
    """Whether the states are others where a parameter is another."""
    before = parameter.detach().clone()
    with torch.no_grad():
        parameter += torch.linspace(0.5, 1.0, parameter.numel()).reshape(parameter.shape).to(parameter)
        try:
            return not all(map(torch.equal, _states(model), wanted))
        finally:
            parameter.copy_(before)


def _states(model: nn.Module) -> list[Tensor]:
    """The states of a second of noise, the same every time."""
    noise = torch.randn(NOISE_SAMPLES, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        states = model([noise.to(next(model.parameters()).device)])["hidden_states"]
    return [states] if isinstance(states, Tensor) else list(states)
