"""Jobs in threads: their results in order, a bounded number at a time, and errors in their turn."""

import threading
import time

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from s3prl_plugin.analysis.in_threads import in_threads


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_jobs(threads):
    jobs = [lambda i=i: time.sleep(0.01 * (i % 3 == 0)) or i for i in range(12)]
    assert list(in_threads(jobs, threads)) == list(range(12))


def test_no_more_are_begun_than_there_are_threads():
    running, most, lock = [], [], threading.Lock()

    def job():
        with lock:
            running.append(1)
            most.append(len(running))
        time.sleep(0.005)
        with lock:
            running.pop()
        return threading.current_thread()

    workers = set(in_threads([job] * 10, 3))
    assert max(most) == 3
    assert threading.main_thread() not in workers
    assert set(in_threads([job], 1)) == {threading.main_thread()}


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_comes_in_its_turn_and_ends_the_rest(threads):
    begun = []

    def job(i):
        begun.append(i)
        if i == 2:
            raise KeyError("two")
        return i

    results = in_threads((lambda i=i: job(i) for i in range(100)), threads)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError, match="two"):
        next(results)
    assert len(begun) < 10


def test_libraries_have_one_thread_in_a_job_and_as_many_as_before_after_it():
    def counts():
        np.eye(2) @ np.eye(2)
        return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}

    with threadpool_limits(2):
        before = counts()
        assert list(in_threads([counts] * 4, 2)) == [{1}] * 4
        assert counts() == before
