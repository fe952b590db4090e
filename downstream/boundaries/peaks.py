"""Where neighbouring frames differ most.

Dissimilarity d_i is between frames i and i + 1, and stands at (i + 1) strides, where one ends and the other begins; the
moving average of w of them that begins with d_i stands at (i + 1 + (w - 1) / 2) strides. Features are standardised per
dimension over the utterance, so that what is needed of an utterance is known when it has been heard.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import scipy.signal
import torch

from s3prl_plugin.strides import Stride

COSINE, EUCLIDEAN = DISTANCES = ("cosine", "euclidean")
WINDOWS = (1, 2, 3, 4)  # frames that are averaged
PROMINENCES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)  # standard deviations of the utterance's curve
SETTINGS = tuple(product(range(len(DISTANCES)), WINDOWS, PROMINENCES))
"""(distance, window, least prominence) that are chosen from."""


def dissimilarities(frames: torch.Tensor) -> np.ndarray:
    """(2, T - 1) float32: by cosine and by Euclidean distance, of neighbouring frames.

    Args:
        frames: (T, D).
    """
    if len(frames) < 2:
        return np.zeros((2, 0), dtype=np.float32)
    frames = frames.double()
    spread = frames.std(dim=0, correction=0)
    frames = (frames - frames.mean(dim=0)) / torch.where(spread > 0, spread, 1)
    norm = frames.norm(dim=1)
    norm = torch.where(norm > 0, norm, 1)
    cosine = 1 - (frames[1:] * frames[:-1]).sum(dim=1) / (norm[1:] * norm[:-1])
    euclidean = (frames[1:] - frames[:-1]).norm(dim=1)
    return torch.stack([cosine, euclidean]).float().cpu().numpy()


def ticks(stride: Stride) -> int:
    """How many units of time a sample has in which all moments of `peaks` are whole."""
    return 2 * stride.denominator


def peaks(curve: np.ndarray, window: int, stride: Stride) -> tuple[np.ndarray, np.ndarray]:
    """All peaks of an averaged curve.

    Args:
        curve: (T - 1,) of one utterance.
        window: how many neighbours are averaged.
        stride: of the tap, in samples.

    Returns:
        moments: (P,) increasing, in `ticks` of a sample.
        prominences: (P,) in standard deviations of the averaged curve.
    """
    if len(curve) < window + 2:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    averaged = np.convolve(curve.astype(np.float64), np.full(window, 1 / window), mode="valid")
    spread = float(averaged.std())
    place, found = scipy.signal.find_peaks(averaged, prominence=0)
    return (2 * place + 1 + window) * stride.numerator, found["prominences"] / (spread or 1.0)


def nearest_edges(references: np.ndarray, stride: Stride) -> np.ndarray:
    """The edges of frames that are nearest to some moments, each once: about the best that a frame rate allows.

    Of two equally near ones, that of the even number.

    Args:
        references: (R,) samples.
        stride: of the frames.

    Returns:
        In `ticks` of a sample.
    """
    width = 2 * stride.numerator
    below, rest = np.divmod(np.asarray(references, dtype=np.int64) * ticks(stride), width)
    above = (2 * rest > width) | ((2 * rest == width) & (below % 2 == 1))
    return np.unique(below + above) * width
