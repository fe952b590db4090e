"""Strides that are fractions of a sample, against exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3prl_plugin.strides import clock, exact_stride, frame_at, from_float, ms_text, stride_number, written_stride

STRIDES = [320, 640, Fraction(640, 3), Fraction(81920, 441), Fraction(2, 3)]


@pytest.mark.parametrize("stride", STRIDES)
def test_a_stride_survives_files_and_plain_numbers(stride):
    assert exact_stride(written_stride(stride)) == stride
    assert from_float(stride_number(stride)) == stride
    assert type(exact_stride(written_stride(stride))) is type(stride)


def test_whole_numbers_are_ints_and_stand_so_in_files():
    assert type(exact_stride(Fraction(640, 2))) is int
    assert written_stride(320) == 320
    assert written_stride(Fraction(640, 3)) == "640/3"


@pytest.mark.parametrize("text", ["0", "-640/3", "640/0", "fine"])
def test_what_is_no_stride(text):
    with pytest.raises(ValueError, match=r"not above 0|is no fraction|Invalid literal"):
        exact_stride(text)


def test_names_in_milliseconds_have_two_decimals():
    found = {stride: ms_text(stride) for stride in [320, 1280, 40, Fraction(640, 3), Fraction(81920, 441)]}
    assert list(found.values()) == ["20", "80", "2.5", "13.33", "11.61"]


@given(st.integers(-(10**7), 10**7), st.sampled_from(STRIDES))
def test_the_frame_that_covers_a_moment(moment, stride):
    frame = int(frame_at(np.array([moment]), stride)[0])
    assert frame * stride <= moment < (frame + 1) * stride


def test_a_clock_makes_all_of_them_whole():
    assert clock(320, 640) == 1
    assert clock(320, Fraction(640, 3), Fraction(1, 2)) == 6
