"""Diarization error rate: who spoke when, against who is said to have spoken when.

Mathematics on turns; knows neither files nor s3prl.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Turn = tuple[str, float, float]
"""(speaker, start in seconds, end in seconds)"""


@dataclass(frozen=True, slots=True)
class Errors:
    """Speaker time in seconds, summed over speakers: with two at once, a second counts twice.

    Attributes:
        missed: that the reference has and the hypothesis has not.
        false_alarm: that the hypothesis has and the reference has not.
        confused: that both have, with another speaker.
        spoken: that the reference has.
    """

    missed: float
    false_alarm: float
    confused: float
    spoken: float

    @property
    def rate(self) -> float:
        """The diarization error rate, a fraction; nan where nobody speaks."""
        wrong = self.missed + self.false_alarm + self.confused
        return wrong / self.spoken if self.spoken > 0 else float("nan")

    def __add__(self, other: Errors) -> Errors:
        return Errors(
            self.missed + other.missed,
            self.false_alarm + other.false_alarm,
            self.confused + other.confused,
            self.spoken + other.spoken,
        )


def diarization_errors(
    reference: Sequence[Turn], hypothesis: Sequence[Turn], duration_s: float, collar_s: float = 0.0
) -> Errors:
    """The errors in one recording; overlapped speech is scored.

    Args:
        reference: who spoke when.
        hypothesis: the same, with any names: speakers are mapped one to one, in the way that leaves the fewest errors.
        duration_s: of the recording; what lies outside is not scored.
        collar_s: so much on either side of every beginning and end in the reference is not scored.

    Reference:
        NIST, Rich Transcription 2009 evaluation plan, section 6.1, and its scoring program md-eval.
    """
    from scipy.optimize import linear_sum_assignment  # half a second to import

    edges = _edges(reference, hypothesis, duration_s, collar_s)
    middles, lengths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    for _, start, end in reference:
        for border in (start, end):
            lengths = np.where(np.abs(middles - border) < collar_s, 0.0, lengths)
    said, heard = _active(reference, middles), _active(hypothesis, middles)
    count_said, count_heard = said.sum(axis=0), heard.sum(axis=0)
    together = (said * lengths) @ heard.T
    matched = float(together[linear_sum_assignment(together, maximize=True)].sum())
    both = float(np.minimum(count_said, count_heard) @ lengths)
    return Errors(
        missed=float(np.maximum(count_said - count_heard, 0) @ lengths),
        false_alarm=float(np.maximum(count_heard - count_said, 0) @ lengths),
        confused=both - matched,
        spoken=float(count_said @ lengths),
    )


def turns(active: np.ndarray, frame_s: float) -> list[Turn]:
    """The turns in frame-wise decisions.

    Args:
        active: (T, S), true where a speaker speaks.
        frame_s: of a frame, in seconds.

    Returns:
        Turns of speakers "0", "1", ...
    """
    found = []
    for speaker, frames in enumerate(np.asarray(active, dtype=bool).T):
        changes = np.flatnonzero(np.diff(np.concatenate([[False], frames, [False]]).astype(np.int8)))
        for start, end in zip(changes[::2], changes[1::2], strict=True):
            found.append((str(speaker), float(start * frame_s), float(end * frame_s)))
    return found


def total(errors: Iterable[Errors]) -> Errors:
    """The errors of several recordings, whose time is pooled."""
    return sum(errors, Errors(0.0, 0.0, 0.0, 0.0))


def _edges(reference: Sequence[Turn], hypothesis: Sequence[Turn], duration_s: float, collar_s: float) -> np.ndarray:
    """Where anything changes, from the beginning of the recording to its end."""
    borders = [t for _, *span in (*reference, *hypothesis) for t in span]
    collars = [t + side for _, *span in reference for t in span for side in (-collar_s, collar_s)]
    return np.unique(np.clip([0.0, duration_s, *borders, *collars], 0.0, duration_s))


def _active(turns: Sequence[Turn], times: np.ndarray) -> np.ndarray:
    """(S, T) whether each speaker speaks at each time; a speaker's own overlapping turns count once."""
    speakers: Mapping[str, int] = {name: i for i, name in enumerate(sorted({name for name, _, _ in turns}))}
    active = np.zeros((len(speakers), len(times)))
    for name, start, end in turns:
        active[speakers[name], (times >= start) & (times < end)] = 1
    return active
