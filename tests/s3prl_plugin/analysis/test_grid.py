from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s3prl_plugin.analysis.grid import average_cells


def brute_force(x, stride_in, stride_out, frames, offset):
    """Repeat every frame for each of its samples, and average the samples that an output frame covers."""
    samples = x.double().repeat_interleave(stride_in, dim=0)
    covered = (samples[i * stride_out + offset : (i + 1) * stride_out + offset] for i in range(frames))
    means = [part.mean(0) for part in covered if len(part)]
    return torch.stack(means).float() if means else x[:0]


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 12),
    st.sampled_from([2, 3, 4, 8]),
    st.sampled_from([2, 3, 4, 8, 16]),
    st.integers(1, 30),
    st.integers(0, 5),
)
def test_equals_averages_over_samples(length, stride_in, stride_out, frames, offset):
    x = torch.randn(length, 2, generator=torch.Generator().manual_seed(length))
    found = average_cells(x, stride_in, stride_out, frames, offset)
    torch.testing.assert_close(found, brute_force(x, stride_in, stride_out, frames, offset), atol=1e-6, rtol=0)


@pytest.mark.parametrize("stride", [Fraction(640, 3), Fraction(81920, 441)])
@pytest.mark.parametrize("other", [160, 640])
def test_fractions_of_a_sample_are_ticks_of_a_finer_clock(stride, other):
    q = stride.denominator
    x = torch.randn(40, 2, generator=torch.Generator().manual_seed(q))
    for pair in ((stride, other), (other, stride)):
        found = average_cells(x, *pair, 30, 120)
        ticks = average_cells(x, *(int(each * q) for each in pair), 30, 120 * q)
        assert torch.equal(found, ticks)


def test_a_finer_rate_repeats_and_a_coarser_one_averages():
    x = torch.tensor([[1.0], [3.0], [5.0]])
    assert average_cells(x, 640, 320, 7).flatten().tolist() == [1, 1, 3, 3, 5, 5]
    assert average_cells(x, 320, 640, 7).flatten().tolist() == [2, 5]


def test_the_same_rate_is_left_alone():
    x = torch.randn(5, 3)
    assert torch.equal(average_cells(x, 320, 320, 4), x[:4])
