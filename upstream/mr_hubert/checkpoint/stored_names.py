"""Under which names a checkpoint may hold a network's parameters, and in which of three ways its weight norm.

feature_extractor.conv_layers.0.0.weight                           pre-training
w2v_encoder.w2v_model.feature_extractor.conv_layers.0.0.weight     fine-tuning: fairseq's hubert_ctc
module.feature_extractor.conv_layers.0.0.weight                    a wrapper, which may stand anywhere above

encoder.pos_conv.0.weight_g, .weight_v                             torch's weight norm of before 2.0
encoder.pos_conv.0.parametrizations.weight.original0, .original1   the one of later versions
encoder.pos_conv.0.weight                                          folded, for use without training
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.files.expressions import brief
from s3prl_plugin.states.loaded_weights import PREFIXES

# fairseq's models for fine-tuning -> where their configuration has that of the pre-trained model, and the modules
# inside which it is.
FINE_TUNED = {
    "hubert_ctc": ("w2v_args", ("w2v_encoder", "w2v_model")),
    "hubert_seq2seq": ("w2v_args", ("encoder", "w2v_model")),
    "multires_hubert_ctc": ("multires_hubert_args", ("multireshubert_encoder", "multires_hubert_model")),
}
_CONV = "pos_conv.0."
_RENAMED = {
    f"{_CONV}parametrizations.weight.original0": f"{_CONV}weight_g",
    f"{_CONV}parametrizations.weight.original1": f"{_CONV}weight_v",
}


def own_names(state: Mapping[Any, Any], inside: tuple[str, ...] = ()) -> dict[str, Any]:
    """A state dict under the names that the network itself gives its parameters.

    Args:
        state: as it is stored; names that are no texts are left out.
        inside: the modules that hold the network; what is outside of them is left out.

    Raises:
        UserError: two entries have the same name then.
    """
    wrappers = "(?:{})*".format("|".join(map(re.escape, PREFIXES)))
    outside = re.compile(wrappers + "".join(re.escape(f"{module}.") + wrappers for module in inside))
    found: dict[str, Any] = {}
    for stored, value in state.items():
        match = outside.match(stored) if isinstance(stored, str) else None
        if match is None:
            continue
        name = stored[match.end() :]
        for ending, usual in _RENAMED.items():
            if name.endswith(ending):
                name = name.removesuffix(ending) + usual
        if name in found:
            raise UserError(f"has {brief(name)} twice, once as {brief(stored)}: it holds more than one network")
        found[name] = value
    return found


def unfolded(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights with a norm of its own for the positional convolution, where that was folded into them.

    Args:
        weights: name -> tensor.
    """
    found = dict(weights)
    for name in weights:
        if not name.endswith(f"{_CONV}weight") or weights[name].dim() != 3 or f"{name}_g" in weights:
            continue
        weight = found.pop(name).to(torch.float32)
        norm = weight.square().sum((0, 1), keepdim=True).sqrt()  # as the network has it, so that the ratio is 1
        found[name + "_g"] = norm
        found[name + "_v"] = torch.where(norm == 0, 1.0, weight)  # of no length has no direction; any will do
    return found
