"""Processes that wait for each other, as threads with a barrier in place of torch.distributed."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from s3prl_plugin import ranks, superb
from s3prl_plugin.errors import UserError

COUNT = 3


class Group:
    """A process group of threads: as much of torch.distributed as is used."""

    def __init__(self):
        self.me = threading.local()
        self.meeting = threading.Barrier(COUNT, timeout=30)
        self.sent = None

    def is_available(self):
        return True

    def is_initialized(self):
        return hasattr(self.me, "rank")

    def get_rank(self):
        return self.me.rank

    def get_world_size(self):
        return COUNT

    def barrier(self):
        try:
            self.meeting.wait()
        except threading.BrokenBarrierError:
            raise RuntimeError("connection closed by peer") from None

    def broadcast_object_list(self, objects, src):
        if self.me.rank == src:
            self.sent = list(objects)
        self.barrier()
        objects[:] = self.sent
        self.barrier()

    def run(self, job):
        """What every process returns, or the error that it ends with."""

        def process(rank):
            self.me.rank = rank
            try:
                return job(rank)
            except Exception as error:
                self.meeting.abort()  # a process that ends closes its connections
                return error

        with ThreadPoolExecutor(COUNT) as pool:
            return list(pool.map(process, range(COUNT)))


@pytest.fixture
def group(monkeypatch):
    made = Group()
    monkeypatch.setitem(sys.modules, "torch.distributed", made)
    return made


def test_one_process_alone_leads_and_waits_for_nobody():
    with ranks.leader_first():
        assert (ranks.count(), ranks.mine(), ranks.leads()) == (1, 0, True)
    assert ranks.from_leader(lambda: "found") == "found"


def test_the_leader_is_through_before_others_begin_and_all_leave_together(group):
    events = []

    def job(rank):
        with ranks.leader_first():
            events.append(("in", rank))
            events.append(("out", rank))
        events.append(("on", rank))

    assert group.run(job) == [None] * COUNT
    assert events[:2] == [("in", 0), ("out", 0)]
    assert {kind for kind, _ in events[-COUNT:]} == {"on"}


def test_what_the_leader_finds_is_told_to_all_and_nobody_else_looks(group):
    looked = []

    def job(rank):
        return ranks.from_leader(lambda: looked.append(rank) or {"acc": 0.5 + rank})

    assert group.run(job) == [{"acc": 0.5}] * COUNT
    assert looked == [0]


@pytest.mark.parametrize("failing", [0, 1])
def test_where_one_fails_the_others_end_with_a_word_on_it(group, failing):
    def job(rank):
        with ranks.leader_first():
            if rank == failing:
                raise ValueError("disk full")

    errors = group.run(job)
    assert type(errors[failing]) is ValueError
    for rank in {0, 1, 2} - {failing}:
        assert isinstance(errors[rank], UserError)
        assert f"process {rank + 1} of {COUNT}: another process of this run has ended" in str(errors[rank])


def test_a_record_is_written_by_the_leader_and_known_to_all(group, tmp_path, monkeypatch):
    wrote = []
    stock = superb.record.results.replace_file

    def replace_file(path, content):
        wrote.append(ranks.mine())
        stock(path, content)

    monkeypatch.setattr(superb.record.results, "replace_file", replace_file)

    def job(rank):
        record = superb.Record.open(tmp_path / "SID", {"runner": {}}, {"seed": 1})
        found = record.finished  # whatever the leader, which is faster, writes next
        record.finish("states-1.ckpt", {"acc": 0.5})
        return found, record.scalars

    assert group.run(job) == [(False, {"acc": 0.5})] * COUNT
    assert wrote == [0, 0]
    assert superb.Record.existing(tmp_path / "SID").scalars == {"acc": 0.5}
