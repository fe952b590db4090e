"""MFCC frames as HuBERT's first iteration clusters them: Kaldi's, with two orders of deltas.

Kaldi's frames begin with the audio and are 400 samples long, as the receptive field of the convolutional front end is.
So the frame at sample 320 i is what the network's frame i of 20 ms sees, and there are as many of them.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from s3prl_plugin.states.taps import SAMPLE_RATE

WINDOW = 400
HOP = 160
FFT_SIZE = 512
BANDS = 23
COEFFICIENTS = 13
DIM = 3 * COEFFICIENTS
LOWEST_HZ = 20.0
PRE_EMPHASIS = 0.97
LIFTER = 22.0
DELTA_REACH = 2  # frames on each side


def mfcc(waveform: Tensor) -> Tensor:
    """The MFCC of an utterance every 10 ms, with deltas and deltas of deltas.

    Args:
        waveform: (L,) samples at 16 kHz, at least 400; full scale is 1.

    Returns:
        ((L - 400) // 160 + 1, 39) float32.

    Reference:
        Hsu et al. 2021, "HuBERT", section IV-B; Kaldi's `compute-mfcc-feats` with its defaults, without energy and
        dither.
    """
    window, bands, cosines = _tables(waveform.device)
    frames = waveform.float().unfold(0, WINDOW, HOP)
    frames = frames - frames.mean(1, keepdim=True)
    before = F.pad(frames[:, :-1], (1, 0)) + F.pad(frames[:, :1], (0, WINDOW - 1))
    spectrum = torch.fft.rfft((frames - PRE_EMPHASIS * before) * window, FFT_SIZE).abs().square()
    energies = (spectrum @ bands).clamp(min=torch.finfo(torch.float32).eps).log()
    coefficients = energies @ cosines
    first = deltas(coefficients)
    return torch.cat([coefficients, first, deltas(first)], dim=1)


def deltas(x: Tensor) -> Tensor:
    """The slope over five frames, (T, D) -> (T, D); the first and last frame go on beyond the ends."""
    padded = torch.cat([x[:1].expand(DELTA_REACH, -1), x, x[-1:].expand(DELTA_REACH, -1)])

    def at(shift: int) -> Tensor:
        return padded[DELTA_REACH + shift : DELTA_REACH + shift + len(x)]

    reach = range(1, DELTA_REACH + 1)
    slope = torch.stack([n * (at(n) - at(-n)) for n in reach]).sum(0)
    return slope / (2 * sum(n * n for n in reach))


@lru_cache(maxsize=2)
def _tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The window (400,), the mel bands (257, 23), and the cosines with the lifter (23, 13)."""
    window = torch.hann_window(WINDOW, periodic=False, dtype=torch.float64) ** 0.85
    k, n = torch.arange(COEFFICIENTS).double(), torch.arange(BANDS).double()
    cosines = math.sqrt(2 / BANDS) * torch.cos(math.pi / BANDS * (n[:, None] + 0.5) * k)
    cosines[:, 0] = math.sqrt(1 / BANDS)
    lifter = 1 + LIFTER / 2 * torch.sin(math.pi * k / LIFTER)
    return window.float().to(device), _bands().float().to(device), (cosines * lifter).float().to(device)


def _bands() -> Tensor:
    """(257, 23): triangles that are even on the mel scale; the highest frequency is in none."""
    hertz = torch.arange(FFT_SIZE // 2 + 1).double() * SAMPLE_RATE / FFT_SIZE
    edges = torch.linspace(_mel(LOWEST_HZ), _mel(SAMPLE_RATE / 2), BANDS + 2, dtype=torch.float64)
    mel = 1127 * torch.log1p(hertz / 700)[:, None]
    rising = (mel - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mel) / (edges[2:] - edges[1:-1])
    bands = torch.minimum(rising, falling).clamp(min=0)
    bands[-1] = 0
    return bands


def _mel(hertz: float) -> float:
    return 1127 * math.log1p(hertz / 700)
