"""Jobs in processes of their own."""

import os
import time

import pytest

from s3prl_plugin.corpora.generated.fresh_process import each_in_fresh_process

said = []


def where(job):
    said.append(job)
    return os.getpid(), len(said)


def meet(folder):
    """Wait until three jobs are there at once."""
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + 20
    while len(list(folder.iterdir())) < 3:
        if time.monotonic() > deadline:
            raise TimeoutError("alone")
        time.sleep(0.01)


def fail(job):
    raise ValueError(f"job was {job}")


def die(job):
    os._exit(3)


@pytest.mark.parametrize("processes", [1, 3])
def test_every_job_is_the_first_of_its_process(processes):
    found = dict(each_in_fresh_process(where, list("abcdefg"), processes))
    assert sorted(found) == list(range(7))
    pids = [pid for pid, _ in found.values()]
    assert len(set(pids)) == 7
    assert os.getpid() not in pids
    assert {count for _, count in found.values()} == {1}


def test_jobs_run_side_by_side(tmp_path):
    assert len(list(each_in_fresh_process(meet, [tmp_path] * 3, 3))) == 3


def test_no_jobs():
    assert list(each_in_fresh_process(where, [], 2)) == []


@pytest.mark.parametrize(("work", "message"), [(fail, "job 0: ValueError: job was x"), (die, "job 0: it died")])
def test_a_child_that_fails_is_reported(work, message):
    with pytest.raises(RuntimeError, match=message):
        list(each_in_fresh_process(work, ["x"], 1))
