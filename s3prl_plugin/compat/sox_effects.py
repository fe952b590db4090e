"""torchaudio.sox_effects for torchaudio >= 2.9, which has it no more: the effects that SUPERB's tasks ask for.

As in SoX, samples saturate at full scale after every effect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from s3prl_plugin.compat.soundfile_io import load
from s3prl_plugin.compat.sox_silence import trim_silence
from s3prl_plugin.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from s3prl_plugin.files.sound_file import Source

Effects = Sequence[Sequence[str]]
# (samples (channels, n), rate in Hz, the effect's arguments) -> the same two
Effect = Callable[[Any, int, list[str]], tuple[Any, int]]


def apply_effects_file(
    path: Source,
    effects: Effects,
    normalize: bool = True,
    channels_first: bool = True,
    format: str | None = None,
) -> tuple[Any, int]:
    """Read audio and apply SoX effects to it, as torchaudio.sox_effects.apply_effects_file does.

    Args:
        path: a path, or a binary file that can seek.
        effects: one list per effect, its name first: [["channels", "1"], ["rate", "16000"], ["gain", "-3.0"]].
        normalize: must be true; the samples are float32 in [-1, 1].
        channels_first: return (channels, samples) instead of (samples, channels).
        format: accepted and not needed.

    Returns:
        The samples, float32, and their rate in Hz.

    Raises:
        UserError: no such file, not audio, or an effect that is not provided.
    """
    if not normalize:
        raise UserError("apply_effects_file(normalize=False): not provided without SoX; leave normalize out")
    samples, rate = load(path)
    samples, rate = apply_effects_tensor(samples, rate, effects)
    return (samples if channels_first else samples.T.contiguous()), rate


def apply_effects_tensor(
    tensor: Any, sample_rate: int, effects: Effects, channels_first: bool = True
) -> tuple[Any, int]:
    """Apply SoX effects to samples, as torchaudio.sox_effects.apply_effects_tensor does.

    Args:
        tensor: (channels, samples) floating point, or (samples, channels) without `channels_first`.
        sample_rate: in Hz.
        effects: one list per effect, its name first.
        channels_first: see `tensor`.

    Returns:
        The samples, float32, laid out as they came, and their rate in Hz.

    Raises:
        UserError: an effect that is not provided.
        ValueError: the samples have not two dimensions, or are integers.
    """
    import torch

    if tensor.ndim != 2 or not tensor.is_floating_point():
        raise ValueError(f"samples of shape {tuple(tensor.shape)}, {tensor.dtype}: (channels, samples), floating point")
    samples = tensor.detach().cpu().double().numpy()
    samples = np.clip(samples if channels_first else samples.T, -1, 1)
    rate = int(sample_rate)
    for effect in effects:
        name, *arguments = (str(part) for part in effect)
        if name not in _EFFECTS:
            raise UserError(
                f"SoX effect {name!r} is not provided without SoX: {did_you_mean(name, _EFFECTS)}; "
                "torchaudio < 2.9 has them all"
            )
        samples, rate = _EFFECTS[name](samples, rate, arguments)
        samples = np.clip(samples, -1, 1)
    result = torch.from_numpy(np.ascontiguousarray(samples if channels_first else samples.T, dtype=np.float32))
    return result, rate


def effect_names() -> list[str]:
    """The names of the effects that are provided."""
    return sorted(_EFFECTS)


def _channels(samples: Any, rate: int, arguments: list[str]) -> tuple[Any, int]:
    """`channels N`: to mono by the mean, or from mono by copies."""
    wanted = int(_number("channels", arguments, 0, 1, 1)[0])
    if len(samples) == wanted:
        return samples, rate
    if wanted == 1:
        return samples.mean(axis=0, keepdims=True), rate
    if len(samples) == 1:
        return np.repeat(samples, wanted, axis=0), rate
    raise UserError(f"SoX effect channels {wanted}: {len(samples)} channels cannot be mixed to it without SoX; use 1")


def _rate(samples: Any, rate: int, arguments: list[str]) -> tuple[Any, int]:
    """`rate HZ` at SoX's own default quality."""
    import soxr

    wanted = int(_number("rate", arguments, 1, 1, 1)[0])
    if wanted == rate or samples.shape[1] == 0:
        return samples, wanted
    return soxr.resample(samples.T, rate, wanted, quality="HQ").T, wanted


def _gain(samples: Any, rate: int, arguments: list[str]) -> tuple[Any, int]:
    """`gain DB`."""
    (decibels,) = _number("gain", arguments, -1000, 1, 1)
    return samples * 10 ** (decibels / 20), rate


def _silence(samples: Any, rate: int, arguments: list[str]) -> tuple[Any, int]:
    """`silence 1 ABOVE START% -1 BELOW STOP%`, the one form that is used."""
    if len(arguments) != 6 or arguments[0] != "1" or arguments[3] != "-1":
        raise UserError(
            f"SoX effect silence {' '.join(arguments)}: without SoX only `silence 1 0.1 0.1% -1 0.1 0.1%` and the "
            "like (trim everywhere) is provided"
        )
    if len(samples) != 1:
        raise UserError(
            f"SoX effect silence on {len(samples)} channels is not provided without SoX; put channels 1 first"
        )
    _, above, start, _, below, stop = arguments
    above_n, below_n = (_samples(text, rate) for text in (above, below))
    return trim_silence(samples[0], rate, above_n, _threshold(start), below_n, _threshold(stop))[None], rate


def _number(effect: str, arguments: list[str], least: float, fewest: int, most: int) -> list[float]:
    """The arguments as numbers not under `least`, as many as the effect takes."""
    try:
        values = [float(text) for text in arguments]
    except ValueError:
        values = [float("nan")]
    if not fewest <= len(arguments) <= most or not all(value >= least for value in values):
        raise UserError(f"SoX effect {effect} {' '.join(arguments)}: its argument is a number")
    return values


def _samples(text: str, rate: int) -> int:
    """A duration of `silence` in samples: a whole number counts samples; with a point or a colon it is a time."""
    try:
        if text.removesuffix("s").isdigit():
            return int(text.removesuffix("s"))
        seconds = 0.0
        for part in text.removesuffix("t").split(":"):
            seconds = 60 * seconds + float(part)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e6:
        raise UserError(f"SoX effect silence: {text!r} is no duration; give seconds, such as 0.1")
    return int(seconds * rate + 0.5)


def _threshold(text: str) -> float:
    """`0.1%` or `-60d` (decibels) as a fraction of full scale."""
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
        if text.endswith("d"):
            return float(10 ** (float(text[:-1]) / 20))
    except ValueError:
        pass
    raise UserError(f"SoX effect silence: {text!r} is no threshold; give percent (0.1%) or decibels (-60d)")


_EFFECTS: dict[str, Effect] = {
    "channels": _channels,
    "gain": _gain,
    "rate": _rate,
    "silence": _silence,
}
