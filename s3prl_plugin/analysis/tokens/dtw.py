"""Dynamic time warping of many pairs at once: the mean cost along the cheapest path.

Steps are (1, 0), (0, 1) and (1, 1), all of weight 1, the first and the last frames are tied, there is no window. Of
several cheapest paths the one counts that is found walking back, diagonally where that is not dearer than either side
step, else along the second sequence where that is not dearer than along the first. Its length is carried forward with
the same choices, so nothing is walked back.

Pairs of about the same size are warped together, one anti-diagonal after the other, as rows of long vectors.
"""

from __future__ import annotations

import numpy as np
import torch

ELEMENTS = 1 << 14  # of an anti-diagonal of all pairs together: what a processor keeps close
FINENESS = (8, 4, 2, 1)  # sizes up to here are warped among their like; above, sides are so many to each doubling
STEP, CELL = 25.0, 0.01  # microseconds, about: what an anti-diagonal takes at least, and a cell


def warped(
    costs: torch.Tensor, start: np.ndarray, width: np.ndarray, n: np.ndarray, m: np.ndarray, elements: int = ELEMENTS
) -> np.ndarray:
    """The mean cost along the cheapest path of every pair.

    Args:
        costs: (F,) in which the cost of frame i of one sequence and frame j of the other is at start + i width + j;
            there must be as many entries behind the last pair as `margin` says.
        start, width: (P,) per pair.
        n, m: (P,) frames of both sequences, one at least.
        elements: how many cells are computed in one step.

    Returns:
        (P,) float32.
    """
    found = np.empty(len(start), dtype=np.float32)
    if not len(start):
        return found
    key = n * (int(m.max()) + 1) + m
    count = np.bincount(key)
    sizes = np.flatnonzero(count)
    rows, columns = _rectangles(*np.divmod(sizes, int(m.max()) + 1), count[sizes], elements)
    sides, group = np.unique(np.stack([rows, columns]), axis=1, return_inverse=True)
    of_size = np.zeros(len(count), dtype=np.int16 if sides.shape[1] < 1 << 15 else np.int64)
    of_size[sizes] = group.ravel()
    member = of_size[key]
    order = np.argsort(member, kind="stable")
    edges = np.cumsum(np.bincount(member))[:-1]
    for (height, breadth), group in zip(sides.T.tolist(), np.split(order, edges), strict=True):
        at_once = max(elements // min(height, breadth), 1)
        for first in range(0, len(group), at_once):
            pairs = group[first : first + at_once]
            index = start[pairs] + np.arange(height)[:, None] * (width[pairs] - 1)
            found[pairs] = _warp(costs, index, n[pairs], m[pairs], breadth)
    return found


def margin(n: int, m: int, width: int) -> int:
    """How many entries behind a matrix of costs are read, and matter for nothing, where its last pair is warped.

    Args:
        n, m: the longest sequences.
        width: of the matrix.
    """
    return 2 * n * width + 2 * m


def _rectangles(n: np.ndarray, m: np.ndarray, pairs: np.ndarray, elements: int) -> tuple[np.ndarray, np.ndarray]:
    """The sides of the rectangles in which pairs are warped, by sizes: few large ones where there are few pairs."""
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for fineness in FINENESS:
        rows, columns = _rounded(n, fineness), _rounded(m, fineness)
        (high, broad), group = np.unique(np.stack([rows, columns]), axis=1, return_inverse=True)
        held = np.bincount(group.ravel(), pairs)
        times = np.ceil(held * np.minimum(high, broad) / elements)
        cost = float((STEP * times * (high + broad) + CELL * held * high * broad).sum())
        if best is None or cost < best[0]:
            best = cost, rows, columns
    assert best is not None
    return best[1:]


def _rounded(n: np.ndarray, fineness: int) -> np.ndarray:
    """(P,) n as it is up to `fineness`, above up to the next of `fineness` / 2 steps (one at least) to a doubling."""
    step = np.exp2(np.ceil(np.log2(np.maximum(n, fineness) / fineness))).astype(np.int64)
    return -(-n // step) * step


def _warp(costs: torch.Tensor, index: np.ndarray, n: np.ndarray, m: np.ndarray, breadth: int) -> np.ndarray:
    """The pairs of one rectangle; `index` (N, P) is where the first entry of every row is, less the row's number."""
    height, pairs = index.shape
    place = torch.from_numpy(index).to(costs.device)
    end, row = n + m - 2, n
    total = [torch.full((height + 1, pairs), torch.inf, device=costs.device) for _ in range(3)]
    length = [torch.zeros((height + 1, pairs), device=costs.device) for _ in range(3)]
    found = np.empty(pairs, dtype=np.float32)
    ends = set(end.tolist())
    for k in range(max(ends) + 1):
        low, high = max(0, k - breadth + 1), min(height, k + 1)  # rows of this anti-diagonal
        here, before, last = total[k % 3], total[(k - 1) % 3], total[(k - 2) % 3]
        cells = slice(low + 1, high + 1)
        cost = torch.take(costs[k:], place[low:high])
        if k == 0:
            here[cells], length[0][cells] = cost, 1
        else:
            down, along, diagonal = before[low:high], before[cells], last[low:high]
            side = torch.minimum(down, along)
            torch.add(torch.minimum(side, diagonal), cost, out=here[cells])
            steps = torch.where(along <= down, length[(k - 1) % 3][cells], length[(k - 1) % 3][low:high])
            steps = torch.where(diagonal <= side, length[(k - 2) % 3][low:high], steps)
            torch.add(steps, 1, out=length[k % 3][cells])
        if k in ends:
            ready = np.flatnonzero(end == k)
            at = torch.from_numpy(row[ready]).to(costs.device), torch.from_numpy(ready).to(costs.device)
            found[ready] = (here[at] / length[k % 3][at]).cpu().numpy()
    return found
