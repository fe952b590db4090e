"""How an upstream brings waveforms to zero mean and unit variance before it hears them: by which epsilon.

A waveform is divided by sqrt(variance + epsilon). s3prl and fairseq have 1e-5, most feature extractors of transformers
1e-7: of quiet speech, with a root mean square of .005, that makes 15 %.
"""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch.overrides import TorchFunctionMode

from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.states.trial import hear_noise

NONE = "none"
LAYER_NORM_EPSILON = 1e-5  # torch's, which s3prl and fairseq leave as it is
# The standard deviations of the noise that is given to a feature extractor.
_LEVELS = (0.0005, 0.002)

_seen: WeakKeyDictionary[torch.nn.Module, str | None] = WeakKeyDictionary()


def text(epsilon: float) -> str:
    """As rows say it."""
    return f"zero mean, unit variance, epsilon {epsilon:.0e}"


def of_layer_norm(normalises: bool) -> str:
    """What an upstream does that calls torch's layer_norm on every waveform, or leaves it as it is."""
    return text(LAYER_NORM_EPSILON) if normalises else NONE


def of_extractor(extractor: Any) -> str:
    """What a feature extractor of transformers does with waveforms, measured on noise.

    Args:
        extractor: any; of one that makes spectra, the waveform is taken as it is.

    Returns:
        `text`, `NONE`, or the extractor's name where it changes the waveform in another way.
    """
    if extractor.model_input_names[0] != "input_values":
        return NONE
    epsilons = [_epsilon(extractor, level) for level in _LEVELS]
    if all(each == math.inf for each in epsilons):
        return NONE
    rounded = {f"{each:.0e}" for each in epsilons}
    return text(float(rounded.pop())) if len(rounded) == 1 and epsilons[0] > 0 else f"by {type(extractor).__name__}"


def _epsilon(extractor: Any, level: float) -> float:
    """The epsilon that explains the variance that comes out; infinite where the waveform is as it was."""
    noise = level * torch.randn(SAMPLE_RATE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    given = noise.float().numpy()
    heard = extractor([given], sampling_rate=extractor.sampling_rate, return_tensors="pt")["input_values"].flatten()
    if torch.equal(heard[: len(noise)].float(), noise.float()):
        return math.inf
    return float(noise.var() * (1 / heard.double().var() - 1))


def of_upstream(model: torch.nn.Module) -> str | None:
    """What an upstream that does not tell of itself does, seen while it hears a second of noise.

    Args:
        model: an upstream of s3prl's hub.

    Returns:
        As `of_extractor`, which is asked where the upstream has one; None where it is not known: of other packages an
        upstream that does not call torch's layer_norm on the waveform may do the same in other words.
    """
    if model not in _seen:
        _seen[model] = _watched(model)
    return _seen[model]


def _watched(model: torch.nn.Module) -> str | None:
    inner = getattr(model, "upstream", model)  # behind a grid
    extractors = [each for each in vars(inner).values() if hasattr(each, "model_input_names")]
    if extractors:
        return of_extractor(extractors[0])
    try:
        with _LayerNorms() as calls:
            hear_noise(model)
    except Exception:  # of any kind; whoever counts its multiply-accumulates says why
        return None
    if calls.epsilons:
        return text(calls.epsilons[0])
    return NONE if type(inner).__module__.startswith("s3prl.") else None


class _LayerNorms(TorchFunctionMode):
    """Notes the epsilon of every layer normalisation over a whole waveform."""

    def __init__(self) -> None:
        super().__init__()
        self.epsilons: list[float] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """As without it."""
        kwargs = kwargs or {}
        if func is torch.nn.functional.layer_norm:
            given = {**dict(zip(("input", "normalized_shape", "weight", "bias", "eps"), args, strict=False)), **kwargs}
            if math.prod(given["normalized_shape"]) == SAMPLE_RATE:
                self.epsilons.append(float(given.get("eps", LAYER_NORM_EPSILON)))
        return func(*args, **kwargs)
