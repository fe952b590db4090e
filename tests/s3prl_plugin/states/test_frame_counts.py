"""The law of frame counts, learned from upstreams whose law is known by construction."""

import random
from fractions import Fraction

import pytest

from s3prl_plugin.states import frame_counts


def windows(size, hop):
    """Frames of a window that slides without padding."""
    return lambda samples: max(0, (samples - size) // hop + 1)


def convolutions(samples):
    """HuBERT's front end, one convolution after the other."""
    for kernel, stride in ((10, 5), *((3, 2),) * 4, *((2, 2),) * 2):
        samples = (samples - kernel) // stride + 1
    return samples


LAWS = {
    "hubert": (320, convolutions),
    "halved, odd one kept": (640, lambda n: (convolutions(n) + 1) // 2),
    "a quarter": (1280, lambda n: (convolutions(n) + 3) // 4),
    "fbank": (160, windows(400, 160)),
    "centred spectrogram": (160, lambda n: n // 160 + 1),
    "rounded": (320, lambda n: round(n / 320)),
    "every begun second": (16000, lambda n: -(-n // 16000)),
    "11.25 ms": (180, windows(512, 180)),
    "75 in a second": (Fraction(640, 3), lambda n: -(-3 * n // 640)),
    "of windows at 24 kHz": (Fraction(640, 3), lambda n: max(0, (3 * n // 2 - 400) // 320 + 1)),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_law_is_learned_exactly(name):
    stride, frames = LAWS[name]
    (law,) = frame_counts.learn(lambda n: [frames(n)], [stride])
    draw = random.Random(0)
    lengths = [draw.randrange(2000, 200_000) for _ in range(2000)]
    if name == "rounded":  # Python rounds halves to even, so this law is no law at the halves
        lengths = [n for n in lengths if n % 320 != 160]
    assert [law(n) for n in lengths] == [frames(n) for n in lengths]


def test_layers_of_several_laws_are_learned_together():
    names = ["hubert", "a quarter", "halved, odd one kept", "fbank", "hubert"]
    laws = frame_counts.learn(lambda n: [LAWS[name][1](n) for name in names], [LAWS[name][0] for name in names])
    for samples in (16001, 16719, 16720, 31234, 100_000):
        assert [law(samples) for law in laws] == [LAWS[name][1](samples) for name in names]


def test_layers_that_count_alike_at_first_and_differ_later_are_not_confused():
    hubert, later = LAWS["hubert"][1], windows(500, 320)
    assert hubert(16000) == later(16000)
    laws = frame_counts.learn(lambda n: [hubert(n), later(n)], [320, 320])
    assert [law.first for law in laws] == [400, 500]


def test_it_costs_little():
    asked = []
    frame_counts.learn(lambda n: asked.append(n) or [LAWS["hubert"][1](n)] * 12, [320] * 12)
    assert sum(asked) < 25 * 16000


@pytest.mark.parametrize(
    "frames",
    [lambda n: n // 320 + n % 2, lambda n: 50, lambda n: int((n / 16000) ** 2 * 50)],
    ids=["odd", "fixed", "2"],
)
def test_no_law_is_no_law(frames):
    assert frame_counts.learn(lambda n: [frames(n)], [320]) == [None]


def test_strides_are_measured_whatever_the_edges():
    measured = frame_counts.measured_strides(lambda n: [LAWS[name][1](n) for name in list(LAWS)[:6]] + [7])
    assert measured == [320, 640, 1280, 160, 160, 320, None]
