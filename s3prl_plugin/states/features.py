"""The dictionary that an upstream's forward returns, from the states of its taps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from s3prl_plugin.states.taps import States, Tap
from s3prl_plugin.strides import clock, ms_text, stride_number


def from_states(states: States, stop_at: str | None, native: bool) -> dict[str, Any]:
    """What s3prl's featurizers and ours look up; the keys of `rates`, and `states`.

    Args:
        states: of a batch.
        stop_at: the last tap that was computed; all were when None.
        native: leave every entry of `hidden_states` at its own rate.
    """
    pairs = list(zip(states.taps, states.tensors, strict=True))
    observed = [(tap, x) for tap, x in pairs if tap.role == "state"]
    features: dict[str, Any] = {tap.name: x for tap, x in pairs}
    for key in dict.fromkeys(_rate_key(tap) for tap, _ in observed):
        alike = [x for tap, x in observed if _rate_key(tap) == key]
        frames = min(x.shape[1] for x in alike)
        features[key] = [x[:, :frames] for x in alike]
    features["outputs"] = [x for tap, x in pairs if tap.role == "output"]
    features["last_hidden_state"] = features[_last(states.taps, stop_at).name]
    samples = max(len(wav) for wav in states.waveforms)
    features["hidden_states"] = _native(observed, samples) if native else _repeated(observed)
    features["states"] = states
    return features


def rates(taps: Sequence[Tap], stop_at: str | None, native: bool) -> dict[str, float | list[float]]:
    """Samples from one frame to the next, per key; a list where the tensors under a key differ in it.

    Whole numbers are ints; s3prl takes floats, too.
    """
    observed = [tap for tap in taps if tap.role == "state"]
    strides = [stride_number(tap.stride) for tap in observed]
    return {
        **{tap.name: stride_number(tap.stride) for tap in taps},
        **{_rate_key(tap): stride_number(tap.stride) for tap in observed},
        "outputs": [stride_number(tap.stride) for tap in taps if tap.role == "output"],
        "last_hidden_state": stride_number(_last(taps, stop_at).stride),
        "hidden_states": strides if native else min(strides),
    }


def _rate_key(tap: Tap) -> str:
    """The key of all states at a tap's rate."""
    return f"hidden_states_{ms_text(tap.stride)}ms"


def _last(taps: Sequence[Tap], stop_at: str | None) -> Tap:
    """The tap that is computed last."""
    return taps[-1] if stop_at is None else next(tap for tap in taps if tap.name == stop_at)


def _repeated(observed: list[tuple[Tap, Tensor]]) -> list[Tensor]:
    """Every state on the grid of the finest one, lower rates repeated, all cut to the shortest."""
    finest = min(tap.stride for tap, _ in observed)
    frames = min(x.shape[1] * tap.stride // finest for tap, x in observed)
    hidden = []
    for tap, x in observed:
        if tap.stride == finest:
            hidden.append(x[:, :frames])
        else:
            ticks = clock(finest, tap.stride)
            source = torch.arange(frames, device=x.device) * int(finest * ticks) // int(tap.stride * ticks)
            hidden.append(x.index_select(1, source))
    return hidden


def _native(observed: list[tuple[Tap, Tensor]], samples: int) -> list[Tensor]:
    """Every state at its own rate.

    s3prl expects ceil(samples / stride) frames and repeats the last one itself, but refuses to where a waveform is so
    short that this doubles them; there we do.
    """
    return [
        torch.cat([x, x[:, -1:]], dim=1) if 2 * x.shape[1] <= -(-samples // tap.stride) else x for tap, x in observed
    ]
