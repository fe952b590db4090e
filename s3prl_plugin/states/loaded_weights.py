"""Were all weights loaded on which an upstream's states depend, and do they belong to its network?

Several of s3prl's upstreams load files with strict=False."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError

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


# What wrappers put before the names of the network that they hold: DistributedDataParallel, torch.compile, a trainer.
PREFIXES = ("module.", "_orig_mod.", "model.")


def without_prefixes(state: Mapping[str, Any], prefixes: Sequence[str] = PREFIXES[:2]) -> dict[str, Any]:
    """A state dict under the network's own names: a prefix goes that every name has, again and again.

    Args:
        state: name -> tensor.
        prefixes: that may be there.
    """
    found = dict(state)
    while found:
        prefix = next((each for each in prefixes if all(str(name).startswith(each) for name in found)), None)
        if prefix is None:
            break
        found = {str(name).removeprefix(prefix): tensor for name, tensor in found.items()}
    return found


def check_places(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Exactly the expected parameters are there, in their shapes.

    Args:
        weights: of the file.
        expected: of a network that was built from its configuration, on no device (`torch.device("meta")`).

    Raises:
        UserError: one is missing, has no place, or has another shape.
    """
    missing = [name for name in expected if name not in weights]
    if missing:
        raise UserError(f"lacks {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else ""))
    for name, tensor in weights.items():
        if name not in expected:
            # a file can name anything, and a message is one line
            raise UserError(f"{name[:60]!r} has no place in the network that its configuration describes")
        if tensor.shape != expected[name].shape:
            shape, wanted = tuple(tensor.shape), tuple(expected[name].shape)
            raise UserError(f"{name} has shape {shape}; its configuration asks for {wanted}")
