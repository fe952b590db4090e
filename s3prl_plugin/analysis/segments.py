"""Phones and words as frames: which frames of a tap belong to a segment, at any frame rate.

Times become samples once, by rounding; from there on everything is integer arithmetic, so that no rounding error of a
product such as 0.06 / 0.02 can shift a frame. Frame i of a tap with stride s stands for the samples [i s, (i + 1) s).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.taps import SAMPLE_RATE


def frame_range(
    start: np.ndarray, end: np.ndarray, stride: int, middle_third: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The frames of segments, before they are clipped to an utterance.

    From floor(start / stride) to ceil(end / stride): every frame that overlaps the segment. Of n such frames the
    middle third drops (n + 1) // 3 on each side; where that leaves none (n = 2), the second of the two stays.

    Args:
        start, end: (N,) samples, `start` <= t < `end`.
        stride: of the tap, in samples.
        middle_third: leave out the outer thirds, as is done for phones.

    Returns:
        first, last: (N,) frame numbers, `last` exclusive and at least `first` + 1.

    Reference:
        Pasad et al., "Comparative layer-wise analysis of self-supervised speech models", arXiv 2211.03929, section 3.
    """
    first = start // stride
    last = -(-end // stride)
    if middle_third:
        outer = (last - first + 1) // 3
        first, last = first + outer, last - outer
    return first, np.maximum(last, first + 1)


def clip(first: np.ndarray, last: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Clip frame ranges to an utterance of `frames` >= 1 valid frames; at least one frame stays (the last one)."""
    first = np.minimum(first, frames - 1)
    return first, np.clip(last, first + 1, frames)


def averaging(first: np.ndarray, last: np.ndarray, frames: int) -> np.ndarray:
    """The matrix that averages frames into segments.

    Args:
        first, last: (S,) clipped frame ranges.
        frames: T, the valid frames of the utterance.

    Returns:
        (S, T) float32 weights; every row sums to one.
    """
    frame = np.arange(frames)
    inside = (frame >= first[:, None]) & (frame < last[:, None])
    return (inside / (last - first)[:, None]).astype(np.float32)


@dataclass(frozen=True)
class Alignment:
    """All phones or all words of a corpus, by utterance and time, as arrays.

    Attributes:
        unit: "phone" or "word"; of phones the middle third is used, of words the whole.
        labels: the label names, sorted.
        label: (N,) positions in `labels`.
        utterance: (N,) positions in the corpus, increasing.
        start, end: (N,) samples at 16 kHz.
        offsets: (U + 1,) the segments of utterance u are those from offsets[u] to offsets[u + 1].
    """

    unit: str
    labels: tuple[str, ...]
    label: np.ndarray
    utterance: np.ndarray
    start: np.ndarray
    end: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, utterances: Sequence[Utterance], unit: str) -> Alignment:
        """Collect the segments of `utterances`.

        Args:
            utterances: of the corpus.
            unit: "phone" or "word".
        """
        per_utterance = [u.phones if unit == "phone" else u.words for u in utterances]
        counts = [len(segments) for segments in per_utterance]
        flat = [s for segments in per_utterance for s in sorted(segments, key=lambda s: (s.start_s, s.end_s))]
        labels, label = np.unique(np.array([s.label for s in flat], dtype=object).astype(str), return_inverse=True)
        return cls(
            unit=unit,
            labels=tuple(labels.tolist()),
            label=label.astype(np.int64),
            utterance=np.repeat(np.arange(len(counts)), counts),
            start=_samples([s.start_s for s in flat]),
            end=_samples([s.end_s for s in flat]),
            offsets=np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]),
        )

    def __len__(self) -> int:
        """The number of segments."""
        return len(self.label)

    def frames(self, rows: np.ndarray | slice, stride: int) -> tuple[np.ndarray, np.ndarray]:
        """The frame ranges, before clipping, of some segments; see `frame_range`."""
        return frame_range(self.start[rows], self.end[rows], stride, middle_third=self.unit == "phone")

    def crowding(self, rows: np.ndarray, stride: int) -> tuple[float, float]:
        """How far a frame rate blurs segments into each other.

        Args:
            rows: the segments that are analysed, as positions in this alignment.
            stride: in samples.

        Returns:
            shared: the fraction of `rows` that have a frame in common with the segment before or after them (each
                taken with its own frames as they are averaged).
            outside: the fraction of `rows` whose frames reach beyond the segment itself.
        """
        if not len(rows):
            return 0.0, 0.0
        first, last = self.frames(slice(None), stride)
        same = self.utterance[1:] == self.utterance[:-1]
        overlap = same & (first[1:] < last[:-1]) & (first[:-1] < last[1:])
        shared = np.append(overlap, False) | np.append(False, overlap)
        outside = (first * stride < self.start) | (last * stride > self.end)
        return float(shared[rows].mean()), float(outside[rows].mean())


def _samples(seconds: Sequence[float]) -> np.ndarray:
    """Times in seconds as sample numbers at 16 kHz."""
    return np.rint(np.asarray(seconds, dtype=np.float64) * SAMPLE_RATE).astype(np.int64)
