"""The log-mel spectrogram that layers are compared with, and how it comes to a layer's frame rate."""

from __future__ import annotations

from functools import lru_cache

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
    peak = samples.abs().max()
    samples = samples * (PEAK / peak if peak > 0 else 0.0)
    samples = torch.cat([samples[:1], samples[1:] - PRE_EMPHASIS * samples[:-1]])
    window, bands = _window(samples.device), _filter_bank(samples.device)
    spectrum = torch.stft(
        samples, FFT_SIZE, hop, WINDOW, window, center=True, pad_mode="constant", return_complex=True
    ).abs()
    decibel = 20 * torch.log10((bands @ spectrum).clamp(min=FLOOR))
    decibel = decibel.clamp(min=decibel.max() - RANGE_DB)
    return (decibel / RANGE_DB + 1).T.contiguous()


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
    """(80, 1025) Slaney-normalised triangular filters."""
    from librosa.filters import mel

    bank = mel(sr=SAMPLE_RATE, n_fft=FFT_SIZE, n_mels=BANDS, fmin=LOWEST_HZ, fmax=SAMPLE_RATE / 2)
    return torch.from_numpy(bank).to(device)
