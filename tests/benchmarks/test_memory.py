"""Peak memory of jobs whose need is known."""

import sys

import pytest

from benchmarks import memory

pytestmark = pytest.mark.skipif(not memory.STATUS.is_file(), reason="peak memory is read from Linux's /proc")
MEGABYTE = 1_000_000


def take(megabytes):
    """A job that holds so much, and gives it back before its end."""

    def job():
        held = bytearray(megabytes * MEGABYTE)
        del held
        return bytearray(MEGABYTE)

    return job


def test_the_peak_is_that_of_the_job_alone():
    parent = bytearray(400 * MEGABYTE)  # a child must not be charged for what its parent holds
    small, large = memory.peak_bytes(take, 20), memory.peak_bytes(take, 200)
    assert 19 * MEGABYTE < small < 25 * MEGABYTE  # the kernel counts in batches of pages
    assert 199 * MEGABYTE < large < 205 * MEGABYTE
    assert len(parent) == 400 * MEGABYTE
    assert sys.getsizeof(parent) > large
