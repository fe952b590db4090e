"""Speech as another room and another microphone would have it: a filter, reverberation and noise, drawn anew.

The units stay those of the speech as it was, so a network learns to look past the channel, as WavLM's does past noise
and other talkers (Chen et al. 2022, arXiv 2110.13900).
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor

from s3prl_plugin.states.taps import SAMPLE_RATE

FILTER_DB = 5.0  # standard deviation of the gain at each of the knots
FILTER_KNOTS = 9  # evenly over the mel scale; linear in dB between them
REVERBERANT = 0.5  # of the utterances
DECAY_S = (0.1, 0.5)  # to -60 dB
DIRECT_DB = (3.0, 15.0)  # of the direct sound over the reverberation
NOISE_DB = (8.0, 35.0)  # of the speech over the noise
NOISE_SLOPE_DB = (-6.0, 0.0)  # per octave: from brown to white


def perturbed(waveform: Tensor, draw: np.random.Generator) -> Tensor:
    """A waveform through a random channel; nothing is shifted in time.

    Args:
        waveform: (L,) samples at 16 kHz.
        draw: decides the channel and the noise.

    Returns:
        (L,) of the same type, with the root mean square that it had; silence stays as it is.
    """
    power = float(waveform.square().mean())
    if power == 0:
        return waveform
    length = len(waveform)
    decay_s = draw.uniform(*DECAY_S)
    tail = int(decay_s * SAMPLE_RATE) if draw.random() < REVERBERANT else 0
    size = next_fast_len(length + tail, real=True)
    hertz = torch.fft.rfftfreq(size, 1 / SAMPLE_RATE).numpy()
    response = torch.from_numpy(_filter(hertz, draw))
    if tail:
        response = response * torch.fft.rfft(_room(tail, draw), size)
    heard = torch.fft.irfft(torch.fft.rfft(waveform.double(), size) * response, size)[:length]
    noise = _noise(hertz, size, draw)[:length]
    level = 10 ** (-draw.uniform(*NOISE_DB) / 20)
    heard = heard / heard.square().mean().sqrt() + level * noise / noise.square().mean().sqrt()
    return (heard * (power / heard.square().mean()).sqrt()).to(waveform.dtype)


def _filter(hertz: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """(F,) the gain at every frequency."""
    mel = np.log1p(hertz / 700)
    knots = np.linspace(0, mel[-1], FILTER_KNOTS)
    return 10 ** (np.interp(mel, knots, draw.normal(0, FILTER_DB, FILTER_KNOTS)) / 20)


def _room(tail: int, draw: np.random.Generator) -> Tensor:
    """(tail,) an impulse response: the direct sound, and noise that decays by 60 dB."""
    response = draw.standard_normal(tail) * 10 ** (-3 * np.arange(tail) / tail)
    response[0] = 0
    response *= 10 ** (-draw.uniform(*DIRECT_DB) / 20) / np.sqrt(np.square(response).sum())
    response[0] = 1
    return torch.from_numpy(response)


def _noise(hertz: np.ndarray, size: int, draw: np.random.Generator) -> Tensor:
    """(size,) noise whose spectrum falls steadily."""
    slope = draw.uniform(*NOISE_SLOPE_DB)
    gain = np.maximum(hertz, 50.0) ** (slope / (20 * np.log10(2)))
    return torch.fft.irfft(torch.fft.rfft(torch.from_numpy(draw.standard_normal(size))) * torch.from_numpy(gain), size)
