"""fairseq's configuration of a HuBERT or MR-HuBERT, to and from ours, and its dictionary of units."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Annotated, Any, Literal
from unittest.mock import patch

from annotated_types import Ge, Interval, Len, Lt

from s3prl_plugin.config import schema
from s3prl_plugin.config.schema import ConfigSection, Number
from s3prl_plugin.errors import UserError
from s3prl_plugin.files.expressions import MAX_INTEGER, brief, evaluate
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert.network.config import (
    MAX_DIM,
    MAX_KERNEL,
    MAX_LAYERS,
    Config,
)

MULTI_RESOLUTION = "multires_hubert"
PLAIN = "hubert"

# What may be absent from a checkpoint's configuration, with the default meant.
_MAY_LACK = ("override_encoder_layers", "layer_norm_first", "extractor_mode", "conv_bias", "use_plain_updownsample")
# What this network does not have, with the only value that means its absence.
_UNSUPPORTED = {
    "layer_type": "transformer",
    "activation_fn": "gelu",
    "attn_type": "",
    "pos_enc_type": "abs",
    "conv_pos_batch_norm": False,
    "pos_conv_depth": 1,
}
_NUMBERS = {
    "dropout": "dropout",
    "attention_dropout": "attention_dropout",
    "activation_dropout": "activation_dropout",
    "input_dropout": "dropout_input",
    "layerdrop": "encoder_layerdrop",
    "feature_grad_mult": "feature_grad_mult",
}
Chance = Annotated[float, Ge(0), Lt(1)]
Integer = Annotated[int, Ge(0), Lt(MAX_INTEGER)]
Integers = Sequence[Integer]
Convolutions = Sequence[Annotated[Sequence[Integer], Len(3, 3)]]
Layers = Annotated[int, Interval(ge=1, le=MAX_LAYERS)]
Dimensions = Annotated[int, Interval(ge=1, le=MAX_DIM)]
Wide = Annotated[int, Interval(ge=1, le=4 * MAX_DIM)]
Kernel = Annotated[int, Interval(ge=1, le=MAX_KERNEL)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(ConfigSection):
    """What fairseq's configuration says of the network, under its names; the defaults are MR-HuBERT base's.

    A list may be given as Python writes it, with `*` and `+`.

    Attributes:
        label_rate_ratios: [up, down] of every step down, one after another: [1, 2, 1, 2] halves the frame rate twice.
            [] is plain HuBERT.
        encoder_layers: in every block.
        override_encoder_layers: the layers of each block, where they differ: encoders and middle, then the decoders
            from the finest rate. "" for `encoder_layers` each.
        encoder_embed_dim, encoder_ffn_embed_dim, encoder_attention_heads: of every transformer layer.
        layer_norm_first: pre-LN, as in the large models.
        extractor_mode: group normalisation in the first convolution, or layer normalisation in all.
        conv_feature_layers: (channels, kernel, stride) of the front end's convolutions.
        conv_bias: whether these have biases.
        conv_pos, conv_pos_groups: kernel and groups of the positional convolution.
        conv_adapator_kernal: kernel of the convolutions that change the rate.
        use_plain_updownsample: one convolution where the rate changes ("simple sampling") in place of two.
        dropout, attention_dropout, activation_dropout, dropout_input, encoder_layerdrop: of training.
        feature_grad_mult: scales the front end's gradient; 0 freezes it.
    """

    label_rate_ratios: str | Integers = field(default_factory=lambda: [1, 2])
    encoder_layers: Layers = 4
    override_encoder_layers: str | Integers | None = ""
    encoder_embed_dim: Dimensions = 768
    encoder_ffn_embed_dim: Wide = 3072
    encoder_attention_heads: Dimensions = 12
    layer_norm_first: bool = False
    extractor_mode: Literal["default", "layer_norm"] = "default"
    conv_feature_layers: str | Convolutions = "[(512,10,5)] + [(512,3,2)] * 4 + [(512,2,2)] * 2"
    conv_bias: bool = False
    conv_pos: Kernel = 128
    conv_pos_groups: Kernel = 16
    conv_adapator_kernal: Kernel = 1
    use_plain_updownsample: bool = False
    dropout: Chance = 0.1
    attention_dropout: Chance = 0.1
    activation_dropout: Chance = 0.0
    dropout_input: Chance = 0.1
    encoder_layerdrop: Chance = 0.05
    feature_grad_mult: Number = 0.1


def name_of(model: Mapping[str, Any]) -> str:
    """The model's name where the configuration leaves it out, as s3prl's conversions may."""
    return MULTI_RESOLUTION if "label_rate_ratios" in model else PLAIN


def read(model: Mapping[str, Any]) -> Config:
    """The sizes in a configuration of fairseq.

    Args:
        model: the part `cfg["model"]` of a checkpoint, with `_name` "multires_hubert" or "hubert".

    Raises:
        UserError: it describes another model, asks for a part that this network does not have, or is malformed.
    """
    plain = model.get("_name") == PLAIN
    for key, value in _UNSUPPORTED.items():
        given = model.get(key, value)
        if type(given) is not type(value) or given != value:
            raise UserError(f"{key} is {brief(given)}; only {value!r} is supported")
    optional = {*_MAY_LACK, *_NUMBERS.values(), *(("label_rate_ratios", "conv_adapator_kernal") if plain else ())}
    for key in schema.names(Model):
        if key not in model and key not in optional:
            raise UserError(f"its configuration has no {key}")
    return sizes(Model(**{key: model[key] for key in schema.names(Model) if key in model}), plain)


def sizes(model: Model, plain: bool) -> Config:
    """The network's sizes.

    Args:
        model: what the configuration says.
        plain: whether it is a HuBERT, which has no rates.

    Raises:
        UserError: no network can be built from it.
    """
    ratios = [] if plain else _listed("label_rate_ratios", model.label_rate_ratios, Integers)
    if len(ratios) % 2:
        raise UserError(f"label_rate_ratios: {brief(ratios)} is no list of pairs (up, down)")
    pairs = tuple(zip(ratios[::2], ratios[1::2], strict=True))
    layers = [model.encoder_layers] * (2 * len(pairs) + 1)
    if model.override_encoder_layers not in (None, "", [], ()):
        stored = _listed("override_encoder_layers", model.override_encoder_layers, Integers)
        layers = [*stored[: len(pairs) + 1], *reversed(stored[len(pairs) + 1 :])]
    convolutions = _listed("conv_feature_layers", model.conv_feature_layers, Convolutions)
    return Config(
        dim=model.encoder_embed_dim,
        ffn_dim=model.encoder_ffn_embed_dim,
        heads=model.encoder_attention_heads,
        layers=tuple(layers),
        ratios=pairs,
        conv_layers=tuple((channels, kernel, stride) for channels, kernel, stride in convolutions),
        conv_bias=model.conv_bias,
        extractor_mode=model.extractor_mode,
        adapter_kernel=1 if plain else model.conv_adapator_kernal,
        plain_adapters=model.use_plain_updownsample,
        layer_norm_first=model.layer_norm_first,
        middle_residual=not plain,
        pos_kernel=model.conv_pos,
        pos_groups=model.conv_pos_groups,
        **{ours: float(getattr(model, theirs)) for ours, theirs in _NUMBERS.items()},
    )


def write(config: Config) -> dict[str, Any]:
    """The configuration that fairseq would have stored for such a network."""
    steps = len(config.ratios)
    # fairseq lists decoders from the finest rate, although the coarsest runs first.
    stored = [*config.layers[: steps + 1], *reversed(config.layers[steps + 1 :])]
    model: dict[str, Any] = {
        "_name": MULTI_RESOLUTION if config.middle_residual else PLAIN,
        "extractor_mode": config.extractor_mode,
        "encoder_layers": config.layers[steps],
        "encoder_embed_dim": config.dim,
        "encoder_ffn_embed_dim": config.ffn_dim,
        "encoder_attention_heads": config.heads,
        "layer_norm_first": config.layer_norm_first,
        "conv_feature_layers": str(list(config.conv_layers)),
        "conv_bias": config.conv_bias,
        "conv_pos": config.pos_kernel,
        "conv_pos_groups": config.pos_groups,
        **{theirs: getattr(config, ours) for ours, theirs in _NUMBERS.items()},
        **{key: value for key, value in _UNSUPPORTED.items() if not key.startswith(("pos_conv", "conv_pos"))},
    }
    if config.middle_residual:
        model["label_rate_ratios"] = [number for ratio in config.ratios for number in ratio]
        model["override_encoder_layers"] = "" if len(set(stored)) == 1 else str(stored)
        model["conv_adapator_kernal"] = config.adapter_kernel
        model["use_plain_updownsample"] = config.plain_adapters
    else:
        model["conv_pos_batch_norm"] = False
    return model


def task_of(model: Mapping[str, Any], normalize: bool) -> dict[str, Any]:
    """The configuration of the task that fairseq would have stored beside a model's."""
    task: dict[str, Any] = {
        "_name": f"{model['_name']}_pretraining",
        "data": "",
        "fine_tuning": False,
        "labels": ["km"],
        "label_dir": None,
        "label_rate": model["label_rate"],
        "sample_rate": SAMPLE_RATE,
        "normalize": normalize,
        "enable_padding": False,
        "max_keep_size": None,
        "max_sample_size": None,
        "min_sample_size": None,
        "random_crop": True,
        "pad_audio": False,
    }
    if "label_rate_ratios" in model:
        task["label_rate_ratios"] = model["label_rate_ratios"]
    return task


def flag(section: Mapping[str, Any], key: str) -> bool:
    """A switch of the configuration; off where it is absent."""
    schema.check(key, bool, section.get(key, False))
    return bool(section.get(key, False))


def label_rate(model: Mapping[str, Any], task: Mapping[str, Any]) -> float | None:
    """Target labels per second, where either part of the configuration says it."""
    for section in (task, model):
        if section.get("label_rate") is not None:
            schema.check("label_rate", Number, section["label_rate"])
            return float(section["label_rate"])
    return None


def _listed(key: str, value: Any, kind: Any) -> list[Any]:
    """A list, given as such or as an expression."""
    if isinstance(value, str):
        try:
            value = evaluate(value)
        except UserError as error:
            raise UserError(f"{key}: {error}") from None
        schema.check(key, kind, value)
    return list(value)


MODULE = "fairseq.data.dictionary"


class Dictionary:
    """Stands in for fairseq's class of that name: the same attributes, no code.

    Args:
        classes: how many units there are; unit k is the symbol "k".
    """

    def __init__(self, classes: int):
        specials = ["<s>", "<pad>", "</s>", "<unk>"]
        self.bos_word, self.pad_word, self.eos_word, self.unk_word = specials
        self.symbols = [*specials, *map(str, range(classes))]
        self.count = [1] * len(self.symbols)
        self.indices = {symbol: i for i, symbol in enumerate(self.symbols)}
        self.bos_index, self.pad_index, self.eos_index, self.unk_index = range(4)
        self.nspecial = 4


# Pickles name a class by where it is; a reader finds fairseq's own there.
Dictionary.__module__, Dictionary.__qualname__ = MODULE, "Dictionary"


@contextmanager
def importable() -> Iterator[None]:
    """Inside the block the stand-in is what a pickle finds under fairseq's name, whether fairseq is there or not."""
    modules: dict[str, Any] = {name: ModuleType(name) for name in ("fairseq", "fairseq.data", MODULE)}
    modules[MODULE].Dictionary = Dictionary
    with patch.dict(sys.modules, modules):
        yield
