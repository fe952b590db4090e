"""fairseq's configuration of a HuBERT or MR-HuBERT, to and from ours, and its dictionary of units."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

from s3prl_plugin.errors import UserError
from s3prl_plugin.files.expressions import MAX_INTEGER, brief, evaluate
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert.network.config import Config

MULTI_RESOLUTION = "multires_hubert"
PLAIN = "hubert"

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
    ratios = [] if plain else _numbers(model, "label_rate_ratios")
    if len(ratios) % 2:
        raise UserError(f"label_rate_ratios {brief(ratios)} is no list of pairs (up, down)")
    pairs = tuple(zip(ratios[::2], ratios[1::2], strict=True))
    return Config(
        dim=_whole(model, "encoder_embed_dim"),
        ffn_dim=_whole(model, "encoder_ffn_embed_dim"),
        heads=_whole(model, "encoder_attention_heads"),
        layers=_layers(model, len(pairs)),
        ratios=pairs,
        conv_layers=_conv_layers(model),
        conv_bias=flag(model, "conv_bias"),
        extractor_mode=brief(model.get("extractor_mode", "default")),
        adapter_kernel=1 if plain else _whole(model, "conv_adapator_kernal"),
        plain_adapters=flag(model, "use_plain_updownsample"),
        layer_norm_first=flag(model, "layer_norm_first"),
        middle_residual=not plain,
        pos_kernel=_whole(model, "conv_pos"),
        pos_groups=_whole(model, "conv_pos_groups"),
        **{ours: _number(model, theirs) for ours, theirs in _NUMBERS.items() if theirs in model},
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
    value = section.get(key, False)
    if type(value) is not bool:
        raise UserError(f"{key} is {brief(value)}, neither true nor false")
    return value


def label_rate(model: Mapping[str, Any], task: Mapping[str, Any]) -> float | None:
    """Target labels per second, where either part of the configuration says it."""
    for section in (task, model):
        if section.get("label_rate") is not None:
            return _number(section, "label_rate")
    return None


def _layers(model: Mapping[str, Any], steps: int) -> tuple[int, ...]:
    """Layers per block in execution order."""
    if model.get("override_encoder_layers") in (None, "", []):
        return (_whole(model, "encoder_layers"),) * (2 * steps + 1)
    stored = _numbers(model, "override_encoder_layers")
    return (*stored[: steps + 1], *reversed(stored[steps + 1 :]))


def _conv_layers(model: Mapping[str, Any]) -> tuple[tuple[int, int, int], ...]:
    """(channels, kernel, stride) of every convolution of the front end."""
    value = _listed(model, "conv_feature_layers")
    for item in value:
        if not (isinstance(item, (list, tuple)) and len(item) == 3 and all(map(_is_whole, item))):
            raise UserError("conv_feature_layers is no list of (channels, kernel, stride)")
    return tuple((channels, kernel, stride) for channels, kernel, stride in value)


def _listed(model: Mapping[str, Any], key: str) -> list[Any]:
    """A list, given as such or as an expression."""
    value = _required(model, key)
    if isinstance(value, str):
        try:
            value = evaluate(value)
        except UserError as error:
            raise UserError(f"{key}: {error}") from None
    if not isinstance(value, (list, tuple)):
        raise UserError(f"{key} is no list")
    return list(value)


def _numbers(model: Mapping[str, Any], key: str) -> list[int]:
    """A list of whole numbers."""
    value = _listed(model, key)
    if not all(_is_whole(number) for number in value):
        raise UserError(f"{key} is no list of whole numbers")
    return value


def _whole(model: Mapping[str, Any], key: str) -> int:
    """A whole number."""
    value = _required(model, key)
    if not _is_whole(value):
        raise UserError(f"{key} is {brief(value)}, not a usable whole number")
    return value


def _is_whole(value: Any) -> bool:
    """Whether it is a whole number of a size that can mean something."""
    return type(value) is int and abs(value) <= MAX_INTEGER


def _number(model: Mapping[str, Any], key: str) -> float:
    """A number."""
    value = _required(model, key)
    if type(value) not in (int, float) or abs(value) > 1e9:
        raise UserError(f"{key} is {brief(value)}, not a usable number")
    return float(value)


def _required(model: Mapping[str, Any], key: str) -> Any:
    """The value of a key that must be there."""
    if key not in model:
        raise UserError(f"its configuration has no {key}")
    return model[key]


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
