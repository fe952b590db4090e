"""What two upstreams differ in, in words, from the facts that their runs wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from s3prl_plugin.questions.comparison.runs import HARMLESS
from s3prl_plugin.states.upstream_facts import Facts

RATE = frozenset({"ratios", "resolutions_ms", "block_ms"})
LOSS = frozenset({"auxiliary_loss", "loss_weights"})
# What only says how the loss came about, or where that was read.
_SAID_BY_OTHERS = frozenset({"prediction_heads", "single_prediction", "auxiliary_loss_from"})
# What no two checkpoints have in common on purpose.
BY_CHANCE = frozenset({"seed"})

# What means nothing where there is one loss: then there is one target, however many label files were allowed.
_OF_SEVERAL = frozenset({"single_target", "auxiliary_every"})

_WORDS = {
    "kind": "kind of network",
    "blocks": "blocks",
    "layers": "layers per block",
    "dim": "width",
    "ffn_dim": "width of the feed-forward layers",
    "attention_heads": "attention heads",
    "adapter_kernel": "kernel of the adapters",
    "plain_adapters": "simple sampling",
    "layer_norm_first": "layer normalisation first",
    "extractor_mode": "normalisation of the front end",
    "conv_layers": "convolutions of the front end",
    "positional_kernel": "kernel of the positional convolution",
    "taps": "layers seen",
    "single_target": "one label file for all rates",
    "label_rate": "target labels per second",
    "train_step": "training steps",
    "auxiliary_every": "frames from one auxiliary target to the next",
    "unit_iteration": "HuBERT iteration of the target units",
    "pretraining": "pre-training data",
}


@dataclass(frozen=True, slots=True)
class FactDifference:
    """One thing that two upstreams differ in.

    Attributes:
        group: "rate", "loss", or the fact's own name.
        text: in words, from the second to the first.
    """

    group: str
    text: str


@dataclass(frozen=True, slots=True)
class FactDifferences:
    """Everything that two upstreams differ in.

    Attributes:
        found: the differences.
        unknown: facts that one or both do not tell, in words.
    """

    found: tuple[FactDifference, ...]
    unknown: tuple[str, ...] = ()

    @property
    def groups(self) -> frozenset[str]:
        """Of the differences."""
        return frozenset(each.group for each in self.found)

    def text(self) -> str:
        """In one line, as a contrast says what it isolates."""
        parts = [f"differs in: {'; '.join(each.text for each in self.found)}" if self.found else "no known difference"]
        return ". ".join([*parts, *([f"Not known: {', '.join(self.unknown)}"] if self.unknown else [])])


def between(a: Facts, b: Facts) -> FactDifferences:
    """What is otherwise in `a` than in `b`.

    Args:
        a: of the upstream that is compared.
        b: of the one that is taken from it.
    """
    architecture = _architecture(a.architecture, b.architecture)
    trained, unknown = _training(a.training, b.training)
    heard = _normalisation(a.waveform_normalisation, b.waveform_normalisation)
    return FactDifferences((*architecture, *heard, *trained, *_options(a.options, b.options)), unknown)


def _normalisation(a: str | None, b: str | None) -> list[FactDifference]:
    """Of waveforms, where both tell."""
    if a is None or b is None or a == b:
        return []
    return [FactDifference("waveform_normalisation", f"normalisation of waveforms {b} -> {a}")]


def _options(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[FactDifference]:
    """Of those that make the states what they are."""
    names = [name for name in dict.fromkeys([*a, *b]) if name not in HARMLESS and a.get(name) != b.get(name)]
    return [FactDifference(name, f"option {name} {_said(b.get(name))} -> {_said(a.get(name))}") for name in names]


def _architecture(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[FactDifference]:
    if a.get("kind") != b.get("kind"):
        return [FactDifference("kind", f"architecture: {_kind(b)} -> {_kind(a)}")]
    found = []
    if any(a.get(name) != b.get(name) for name in RATE):
        found.append(FactDifference("rate", _rates(a, b)))
    for name in dict.fromkeys([*a, *b]):
        if name not in RATE and a.get(name) != b.get(name):
            found.append(FactDifference(name, f"{_WORDS.get(name, name)} {_said(b.get(name))} -> {_said(a.get(name))}"))
    return found


def _kind(architecture: Mapping[str, Any]) -> str:
    """A foreign class by the package that it is from and its own name."""
    kind = str(architecture.get("kind", "not known"))
    return kind.removesuffix(".expert.UpstreamExpert")


def _rates(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """Of every block whose frame rate differs."""
    if a.get("blocks") != b.get("blocks"):
        return f"resolutions {_said(b.get('resolutions_ms'))} -> {_said(a.get('resolutions_ms'))} ms"
    frames = zip(a.get("blocks", ()), b.get("block_ms", ()), a.get("block_ms", ()), strict=True)
    changed = [f"of the {_block(name)} {of_b:g} -> {of_a:g} ms" for name, of_b, of_a in frames if of_a != of_b]
    return f"frame rate {', '.join(changed)}" if changed else "ratios of the adapters"


def _training(a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> tuple[list[FactDifference], tuple[str, ...]]:
    if a is None or b is None:
        return [], ("how they were trained",)
    found, unknown = [], []
    losses = _losses(a, b)
    if losses:
        found.append(FactDifference("loss", losses))
    one_loss = not (a.get("auxiliary_loss") and b.get("auxiliary_loss"))
    for name in dict.fromkeys([*a, *b]):
        if name in LOSS | _SAID_BY_OTHERS | BY_CHANCE or (name in _OF_SEVERAL and one_loss):
            continue
        if a.get(name) is None or b.get(name) is None:
            unknown.append(_WORDS.get(name, name))
        elif a[name] != b[name]:
            found.append(FactDifference(name, f"{_WORDS.get(name, name)} {_said(b[name])} -> {_said(a[name])}"))
    return found, tuple(unknown)


def _losses(a: Mapping[str, Any], b: Mapping[str, Any]) -> str:
    """What differs in the predictions and their weights; "" where nothing does but the frame rates of their blocks."""
    of_a, of_b = a.get("loss_weights") or [], b.get("loss_weights") or []
    if [each["block"] for each in of_a] != [each["block"] for each in of_b]:
        return f"losses {_predictions(of_b)} -> {_predictions(of_a)}"
    pairs = [(x, y) for x, y in zip(of_a, of_b, strict=True) if x["weight"] != y["weight"]]
    changed = [f"of the loss at the {_block(x['block'])} {y['weight']:g} -> {x['weight']:g}" for x, y in pairs]
    return f"weight {', '.join(changed)}" if changed else ""


def _predictions(weights: list[Mapping[str, Any]]) -> str:
    parts = [f"{_block(each['block'])} ({each['resolution_ms']:g} ms, weight {each['weight']:g})" for each in weights]
    return " and ".join(parts) or "none"


def _block(name: str) -> str:
    """A block in words."""
    kinds = {"enc": "encoder", "dec": "decoder"}
    return "middle block" if name == "mid" else f"{kinds.get(name[:3], name[:3])} {name[3:]}"


def _said(value: Any) -> str:
    """A fact's value."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return "-".join(_said(each) for each in value) or "none"
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None else str(value)
