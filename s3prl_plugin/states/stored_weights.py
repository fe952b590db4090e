"""Do the tensors of a file belong to the network that its configuration describes?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from s3prl_plugin.errors import UserError

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
