"""Do the tensors of a file belong to the network that its configuration describes?"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from s3prl_plugin.errors import UserError


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
