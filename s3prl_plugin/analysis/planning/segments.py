"""Phones, words and utterances as frames: which frames of a tap belong to a segment, at any frame rate.

Times become samples once, by rounding; from there on everything is integer arithmetic, so that no rounding error of a
product such as 0.06 / 0.02 can shift a frame; where a stride is a fraction, in ticks of which it is a whole number.
Frame i of a tap with stride s stands for the samples [i s, (i + 1) s).

Three definitions of a segment's mean (`segment_weights`), for a segment [start, end) and T valid frames:

    frames    the mean of whole frames: all that overlap a word, the middle third of those that overlap a phone (the
              published one; see `frame_range`). Rounding to frames moves a phone's middle third: it reaches outside the
              phone where frames are long.
    overlap   every frame weighted by the time that it has in common with the segment, which of a phone is its middle
              third in time, [start + d/3, end - d/3) with d = end - start. The same stretch of speech at every frame
              rate; a frame that lies half outside counts half.
    centre    the one frame that covers the segment's midpoint m = (start + end) / 2: frame floor(m / stride), which is
              also the frame whose own centre (i + 1/2) stride is nearest to m (of two equally near ones, the later).
              Nothing is averaged over time, so that what a frame holds of its segment shows, whatever the segment's
              length. The midpoint of a phone's middle third is the phone's.

A segment that no valid frame overlaps (it ends after the last one) is the last valid frame, or, where it has no length,
the frame it falls into.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from s3prl_plugin.analysis.grid import Bags
from s3prl_plugin.corpora.corpus import Segment, Utterance
from s3prl_plugin.strides import SAMPLE_RATE, Stride, clock, frame_at

WHOLE_FRAMES, OVERLAP, CENTRE = SEGMENT_WEIGHTS = ("frames", "overlap", "centre")


def frame_range(
    start: np.ndarray, end: np.ndarray, stride: Stride, middle_third: bool = False
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
    first = frame_at(start, stride)
    last = -frame_at(-end, stride)
    if middle_third:
        outer = (last - first + 1) // 3
        first, last = first + outer, last - outer
    return first, np.maximum(last, first + 1)


def central_frame(start: np.ndarray, end: np.ndarray, stride: Stride) -> tuple[np.ndarray, np.ndarray]:
    """The frame that covers the midpoint of each segment, as a range; not clipped to an utterance.

    Args:
        start, end: (N,) samples.
        stride: of the tap, in samples.

    Returns:
        first, last: (N,) frame numbers, `last` = `first` + 1.
    """
    frame = frame_at(start + end, 2 * stride)
    return frame, frame + 1


def clip(first: np.ndarray, last: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Clip frame ranges to an utterance of `frames` >= 1 valid frames; at least one frame stays (the last one)."""
    first = np.minimum(first, frames - 1)
    return first, np.clip(last, first + 1, frames)


def _thirds(start: np.ndarray, end: np.ndarray, middle_third: bool) -> tuple[np.ndarray, np.ndarray]:
    """Segments, or their middle thirds, in thirds of a sample: whole numbers."""
    outer = (end - start) if middle_third else 0
    return 3 * start + outer, 3 * end - outer


@dataclass(frozen=True)
class Alignment:
    """All phones or all words of a corpus, or all utterances as what a speaker says, by utterance and time, as arrays.

    Attributes:
        unit: "phone", "word" or "speaker"; of phones the middle third is used, of words and utterances the whole.
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
    def of(cls, utterances: Sequence[Utterance], unit: str, silence: Collection[str] = ()) -> Alignment:
        """Collect the segments of `utterances`.

        Args:
            utterances: of the corpus.
            unit: "phone", "word" or "speaker". For "speaker" an utterance is one segment: from its first phone that is
                not silence to its last one, or all of it where it has no such phones.
            silence: labels of phones that are not speech.
        """
        per_utterance = [_segments_of(u, unit, silence) for u in utterances]
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

    @property
    def thirds(self) -> bool:
        """Whether the middle third of a segment stands for it."""
        return self.unit == "phone"

    def frames(
        self, rows: np.ndarray | slice, stride: Stride, weights: str = WHOLE_FRAMES
    ) -> tuple[np.ndarray, np.ndarray]:
        """The ranges of frames, before clipping, that have any weight in some segments; see `frame_range`."""
        if weights == CENTRE:
            return central_frame(self.start[rows], self.end[rows], stride)
        if weights == WHOLE_FRAMES:
            return frame_range(self.start[rows], self.end[rows], stride, self.thirds)
        return frame_range(*_thirds(self.start[rows], self.end[rows], self.thirds), 3 * stride)

    def bags(self, rows: np.ndarray, stride: Stride, frames: int, weights: str = WHOLE_FRAMES) -> Bags:
        """The frames of an utterance that some of its segments are means of.

        Args:
            rows: (S,) positions of segments of one utterance.
            stride: of the tap, in samples.
            frames: T, its valid frames; where there are none, bags are empty.
            weights: one of `SEGMENT_WEIGHTS`.

        Returns:
            S bags.
        """
        if not frames:
            return Bags.of_ranges(np.zeros_like(rows), np.zeros_like(rows))
        if weights != OVERLAP:
            return Bags.of_ranges(*clip(*self.frames(rows, stride, weights), frames))
        ticks = clock(stride)
        begin, end = (ticks * moment for moment in _thirds(self.start[rows], self.end[rows], self.thirds))
        return Bags.of_spans(begin, end, 3 * int(stride * ticks), frames)

    def crowding(self, rows: np.ndarray, stride: Stride, weights: str = WHOLE_FRAMES) -> tuple[float, float]:
        """How far a frame rate blurs segments into each other.

        Args:
            rows: the segments that are analysed, as positions in this alignment.
            stride: in samples.
            weights: one of `SEGMENT_WEIGHTS`.

        Returns:
            shared: the fraction of `rows` that have a frame in common with the segment before or after them (each
                taken with its own frames as they are averaged).
            outside: the fraction of `rows` whose frames reach beyond the segment itself.
        """
        if not len(rows):
            return 0.0, 0.0
        first, last = self.frames(slice(None), stride, weights)
        same = self.utterance[1:] == self.utterance[:-1]
        overlap = same & (first[1:] < last[:-1]) & (first[:-1] < last[1:])
        shared = np.append(overlap, False) | np.append(False, overlap)
        ticks = clock(stride)
        width = int(stride * ticks)
        outside = (first * width < self.start * ticks) | (last * width > self.end * ticks)
        return float(shared[rows].mean()), float(outside[rows].mean())


def _segments_of(utterance: Utterance, unit: str, silence: Collection[str]) -> Sequence[Segment]:
    """The segments of one utterance."""
    if unit != "speaker":
        return utterance.phones if unit == "phone" else utterance.words
    spoken = [phone for phone in utterance.phones if phone.label not in silence]
    start = min((phone.start_s for phone in spoken), default=0.0)
    end = max((phone.end_s for phone in spoken), default=utterance.duration_s)
    return [Segment(utterance.speaker, start, end)]


def _samples(seconds: Sequence[float]) -> np.ndarray:
    """Times in seconds as sample numbers at 16 kHz."""
    return np.rint(np.asarray(seconds, dtype=np.float64) * SAMPLE_RATE).astype(np.int64)
