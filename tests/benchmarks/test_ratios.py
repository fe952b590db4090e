"""Measuring in turns, with a clock that is under control."""

import pytest

from benchmarks import ratios


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until a program moves it."""

    class Clock:
        now = 0.0

        def spend(self, seconds):
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr(ratios.time, "perf_counter", lambda: clock.now)
    return clock


def test_programs_take_turns_and_the_first_run_does_not_count(clock):
    order = []
    costs = {"a": iter([100, 3, 3, 3]), "b": iter([100, 1, 2, 3])}

    def program(name):
        def run():
            order.append(name)
            clock.spend(next(costs[name]))

        return run

    seconds = ratios.alternate({"a": program("a"), "b": program("b")}, rounds=3)
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert seconds == {"a": [3, 3, 3], "b": [1, 2, 3]}


def test_waiting_for_the_device_belongs_to_the_time(clock):
    pending = []

    def wait():
        clock.spend(sum(pending))
        pending.clear()

    seconds = ratios.alternate({"a": lambda: pending.append(5)}, rounds=2, wait=wait)
    assert seconds == {"a": [5, 5]}


def test_a_ratio_is_the_median_of_rounds():
    ratio = ratios.of_times("x", [2, 4, 9], [2, 1, 3], bar=3.5)
    assert (ratio.value, ratio.low, ratio.high) == (3, 1, 4)
    assert not ratio.reached
    assert ratios.of_times("x", [2], [1], bar=None).reached
    assert ratios.of_times("x", [2], [1], bar=2).reached
