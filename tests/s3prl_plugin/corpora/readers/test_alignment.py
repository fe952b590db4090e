"""Labels checked against their audio and each other."""

import math

import pytest

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.readers import alignment
from s3prl_plugin.corpora.readers.alignment import BadAlignment, checked


def segments(*spans):
    return [Segment(f"s{i}", start, end) for i, (start, end) in enumerate(spans)]


def test_segments_come_back_in_time_order():
    given = segments((0.5, 1.0), (0.0, 0.2), (0.2, 0.5))
    assert checked(given, 1.0, may_overlap=False) == (given[1], given[2], given[0])


def test_touching_and_gapped_phones_are_fine():
    given = segments((0.1, 0.2), (0.2, 0.3), (0.7, 0.8))
    assert checked(given, 1.0, may_overlap=False) == tuple(given)


@pytest.mark.parametrize(
    ("spans", "reason"),
    [
        ([(0.1, 0.3), (0.25, 0.4)], alignment.OVERLAP),
        ([(0.1, 0.3), (0.298, 0.4)], alignment.OVERLAP),
        ([(0.1, 0.8), (0.2, 0.3)], alignment.OVERLAP),
        ([(0.3, 0.3)], alignment.NO_SPAN),
        ([(0.4, 0.3)], alignment.NO_SPAN),
        ([(-0.1, 0.3)], alignment.BEFORE_START),
        ([(0.5, 1.021)], alignment.PAST_END),
        ([(1.0, 1.01)], alignment.PAST_END),
        ([(math.nan, 0.3)], alignment.NO_TIME),
        ([(0.2, math.inf)], alignment.NO_TIME),
    ],
)
def test_faults_are_named(spans, reason):
    with pytest.raises(BadAlignment) as caught:
        checked(segments(*spans), 1.0, may_overlap=False)
    assert caught.value.reason == reason
    assert reason in str(caught.value)


def test_words_may_overlap():
    given = segments((0.1, 0.3), (0.25, 0.4))
    assert checked(given, 1.0, may_overlap=True) == tuple(given)


def test_a_label_may_end_a_frame_late_and_is_cut():
    (kept,) = checked(segments((0.5, 1.019)), 1.0, may_overlap=False)
    assert kept == Segment("s0", 0.5, 1.0)


@pytest.mark.parametrize("end", [0.2000004, 0.2 + 1 / 16000, 0.201])
def test_rounded_times_may_cross_by_a_millisecond(end):
    given = segments((0.1, end), (0.2, 0.3))
    assert checked(given, 1.0, may_overlap=False) == tuple(given)


def test_a_silence_at_the_end_may_end_a_frame_of_its_aligner_late():
    given = [Segment("a", 0.0, 0.9), Segment("sil", 0.9, 1.04)]
    assert checked(given, 1.0, False, {"sil"}) == (given[0], Segment("sil", 0.9, 1.0))
    assert checked([*given, Segment("", 1.04, 1.07)], 1.07, False, {"sil", ""})[-1].end_s == 1.07
    past = [Segment("a", 0.0, 1.0), Segment("sil", 1.0, 1.04)]
    assert checked(past, 1.0, False, {"sil"}) == (past[0],)
    for silence, end in ((set(), 1.04), ({"sil"}, 1.2)):
        with pytest.raises(BadAlignment) as caught:
            checked([given[0], Segment("sil", 0.9, end)], 1.0, False, silence)
        assert caught.value.reason == alignment.PAST_END


@pytest.mark.parametrize(
    ("span", "duration", "moved"),
    [
        (None, 2.0, 0.0),
        ((0.0, 2.0), 2.0, 0.0),
        ((12.5, 14.5), 2.0, 12.5),
        ((12.5, 14.5), 14.5, 0.0),  # a stretch of audio that is there as a whole
        ((-0.5, 1.5), 2.0, -0.5),
        ((math.nan, 1.0), 1.0, 0.0),
    ],
)
def test_labels_that_begin_late_are_where_the_audio_is(span, duration, moved):
    assert alignment.from_zero(span, duration) == moved
