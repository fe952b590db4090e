"""Labels checked against their audio and each other."""

import math

import pytest

from s3prl_plugin.corpora import alignment
from s3prl_plugin.corpora.alignment import BadAlignment, checked
from s3prl_plugin.corpora.corpus import Segment


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


def test_rounded_times_may_cross_by_less_than_a_sample():
    given = segments((0.1, 0.2000004), (0.2, 0.3))
    assert checked(given, 1.0, may_overlap=False) == tuple(given)
