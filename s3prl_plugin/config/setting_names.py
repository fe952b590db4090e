"""The settings of s3prl's downstreams that name code, and the names that each of them can have.

s3prl runs such strings. Here they are names out of a list, for each setting its own; `registry.add_name` adds one of
another package, and no file does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Annotated, Any

from s3prl_plugin.config import schema
from s3prl_plugin.config.reading import Config
from s3prl_plugin.config.schema import By, brief, one_of, some_of
from s3prl_plugin.errors import UserError, did_you_mean

HEADS = ("FrameLevel", "UtteranceLevel")
_HEAD = {"select": HEADS, "pooling": ("MeanPooling", "AttentivePooling")}
_RECURRENT = ("LSTM", "GRU", "RNN")
_TRANSFORMER = {"agg_module": ("SAP", "Mean"), "module": ("TransformerEncoder", "Identity")}
_SPEECH_RECOGNITION = {
    **_HEAD,
    "select": (*HEADS, "RNNs", "Wav2Letter"),
    "module": (*_RECURRENT, *map(str.lower, _RECURRENT)),
}
_SEPARATION = {"rnn": _RECURRENT}

# downstream -> setting (a key anywhere below `downstream_expert`) -> its names
SETTINGS: dict[str, Mapping[str, tuple[str, ...]]] = {
    "asr": {**_SPEECH_RECOGNITION, "unk_weight": ("-math.inf",)},
    "atis": _TRANSFORMER,
    "audio_snips": _TRANSFORMER,
    "ctc": {
        **_SPEECH_RECOGNITION,
        "metric": (
            *("per", "cer", "wer", "slot_type_f1", "slot_value_cer", "slot_value_wer"),
            *("slot_edit_f1_full", "slot_edit_f1_part"),
        ),
    },
    "emotion": {
        **_HEAD,
        "select": (*HEADS, "DeepModel"),
        "model_type": ("CNNSelfAttention", "FCN", "DeepNet"),
    },
    "enhancement_stft": _SEPARATION,
    "enhancement_stft2": _SEPARATION,
    "fluent_commands": _HEAD,
    "separation_stft": _SEPARATION,
    "separation_stft2": _SEPARATION,
    "speech_commands": _HEAD,
    "sv_voxceleb1": {
        "module": ("XVector", "Identity"),
        "agg_module": ("AP", "ASP", "SP", "MP"),
        "utter_module": ("UtteranceExtractor", "UtteranceIdentity"),
        "ObjectiveLoss": ("AMSoftmaxLoss", "AAMSoftmaxLoss", "SoftmaxLoss"),
    },
    "timit_phone": {"select": ("ConvBank",)},
    "voxceleb1": _HEAD,
    "voxceleb2_amsoftmax_segment_eval": {
        "agg_module": ("SAP", "Mean", "SelfAttentionPooling"),
        "module": ("TransformerEncoder", "Identity", "XVector"),
    },
    "voxceleb2_ge2e": _TRANSFORMER,
}
OPTIMIZERS = ("Adam", "AdamW", "AdamW_with_schedule", "BertAdam_with_schedule", "Lamb_with_schedule", "TorchOptim")
_DECAYS = ("sqrt", "constant", "noam", "polynomial")
SCHEDULERS = tuple(
    f"{shape}_schedule_with_warmup"
    for shape in ("cosine", "cosine_with_hard_restarts", "linear", *(f"{decay}_decay" for decay in _DECAYS))
)
# settings that may hold a number in place of a name
NUMBERS = frozenset({"pooling", "unk_weight"})
# those of the runner that name splits of a corpus
SPLITS = ("train_dataloader", "eval_dataloaders")


def _is_split(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*", name):
        raise UserError(f"{brief(name)} is no name of a split; write letters, digits, _ and -")


Split = Annotated[str, By(_is_split)]

# "downstream.setting" -> name -> "module:attribute" of another package
_added: dict[str, dict[str, str]] = {}

Error = Callable[[tuple[str, ...], str], UserError]


def add(setting: str, name: str, target: str) -> None:
    """Add a name; see `registry.add_name`."""
    known = ["optimizer.name", "scheduler.name", *(f"{owner}.{key}" for owner in SETTINGS for key in SETTINGS[owner])]
    if setting not in known:
        raise UserError(f"no setting of s3prl's is called {setting!r}; {did_you_mean(setting, known)}")
    _added.setdefault(setting, {})[name] = target


def added(owner: str, name: str) -> str | None:
    """Where another package has what a name stands for; None for s3prl's own names.

    Args:
        owner: a downstream, "optimizer" or "scheduler"; "" for whichever.
        name: what a setting says.
    """
    found = (names.get(name) for setting, names in _added.items() if setting.startswith(f"{owner}." if owner else ""))
    return next(filter(None, found), None)


def known(owner: str) -> frozenset[str]:
    """s3prl's own names for the settings of a downstream, of "optimizer" or of "scheduler"."""
    top = {"optimizer": OPTIMIZERS, "scheduler": SCHEDULERS}
    return frozenset(top[owner] if owner in top else (name for names in _of(owner).values() for name in names))


def check(settings: Mapping[Any, Any], downstream: str, error: Error) -> None:
    """Refuse settings of one of s3prl's downstreams that are no known names.

    Args:
        settings: a run's configuration, or what a suite changes in a task's.
        downstream: whose it is; another package's has no such settings.
        error: makes the error for the keys that lead to a setting, and a message.

    Raises:
        UserError: what `error` makes, with what may have been meant.
    """
    for keys, value in _walk(settings, ()):
        names = possible(downstream, *keys)
        if names is None or value is None or isinstance(value, Mapping):
            continue
        try:
            schema.check(".".join(keys), names, value)
        except UserError as told:
            raise error(keys, str(told)) from None


def check_file(config: Config, downstream: str, *key: str) -> None:
    """The same of what stands in a file under a key.

    Raises:
        UserError: naming file and line, too.
    """
    check(config.section(*key), downstream, lambda inner, message: config.error((*key, *inner), message))


def possible(downstream: str, *keys: str) -> Any:
    """What a setting of s3prl's may be, as an annotation; None where it is no name.

    Args:
        downstream: whose it is.
        keys: that lead to it.
    """
    if keys[:-1] == ("runner",) and keys[-1] in SPLITS:
        return Split | list[Split]
    inside = keys[0] == "downstream_expert"
    setting = f"{downstream}.{keys[-1]}" if inside else ".".join(keys)
    known = _of(downstream).get(keys[-1]) if inside else _top_level().get(setting)
    if known is None:
        return None
    every = (*known, *_added.get(setting, {}))
    names = one_of(every) | some_of(every)
    return names | float if keys[-1] in NUMBERS else names


def _walk(value: Any, keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value below a mapping with the keys that lead to it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*keys, str(key)), inner
            yield from _walk(inner, (*keys, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from _walk(inner, keys)


def _of(downstream: str) -> Mapping[str, tuple[str, ...]]:
    """The settings of a downstream, with those that all of s3prl's heads have."""
    own = SETTINGS.get(downstream, {})
    return {**own, "activation": _activations()} if "pooling" in own else own


@cache
def _top_level() -> Mapping[str, tuple[str, ...]]:
    """The settings that are not a downstream's."""
    import torch

    base = torch.optim.Optimizer
    classes = [(name, kind) for name, kind in vars(torch.optim).items() if isinstance(kind, type)]
    return {
        "optimizer.name": OPTIMIZERS,
        "scheduler.name": SCHEDULERS,
        "optimizer.torch_optim_name": tuple(
            name for name, kind in classes if issubclass(kind, base) and kind is not base
        ),
    }


@cache
def _activations() -> tuple[str, ...]:
    """The names of torch's activations."""
    import torch

    return tuple(torch.nn.modules.activation.__all__)
