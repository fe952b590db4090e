"""What a hierarchy of speech takes: log-mel frames, one after the other, each the middle of its own stretch."""

from __future__ import annotations

from torch import Tensor

from s3prl_plugin.analysis import mel

DECIBEL = mel.RANGE_DB
"""Decibels to one unit of the features."""


def log_mel(waveform: Tensor, hop: int) -> Tensor:
    """The features of one utterance.

    Frame j is centred on sample (j + 1) hop: 25 ms of it reach as far past the middle of [j hop, (j + 1) hop) as a
    frame of HuBERT's front end does, for a hop of 5 ms.

    Args:
        waveform: (L,) samples at 16 kHz, L >= hop.
        hop: samples from one frame to the next.

    Returns:
        (L // hop, 80) float32; see `analysis.mel.log_mel`.
    """
    return mel.log_mel(waveform, hop)[1:]


def frames_of(samples: int, hop: int) -> int:
    """The number of feature frames of a waveform of so many samples."""
    return samples // hop
