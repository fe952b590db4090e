"""Time spans for reading."""

import datetime

import pytest

from s3prl_plugin.jobs.durations import about, clock


@pytest.mark.parametrize("seconds", [0, 1, 59, 60, 61, 599, 3599, 3600, 3661, 86399])
def test_a_clock_says_what_the_standard_library_says(seconds):
    said = clock(seconds + 0.2)
    assert str(datetime.timedelta(seconds=seconds)).removeprefix("0:").removeprefix("0").lstrip(":") == said.lstrip(":")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (29, "29 s"), (90 + 1, "2 min"), (3540, "59 min"), (2 * 3600 + 300, "2 h 05 min")],
)
def test_about(seconds, said):
    assert about(seconds) == said
