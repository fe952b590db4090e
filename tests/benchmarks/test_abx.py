"""The benchmark of ABX does its work at a small size."""

import torch

from benchmarks import abx
from benchmarks.ratios import Measuring


def test_both_sides_are_measured_on_one_thread():
    threads = torch.get_num_threads()
    found = list(abx.measure(Measuring(quick=True)))
    assert [each.bar for each in found] == [None, None]
    assert all(each.value > 1 for each in found)
    assert torch.get_num_threads() == threads
