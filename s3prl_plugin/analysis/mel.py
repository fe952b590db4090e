"""The log-mel spectrogram that layers are compared with, and how it comes to a layer's frame rate."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from s3prl_plugin.analysis.grid import average_cells
from s3prl_plugin.strides import SAMPLE_RATE, Stride

BANDS = 80
HOP = 160
WINDOW = 400
FFT_SIZE = 2048
LOWEST_HZ = 50
RANGE_DB = 80.0
PRE_EMPHASIS = 0.97
PEAK = 0.999
SILENT = 1e-30  # so that silence stays silence
FLOOR = 1e-5

TAP_OFFSET = 120
"""Samples from the start of mel frame 0 to the start of a tap's frame 0.

Mel frame j is centred on sample 160 j and stands for the 160 samples around it. A frame of the convolutional front end
sees 400 samples, so with stride s it is centred on s i + s / 2 + 40 and stands for the s samples around that.
"""


def log_mel(waveform: torch.Tensor, hop: int = HOP) -> torch.Tensor:
    """The log-mel spectrogram of one utterance.

    The waveform is scaled to a peak of 0.999 and pre-emphasised (0.97); amplitudes in 80 Slaney bands from 50 Hz to
    8 kHz (1024-bin transform of 25 ms Hann windows every 10 ms), in dB, cut off 80 dB below the utterance's maximum,
    then divided by 80 and raised by one.

    Args:
        waveform: (L,) samples at 16 kHz.
        hop: samples from one frame to the next.

    Returns:
        (1 + L // hop, 80) float32; frame j is centred on sample j hop.

    Reference:
        Pasad et al., arXiv 2211.03929, section 3 (local acoustic features).
    """
    samples = waveform.float()
    peak = torch.linalg.vector_norm(samples, ord=float("inf"))
    samples = samples * (PEAK / peak.clamp(min=SILENT))
    samples = torch.cat([samples[:1], torch.sub(samples[1:], samples[:-1], alpha=PRE_EMPHASIS)])
    window, bands = _window(samples.device), _filter_bank(samples.device)
    spectrum = torch.stft(samples, FFT_SIZE, hop, WINDOW, window, center=True, pad_mode="constant", return_complex=True)
    # not `abs`, which guards against overflow and takes twice as long
    spectrum = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag).sqrt_()
    decibel = 20 * torch.log10((spectrum.T @ bands.T).clamp(min=FLOOR))
    decibel = decibel.clamp(min=decibel.max() - RANGE_DB)
    return decibel / RANGE_DB + 1


def frames_of(samples: int) -> int:
    """The number of mel frames of a waveform of so many samples."""
    return 1 + samples // HOP


def at_stride(mel: torch.Tensor, stride: Stride, frames: int, decimate: bool = False) -> torch.Tensor:
    """Bring mel frames to a tap's frame rate.

    Args:
        mel: (T, 80), as `log_mel` gives it.
        stride: of the tap, in samples.
        frames: how many frames the tap has.
        decimate: take the one mel frame that starts with the tap's frame, as the published protocol does (12.5 ms
            before the centre of a 20 ms frame); otherwise the mean of the mel frames that the tap's frame covers, each
            weighted by how much of it is covered, which is centred exactly.

    Returns:
        (at most `frames`, 80); tap frames that no mel frame covers are left off the end.
    """
    if decimate:
        index = torch.arange(frames, device=mel.device) * stride.numerator // (HOP * stride.denominator)
        return mel[index[index < len(mel)]]
    return average_cells(mel, HOP, stride, frames, offset=TAP_OFFSET)


@lru_cache(maxsize=4)
def _window(device: torch.device) -> torch.Tensor:
    return torch.hann_window(WINDOW, periodic=True, device=device)


@lru_cache(maxsize=4)
def _filter_bank(device: torch.device) -> torch.Tensor:
    """(80, 1025) Slaney-normalised triangular filters, each of unit area over frequency.

    Reference:
        Slaney 1998, "Auditory Toolbox", as librosa.filters.mel has it (whose import takes seconds).
    """
    lowest, highest = _slaney_mel(np.array([LOWEST_HZ, SAMPLE_RATE / 2]))
    edges = _slaney_hz(np.linspace(lowest, highest, BANDS + 2))
    hz = np.linspace(0, SAMPLE_RATE / 2, 1 + FFT_SIZE // 2)
    rising = (hz - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - hz) / np.diff(edges)[1:, None]
    bank = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return torch.from_numpy(bank.astype(np.float32)).to(device)


def _slaney_mel(hz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale: linear to 1 kHz, 15 mel; then 27 mel for every factor of 6.4."""
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4))


def _slaney_hz(mels: np.ndarray) -> np.ndarray:
    """The inverse of `_slaney_mel`."""
    return np.where(mels < 15, 200 * mels / 3, 1000 * 6.4 ** ((mels - 15) / 27))
