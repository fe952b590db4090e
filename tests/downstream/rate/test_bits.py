"""Bits per second against scipy and brute force."""

import numpy as np
import pytest
import scipy.stats

from s3prl_plugin.downstream.rate import bits
from s3prl_plugin.downstream.rate.units import codes_of
from s3prl_plugin.inference.refusal import Refused


def test_nominal_bits():
    assert bits.nominal(320, 256) == 400
    assert bits.nominal(160, 2) == 100
    assert bits.nominal(2560, 500) == pytest.approx(6.25 * np.log2(500))


def test_entropy_is_scipys_per_second():
    counts = np.array([5, 0, 17, 1, 300])
    assert bits.by_entropy(640, counts) == pytest.approx(25 * scipy.stats.entropy(counts, base=2))
    assert bits.by_entropy(640, np.full(64, 7)) == pytest.approx(bits.nominal(640, 64))
    assert bits.by_entropy(640, [0, 9]) == 0
    with pytest.raises(Refused, match="more speech"):
        bits.by_entropy(640, [0, 0])


def test_the_interval_leaves_out_every_speaker():
    counts = np.random.default_rng(0).integers(0, 50, (5, 8))
    found = bits.jackknifed(320, np.concatenate([counts, np.zeros((2, 8))]))
    without = [50 * scipy.stats.entropy(np.delete(counts, i, axis=0).sum(0), base=2) for i in range(5)]
    np.testing.assert_allclose(found.replicates, without)
    assert found.value == pytest.approx(50 * scipy.stats.entropy(counts.sum(0), base=2))
    assert found.standard_error == pytest.approx(np.sqrt(4 * np.var(without)))
    assert bits.jackknifed(320, counts[:1]) is None


def test_equal_frames_are_the_same_code():
    draw = np.random.default_rng(1)
    book = draw.standard_normal((9, 5)).astype(np.float32)
    book[3, 2] = 0.0
    codes = draw.integers(0, 9, 400)
    frames = book[codes]
    frames[np.flatnonzero(codes == 3)[::2], 2] = -0.0
    found = codes_of(frames, 9)
    assert len(set(zip(codes.tolist(), found.tolist(), strict=True))) == 9
    with pytest.raises(ValueError, match="9 different frames at a tap of 8 codes"):
        codes_of(frames, 8)
