"""HuBERT as torchaudio and minimal-hubert save it: parameters alone, under names of their own.

fairseq                                torchaudio                                 minimal-hubert
feature_extractor.conv_layers.0.0      ...conv_layers.0.conv                      as torchaudio
feature_extractor.conv_layers.0.2      ...conv_layers.0.layer_norm                as torchaudio
layer_norm                             encoder.feature_projection.layer_norm      feature_projection.0.layer_norm
post_extract_proj                      encoder.feature_projection.projection      feature_projection.0.projection
encoder.pos_conv.0                     encoder.transformer.pos_conv_embed.conv    encoder.pos_conv_embed.convs.0
encoder.layer_norm                     encoder.transformer.layer_norm             encoder.layer_norm
encoder.layers.0.self_attn.q_proj      encoder.transformer.layers.0.attention...  one matrix, ...attention.qkv
encoder.layers.0.self_attn_layer_norm  ...layers.0.layer_norm                     as torchaudio
encoder.layers.0.fc1                   ...feed_forward.intermediate_dense         as torchaudio

The sizes follow from the shapes, but for the heads. Whether waveforms were normalised is not in the files, either; it
is taken to be as in the library that reads them: minimal-hubert normalises for every model, torchaudio for those whose
every convolution is normalised (its bundles' large ones).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.checkpoint import fairseq_config, stored_names
from s3prl_plugin.upstream.mr_hubert.network.config import Config

# (dim, layers) of HuBERT base, large and xlarge -> attention heads
HEADS = {(768, 12): 12, (1024, 24): 16, (1280, 48): 16}
_DROPOUTS = {"dropout": 0.0, "attention_dropout": 0.0, "input_dropout": 0.0, "layerdrop": 0.0}
_TORCHAUDIO = "encoder.transformer."
_MINIMAL = re.compile(r"encoder\.layers\.\d+\.attention\.qkv\.weight")
_RENAMED = tuple(
    (re.compile(pattern), usual)
    for pattern, usual in (
        (r"^encoder\.transformer\.", "encoder."),
        (r"^(feature_extractor\.conv_layers\.\d+)\.conv\.", r"\1.0."),
        (r"^(encoder\.)?feature_projection\.(0\.)?layer_norm\.", "layer_norm."),
        (r"^(encoder\.)?feature_projection\.(0\.)?projection\.", "post_extract_proj."),
        (r"^encoder\.pos_conv_embed\.conv(s\.0)?\.", "encoder.pos_conv.0."),
        (r"^(encoder\.layers\.\d+)\.layer_norm\.", r"\1.self_attn_layer_norm."),
        (r"^(encoder\.layers\.\d+)\.attention\.proj\.", r"\1.self_attn.out_proj."),
        (r"^(encoder\.layers\.\d+)\.attention\.", r"\1.self_attn."),
        (r"^(encoder\.layers\.\d+)\.feed_forward\.intermediate_dense\.", r"\1.fc1."),
        (r"^(encoder\.layers\.\d+)\.feed_forward\.output_dense\.", r"\1.fc2."),
    )
)


def parts(content: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], int | None] | None:
    """What such a file holds, as fairseq would have it.

    Args:
        content: of the file: a state dict, or a checkpoint of minimal-hubert's training that has one.

    Returns:
        The configurations of model and task, the state dict under fairseq's names, the training step; None where it
        is another kind of file.

    Raises:
        UserError: it is of a size that none of the published models has.
    """
    held = content.get("model", content) if isinstance(content, dict) and "cfg" not in content else None
    if not isinstance(held, dict):
        return None
    # torchaudio's model for pre-training has the network in a module of that name
    state = {name.removeprefix("wav2vec2."): value for name, value in stored_names.own_names(held).items()}
    minimal = any(map(_MINIMAL.fullmatch, state))
    if not minimal and not any(name.startswith(_TORCHAUDIO) for name in state):
        return None
    state = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    usual = stored_names.own_names(_usual_names(state))  # the norm of a weight under its usual name, too
    config = _config(usual)
    normalize = minimal or config.extractor_mode == "layer_norm"
    return fairseq_config.write(config), {"normalize": normalize}, usual, _step(content)


def _usual_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters under fairseq's names; one matrix for query, key and value becomes three."""
    found: dict[str, Tensor] = {}
    for stored, tensor in state.items():
        name = stored
        for pattern, usual in _RENAMED:
            name = pattern.sub(usual, name)
        if name.endswith((".self_attn.qkv.weight", ".self_attn.qkv.bias")) and tensor.dim() and not len(tensor) % 3:
            for part, piece in zip("qkv", tensor.chunk(3), strict=True):
                found[name.replace(".qkv.", f".{part}_proj.")] = piece
        else:
            found[name] = tensor
    # The norm of a convolution: of the first one alone, or of every one, where fairseq has it one module deeper.
    deeper = "feature_extractor.conv_layers.1.layer_norm.weight" in found
    norm = re.compile(r"^(feature_extractor\.conv_layers\.\d+)\.layer_norm\.")
    return {norm.sub(r"\1.2.1." if deeper else r"\1.2.", name): tensor for name, tensor in found.items()}


def _config(state: Mapping[str, Tensor]) -> Config:
    """The network's sizes, from the shapes of its parameters."""
    dim = _shape(state, "post_extract_proj.weight", 2)[0]
    layers = len([name for name in state if re.fullmatch(r"encoder\.layers\.\d+\.fc1\.weight", name)])
    if (dim, layers) not in HEADS:
        sizes = ", ".join(f"{layers} of {dim}" for dim, layers in HEADS)
        raise UserError(
            f"has {layers} layers of {dim}, and does not say how many attention heads; known are {sizes} (HuBERT base, "
            "large and xlarge)"
        )
    folded = "encoder.pos_conv.0.weight"
    in_group, kernel = _shape(state, folded if folded in state else f"{folded}_v", 3)[1:]
    every = "feature_extractor.conv_layers.1.2.1.weight" in state
    known: Any = Config.__dataclass_fields__["conv_layers"].default
    convolutions = [name for name in state if re.fullmatch(r"feature_extractor\.conv_layers\.\d+\.0\.weight", name)]
    shapes = [_shape(state, name, 3) for name in sorted(convolutions, key=lambda name: int(name.split(".")[2]))]
    if [shape[2] for shape in shapes] != [kernel for _, kernel, _ in known]:
        raise UserError("has another convolutional front end than HuBERT, and does not say with which strides")
    found = Config(
        dim=dim,
        ffn_dim=_shape(state, "encoder.layers.0.fc1.weight", 2)[0],
        heads=HEADS[dim, layers],
        layers=(layers,),
        ratios=(),
        conv_layers=tuple((shape[0], kernel, stride) for shape, (_, kernel, stride) in zip(shapes, known, strict=True)),
        conv_bias="feature_extractor.conv_layers.0.0.bias" in state,
        extractor_mode="layer_norm" if every else "default",
        layer_norm_first=every,
        middle_residual=False,
        pos_kernel=kernel,
        pos_groups=dim // max(in_group, 1),
    )
    return replace(found, **_DROPOUTS) if every else found  # type: ignore[arg-type]


def _shape(state: Mapping[str, Tensor], name: str, dimensions: int) -> torch.Size:
    """The shape of a parameter.

    Raises:
        UserError: it is not there, or has another number of dimensions.
    """
    if name not in state or state[name].dim() != dimensions:
        raise UserError(f"has no {name} of {dimensions} dimensions")
    return state[name].shape


def _step(content: Mapping[str, Any]) -> int | None:
    """The updates of pre-training, which minimal-hubert keeps in a tensor of one number."""
    step = content.get("step") if "optimizer" in content else None
    return int(step) if isinstance(step, Tensor) and step.numel() == 1 and not step.is_floating_point() else None
