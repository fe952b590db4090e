"""k-means on a planted truth, and the nearest centre by brute force."""

import numpy as np
import pytest

from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.units.clusters import Clusters, learn


def planted(n=800, clusters=8, dim=6, seed=0, spread=0.05):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, dim))
    member = rng.integers(clusters, size=n)
    return (centres[member] + spread * rng.normal(size=(n, dim))).astype(np.float32), member, centres


def test_planted_clusters_are_found():
    frames, member, _ = planted()
    found = learn(frames, 8, seed=1).nearest(frames)
    pairs = set(zip(member.tolist(), found.tolist(), strict=True))
    assert len(pairs) == 8  # one to one
    assert len({unit for _, unit in pairs}) == 8


def test_an_offset_changes_nothing():
    frames, _, _ = planted()
    at_home, far_away = learn(frames, 8, seed=1), learn(frames + 1000, 8, seed=1)
    assert np.mean(at_home.nearest(frames) == far_away.nearest(frames + 1000)) > 0.999


def test_the_same_seed_gives_the_same_clusters():
    frames, _, _ = planted(spread=1.0)
    assert np.array_equal(learn(frames, 12, seed=3).centres, learn(frames, 12, seed=3).centres)
    assert not np.array_equal(learn(frames, 12, seed=3).centres, learn(frames, 12, seed=4).centres)


def test_nearest_is_the_nearest():
    rng = np.random.default_rng(0)
    frames, centres = rng.normal(size=(300, 5)).astype(np.float32), rng.normal(size=(40, 5)).astype(np.float32)
    mean = np.full(5, 0.5, np.float32)
    distance = ((frames[:, None] - mean - centres) ** 2).sum(2)
    assert np.array_equal(Clusters(mean, centres).nearest(frames), distance.argmin(1))


def test_fewer_frames_than_units_are_refused():
    with pytest.raises(UserError, match="30 frames for 50 units"):
        learn(np.zeros((30, 4), np.float32), 50, seed=0)
