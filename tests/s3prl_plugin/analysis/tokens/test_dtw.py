"""Warping many pairs at once is a plain loop that walks the path back, one pair at a time."""

import numpy as np
import pytest
import torch

from s3prl_plugin.analysis.tokens.distances import TokenFrames, distances
from s3prl_plugin.analysis.tokens.dtw import margin, warped


def walked_back(cost: np.ndarray) -> float:
    """By the definition: the total, then back along the path, diagonal first, then along the second sequence."""
    n, m = cost.shape
    total = np.full((n, m), np.inf, dtype=cost.dtype)
    for i in range(n):
        for j in range(m):
            before = [
                total[i - 1, j - 1] if i and j else np.inf,
                total[i, j - 1] if j else np.inf,
                total[i - 1, j] if i else np.inf,
            ]
            total[i, j] = cost[i, j] + (min(before) if i or j else 0)
    i, j, cells = n - 1, m - 1, 1
    while i or j:
        diagonal = total[i - 1, j - 1] if i and j else np.inf
        along = total[i, j - 1] if j else np.inf
        down = total[i - 1, j] if i else np.inf
        if i and j and diagonal <= along and diagonal <= down:
            i, j = i - 1, j - 1
        elif along <= down:
            j -= 1
        else:
            i -= 1
        cells += 1
    return float(np.float32(total[-1, -1]) / np.float32(cells))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("elements", [1, 64, 1 << 14])
def test_pairs_of_all_sizes(ties: bool, elements: int) -> None:
    rng = np.random.default_rng(0)
    sizes = [
        (1, 1),
        (1, 9),
        (12, 1),
        (2, 2),
        (8, 9),
        (17, 3),
        (16, 16),
        (5, 33),
        (33, 40),
        *rng.integers(1, 24, (60, 2)),
    ]
    costs = [rng.integers(0, 3, size).astype(np.float32) if ties else rng.random(size, np.float32) for size in sizes]
    start = np.cumsum([0, *(each.size for each in costs)])[:-1]
    n, m = np.array(sizes).T
    spare = 40 * 40 + max(margin(i, j, j) for i, j in sizes)
    flat = torch.from_numpy(np.concatenate([*(each.ravel() for each in costs), np.zeros(spare, np.float32)]))
    found = warped(flat, start, m, n, m, elements)
    assert found.tolist() == [walked_back(each) for each in costs]


def test_distances_are_those_of_single_pairs_once_for_both_directions() -> None:
    rng = np.random.default_rng(1)
    count = rng.integers(1, 30, 12)
    frames = rng.standard_normal((count.sum(), 5)).astype(np.float32)
    tokens = TokenFrames.of(frames, count)
    rows, columns = np.array([3, 0, 7]), np.array([7, 3, 5, 11, 1])
    found, other = distances(tokens, [(rows, columns), (columns, rows)])
    parts = np.split(frames.astype(np.float64), np.cumsum(count)[:-1])
    for r, row in enumerate(rows):
        for c, column in enumerate(columns):
            if row == column:
                assert np.isnan(found[r, c])
                continue
            one, two = (parts[i] / np.linalg.norm(parts[i], axis=1, keepdims=True) for i in (row, column))
            wanted = walked_back((np.arccos(np.clip(one @ two.T, -1, 1)) / np.pi).astype(np.float32))
            assert found[r, c] == pytest.approx(wanted, abs=2e-6)
    assert np.allclose(found, other.T, atol=1e-7, equal_nan=True)
    assert found[0, 0] == found[2, 1], "tokens 3 and 7, and 7 and 3"


def test_a_block_too_large_to_be_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    count = rng.integers(1, 12, 20)
    tokens = TokenFrames.of(rng.standard_normal((count.sum(), 4)), count)
    blocks = [(np.arange(20), np.arange(20)), (np.arange(5), np.arange(3, 20)), (np.array([4]), np.array([9]))]
    at_once = list(distances(tokens, blocks))
    for cells in (1, 200):
        monkeypatch.setattr("s3prl_plugin.analysis.tokens.distances.CELLS", cells)
        for one, other in zip(at_once, distances(tokens, blocks), strict=True):
            assert np.allclose(one, other, atol=1e-6, equal_nan=True)


def test_equal_codes_are_at_distance_zero_and_zero_vectors_stand_as_in_fastabx() -> None:
    rng = np.random.default_rng(3)
    codebook = rng.standard_normal((7, 64)).astype(np.float32)
    codes = rng.integers(0, 7, 40)
    tokens = TokenFrames.of(codebook[[*codes, *codes]], np.array([40, 40]), discrete=True)
    (found,) = distances(tokens, [(np.array([0]), np.array([1]))])
    assert found[0, 0] == 0
    zeros = TokenFrames.of(np.array([[0, 0], [3, 3], [1, 0]]), np.ones(3))
    (found,) = distances(zeros, [(np.arange(3), np.arange(3))])
    assert zeros.zeros == 1
    assert found[0, 1] == pytest.approx(0, abs=3e-4)
    assert found[0, 2] == pytest.approx(0.25)


def test_without_warping_a_token_is_the_mean_of_its_raw_frames() -> None:
    frames = np.array([[4.0, 0], [0, 2], [1, 1]])
    tokens = TokenFrames.of(frames, np.array([2, 1]), dtw=False)
    (found,) = distances(tokens, [(np.array([0]), np.array([1]))])
    assert found[0, 0] == pytest.approx(np.arccos(3 / np.sqrt(10)) / np.pi, abs=1e-6)
