"""The resolution-matched grid, against its definition frame by frame."""

import math
from fractions import Fraction

import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.states import pooling
from s3prl_plugin.states.taps import States, Tap


def states(lengths=(13, 7), strides=(160, 320, 640, 1280), seed=0):
    generator = torch.Generator().manual_seed(seed)
    taps = [Tap(i, f"layer{i}", None, f"layer{i}", stride, 3) for i, stride in enumerate(strides)]
    frames = [[math.ceil(n * strides[0] / stride) for n in lengths] for stride in strides]
    tensors = [torch.randn(len(lengths), max(n) + 2, 3, generator=generator) for n in frames]  # garbage past the end
    return States(taps, tensors, [torch.tensor(n) for n in frames], [torch.zeros(9)] * len(lengths))


@pytest.mark.parametrize("mode", ["mean", "decimate"])
@pytest.mark.parametrize("milliseconds", [20, 40, 80])
def test_every_frame(mode, milliseconds):
    given = states()
    pooled = pooling.pool(given, pooling.parse(f"{mode}:{milliseconds}"))
    for k, tap in enumerate(given.taps):
        factor = max(1, milliseconds * 16 // tap.stride)
        assert pooled.taps[k].stride == max(tap.stride, milliseconds * 16)
        assert pooled.taps[k].name == tap.name
        for i in range(2):
            x, y = given.utterance(k, i), pooled.utterance(k, i)
            assert len(y) == math.ceil(len(x) / factor)
            for t, frame in enumerate(y):
                span = x[t * factor : (t + 1) * factor]
                torch.testing.assert_close(frame, span.mean(0) if mode == "mean" else span[0])


def test_the_grid_is_the_same_for_all_finer_taps():
    pooled = pooling.pool(states(), pooling.parse("mean:40"))
    assert [tap.stride for tap in pooled.taps] == [640, 640, 640, 1280]
    assert [n.tolist() for n in pooled.lengths[:3]] == [[4, 2]] * 3


def test_three_frames_of_75_in_a_second_make_one_of_25():
    given = states(strides=(Fraction(640, 3),))
    pooled = pooling.pool(given, pooling.parse("mean:40"))
    assert pooled.taps[0].stride == 640
    assert type(pooled.taps[0].stride) is int
    torch.testing.assert_close(pooled.utterance(0, 0)[0], given.utterance(0, 0)[:3].mean(0))


def test_a_grid_can_be_a_fraction_and_says_so_as_it_is_read():
    grid = pooling.parse("mean:80/3")
    assert grid.stride == Fraction(1280, 3)
    assert pooling.parse(str(grid)) == grid
    assert pooling.pool_taps(states(strides=(Fraction(640, 3),)).taps, grid)[0].stride == grid.stride


def test_the_nearest_grids_are_named():
    with pytest.raises(UserError, match=r"such as mean:40/3 or mean:80/3"):
        pooling.pool(states(strides=(Fraction(640, 3),)), pooling.parse("mean:20"))


def test_gradients_flow():
    given = states()
    given.tensors[0].requires_grad_()
    pooling.pool(given, pooling.parse("mean:20"))[0].sum().backward()
    assert given.tensors[0].grad[0, :12].all()
    assert not given.tensors[0].grad[0, 13:].any()


def test_stride_that_does_not_divide():
    with pytest.raises(UserError, match="pool_to mean:40: layer0 has frames of 30 ms"):
        pooling.pool(states(strides=(480,)), pooling.parse("mean:40"))


NONSENSE = ["median:40", "mean", "mean:", "mean:-40", "mean:0.01", "40", "mean:1e9", "mean:nan", ""]


@pytest.mark.parametrize("text", NONSENSE)
def test_texts_that_mean_nothing(text):
    with pytest.raises(UserError, match="pool_to"):
        pooling.parse(text)


def test_written_as_given():
    assert str(pooling.parse("decimate:80")) == "decimate:80"
    assert pooling.parse("mean:40").stride == 640
