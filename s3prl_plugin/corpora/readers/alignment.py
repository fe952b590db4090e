"""Checks of an utterance's phones and words against its audio and each other."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.states.taps import SAMPLE_RATE

END_TOLERANCE_S = 0.02
"""How far a label may end past its audio (one 20 ms frame): aligners round up to their own frame."""
SILENCE_TOLERANCE_S = 0.08
"""How far a silence at the end may: one frame of the slowest aligners; nothing is lost with it."""

OVERLAP_TOLERANCE_S = 0.0011
"""How far two phones may overlap where they meet: starts and durations that were rounded to a millisecond, each."""

_DIGITS = 9  # of a second; what remains when times are subtracted is no time

PAST_END = "alignment past the end of its audio"
BEFORE_START = "alignment before the start of its audio"
NO_SPAN = "a segment ends before or where it starts"
OVERLAP = "overlapping phones"
NO_TIME = "a segment's time is not a number"


class BadAlignment(ValueError):
    """An utterance whose labels cannot be trusted.

    Attributes:
        reason: short and the same for all utterances with this fault.
    """

    def __init__(self, reason: str, segment: Segment):
        what = f"{segment.label!r}, {segment.start_s:.3f} to {segment.end_s:.3f} s"
        super().__init__(f"{reason} ({what}); mend its labels or remove the utterance")
        self.reason = reason


def from_zero(span: tuple[float, float] | None, duration_s: float) -> float:
    """How much earlier the labels of a file are in its audio.

    Args:
        span: from when to when the file says that its labels are, in seconds; None where it does not say.
        duration_s: of the audio.

    Returns:
        The begin of the span, where audio as long as the span fits better than audio that lasts until its end.
    """
    if span is None or not all(map(math.isfinite, span)) or abs(span[0]) < 1 / SAMPLE_RATE:
        return 0.0
    start, end = span
    return start if abs(duration_s - (end - start)) < abs(duration_s - end) else 0.0


def earlier(segments: Iterable[Segment], by_s: float) -> Iterable[Segment]:
    """Segments, moved towards the start."""
    if not by_s:
        return segments
    return (Segment(s.label, round(s.start_s - by_s, _DIGITS), round(s.end_s - by_s, _DIGITS)) for s in segments)


def within(segments: Iterable[Segment], start_s: float, end_s: float) -> list[Segment]:
    """The segments in a stretch of audio; one that reaches out of it by at most `END_TOLERANCE_S` is cut to it."""
    first, last = start_s - END_TOLERANCE_S, end_s + END_TOLERANCE_S
    return [
        s
        if start_s <= s.start_s and s.end_s <= end_s
        else Segment(s.label, max(s.start_s, start_s), min(s.end_s, end_s))
        for s in segments
        if first <= s.start_s <= s.end_s <= last and s.start_s < end_s and s.end_s > start_s
    ]


def checked(
    segments: Iterable[Segment], duration_s: float, may_overlap: bool, silence: Collection[str] = ()
) -> tuple[Segment, ...]:
    """Segments in time order, each inside its audio.

    Args:
        segments: of one utterance and one kind, in any order.
        duration_s: of the audio; a segment that ends past it by at most `END_TOLERANCE_S` is cut to it.
        may_overlap: words of connected speech share a phone at times, phones may not.
        silence: labels of which the last one may end past the audio by `SILENCE_TOLERANCE_S`.

    Raises:
        BadAlignment: a span is empty or reversed, lies outside the audio, or overlaps where it may not.
    """
    ordered = sorted(segments, key=lambda s: (s.start_s, s.end_s))
    result = []
    reached = 0.0
    if ordered and ordered[-1].label in silence and duration_s < ordered[-1].end_s <= duration_s + SILENCE_TOLERANCE_S:
        last = ordered.pop()
        if last.start_s < duration_s:
            ordered.append(Segment(last.label, last.start_s, duration_s))
    for segment in ordered:
        start, end = segment.start_s, segment.end_s
        if not (math.isfinite(start) and math.isfinite(end)):
            raise BadAlignment(NO_TIME, segment)
        if end <= start:
            raise BadAlignment(NO_SPAN, segment)
        if start < 0:
            raise BadAlignment(BEFORE_START, segment)
        if end > duration_s + END_TOLERANCE_S or start >= duration_s:
            raise BadAlignment(PAST_END, segment)
        if not may_overlap and start < reached - OVERLAP_TOLERANCE_S:
            raise BadAlignment(OVERLAP, segment)
        reached = end
        result.append(segment if end <= duration_s else Segment(segment.label, start, duration_s))
    return tuple(result)
