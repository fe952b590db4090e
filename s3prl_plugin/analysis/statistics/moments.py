"""Additive statistics of views, per fold, gathered in one pass from rows as they come.

Everything that CCA and CKA report is a function of counts, means and centred scatters, so that one pass over the data
suffices, in memory that does not grow with the corpus. `FoldMoments` gathers them; `Moments` are the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments

__all__ = ["FoldMoments", "Moments", "ViewMoments"]

Rows = torch.Tensor | npt.NDArray[Any]

Scratch = dict[tuple[int, int], torch.Tensor]

PANEL = 192  # columns; of a symmetric scatter only the panels on and above the diagonal are computed and kept


class FoldMoments:
    """Moments of several views of the same rows, per fold, from rows as they come.

    A group of views that are seen at the same frames: the taps of one stride, the mel frames averaged to that stride,
    a base layer. Every view's own scatter is kept once, whatever the number of pairs it is in.

    Rows are collected in float32 until a fold has `chunk` of them, or until `flush`; a chunk is centred on its own
    mean, and its products are summed into float64 with Chan's formula. So offsets cost no precision, wherever they come
    from, and the same updates in the same order give the same bits, also when the state was saved and loaded between.
    With a flush after every batch of utterances the chunks do not depend on what other batches there are, so that
    statistics of batches in another order, or of several processes merged, agree to float64 rounding.

    Products of two views are computed in float32 (1e-7 relative in the statistics), those of a view with itself in
    float64: after a layer normalisation a view has a direction of no variance, which float32 products raise to 1e-10 of
    the largest eigenvalue, where it can no longer be told from a signal; float64 leaves it at 1e-16.

    Args:
        dims: view -> dimension.
        pairs: (x, y) names of views whose cross scatter is kept.
        folds: how many.
        chunk: rows per product; memory for `folds * chunk` rows of every view is taken.
        device: where products are computed and sums are kept.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        pairs: Iterable[tuple[str, str]],
        folds: int,
        chunk: int = 512,
        device: str | torch.device = "cpu",
    ):
        self.dims = dict(dims)
        self.pairs = tuple(dict.fromkeys((x, y) for x, y in pairs))
        self.chunk = chunk
        for name in {name for pair in self.pairs for name in pair} - set(self.dims):
            raise ValueError(f"a pair names the view {name!r}, which has no dimension")
        blocks = _blocks(self.dims, self.pairs)
        self._folds = [_Fold(self.dims, blocks, chunk, torch.device(device)) for _ in range(folds)]
        self._scratch: Scratch = {}

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return len(self._folds)

    @property
    def n(self) -> list[int]:
        """Rows seen so far, per fold."""
        return [fold.n + fold.waiting for fold in self._folds]

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory, all told."""
        return self.memory_for(self.dims, self.pairs, self.folds, self.chunk)

    @staticmethod
    def memory_for(dims: Mapping[str, int], pairs: Iterable[tuple[str, str]], folds: int, chunk: int = 512) -> int:
        """Bytes that such statistics take, without taking them."""
        blocks = sum(block.size for block in _blocks(dims, pairs))
        return folds * (8 * blocks + (4 * chunk + 8) * sum(dims.values()))

    def update(self, fold: int, views: Mapping[str, Rows]) -> None:
        """Add rows to a fold.

        Args:
            fold: which.
            views: for every view its rows (n, d), of any floating type; the same rows in all views.

        Raises:
            FloatingPointError: a view has NaN or infinite values; nothing is added then.
        """
        if views.keys() != self.dims.keys():
            raise ValueError(f"views {sorted(views)} are given, {sorted(self.dims)} are expected")
        rows = {name: torch.as_tensor(view).detach() for name, view in views.items()}
        shapes = {name: tuple(view.shape) for name, view in rows.items()}
        n = next(iter(shapes.values()))[0]
        if any(shape != (n, self.dims[name]) for name, shape in shapes.items()):
            raise ValueError(f"views of shapes {shapes}: all must have the same rows, and dimensions {self.dims}")
        for name, view in rows.items():
            if not torch.isfinite(view.sum(dtype=torch.float32)):
                raise FloatingPointError(f"the view {name!r} has NaN or infinite values, or overflows float32")
        state, start = self._folds[fold], 0
        while start < n:
            stop = min(n, start + self.chunk - state.waiting)
            for name, view in rows.items():
                state.buffer[name][state.waiting : state.waiting + stop - start] = view[start:stop]
            state.waiting += stop - start
            start = stop
            if state.waiting == self.chunk:
                state.absorb(self._scratch)

    def flush(self) -> None:
        """Sum what has been collected, whatever its size."""
        for state in self._folds:
            if state.waiting:
                state.absorb(self._scratch)

    def merge_state(self, state: Mapping[str, Any]) -> None:
        """Add all rows of a saved state of the same views, pairs, folds and chunk."""
        device = next(iter(self._folds[0].mean.values())).device
        other = FoldMoments(self.dims, self.pairs, self.folds, self.chunk, device)
        other.load_state_dict(state)
        self.merge(other)

    def merge(self, other: FoldMoments) -> None:
        """Add all rows of another one with the same views, pairs and folds (another process, another part)."""
        if (self.dims, self.pairs, self.folds) != (other.dims, other.pairs, other.folds):
            raise ValueError("statistics of other views, pairs or folds cannot be added")
        for number, (mine, theirs) in enumerate(zip(self._folds, other._folds, strict=True)):
            mine.add(theirs)
            self.update(number, {name: rows[: theirs.waiting] for name, rows in theirs.buffer.items()})

    def view(self, name: str) -> list[ViewMoments]:
        """The moments of one view, per fold; what has been collected so far stays as it is."""
        return [moments.x for moments in self.moments(name, name)]

    def moments(self, x: str, y: str) -> list[Moments]:
        """The joint moments of a pair, per fold; what has been collected so far stays as it is."""
        if x != y and (x, y) not in self.pairs:
            raise ValueError(f"the pair ({x!r}, {y!r}) was not collected; pairs: {self.pairs}")
        result = []
        for fold in self._folds:
            xx, yy, xy = fold.matrix(x, x, self.dims), fold.matrix(y, y, self.dims), fold.matrix(x, y, self.dims)
            means = {name: fold.mean[name].cpu().numpy().copy() for name in (x, y)}
            summed = Moments(ViewMoments(fold.n, means[x], xx), ViewMoments(fold.n, means[y], yy), xy)
            waiting = Moments.of(*(fold.buffer[name][: fold.waiting].cpu().numpy() for name in (x, y)))
            result.append(Moments.merge([summed, waiting]) if waiting.n else summed)
        return result

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on, as tensors and numbers (not copies: save or copy them before the next update)."""
        return {
            "dims": self.dims,
            "pairs": [list(pair) for pair in self.pairs],
            "chunk": self.chunk,
            "folds": [fold.state_dict() for fold in self._folds],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of the same views, pairs, folds and chunk."""
        mine = (self.dims, [list(pair) for pair in self.pairs], self.chunk, self.folds)
        if mine != (state["dims"], state["pairs"], state["chunk"], len(state["folds"])):
            raise ValueError("the saved statistics are of other views, pairs, folds or chunks")
        for fold, saved in zip(self._folds, state["folds"], strict=True):
            fold.load_state_dict(saved)


@dataclass(frozen=True, slots=True)
class _Block:
    """A rectangle of a cross scatter: rows `start`..`stop` of view x with columns from `first` on of view y."""

    x: str
    y: str
    start: int
    stop: int
    first: int
    columns: int

    @property
    def size(self) -> int:
        return (self.stop - self.start) * self.columns


def _blocks(dims: Mapping[str, int], pairs: Iterable[tuple[str, str]]) -> list[_Block]:
    """What is kept: of a view's own scatter the panels from the diagonal on, of a pair's everything."""
    own = [
        _Block(name, name, start, min(start + PANEL, d), start, d - start)
        for name, d in dims.items()
        for start in range(0, d, PANEL)
    ]
    return own + [_Block(x, y, 0, dims[x], 0, dims[y]) for x, y in pairs if x != y]


class _Fold:
    """The sums of one fold, and the rows that wait to be summed."""

    def __init__(self, dims: Mapping[str, int], blocks: Sequence[_Block], chunk: int, device: torch.device):
        self.n = 0
        self.waiting = 0
        self.buffer = {name: torch.zeros(chunk, d, device=device) for name, d in dims.items()}
        self.mean = {name: torch.zeros(d, dtype=torch.float64, device=device) for name, d in dims.items()}
        self.scatter = {
            block: torch.zeros(block.stop - block.start, block.columns, dtype=torch.float64, device=device)
            for block in blocks
        }

    def absorb(self, scratch: Scratch) -> None:
        """Sum the waiting rows."""
        single = {name: rows[: self.waiting] for name, rows in self.buffer.items()}
        shifts = {name: self._centre(name, rows) for name, rows in single.items()}
        double = {name: rows.double() for name, rows in single.items()}
        for block, scatter in self.scatter.items():
            x, y = slice(block.start, block.stop), slice(block.first, None)
            if block.x == block.y:
                scatter.addmm_(double[block.x][:, x].T, double[block.y][:, y])
            else:
                out = _scratch(scratch, block.stop - block.start, block.columns, scatter.device)
                scatter += torch.mm(single[block.x][:, x].T, single[block.y][:, y], out=out)
            scatter.addmm_(shifts[block.x][0][:, x].T, shifts[block.y][1][:, y])
        self.n, self.waiting = self.n + self.waiting, 0

    def _centre(self, name: str, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Bring rows about their own mean and move the fold's mean; what that adds to a scatter, as two factors."""
        m, total = self.waiting, self.n + self.waiting
        centre = rows.mean(dim=0)
        rows -= centre
        residue = rows.sum(dim=0, dtype=torch.float64) / m  # what rounding left of the rows' mean
        step = centre.double() + residue - self.mean[name]
        self.mean[name] += step * (m / total)
        return torch.stack([step * (self.n * m / total), residue * -m]), torch.stack([step, residue])

    def add(self, other: _Fold) -> None:
        """Add the sums (not the waiting rows) of the same fold elsewhere."""
        total = self.n + other.n
        if not other.n:
            return
        step = {name: other.mean[name].to(mean) - mean for name, mean in self.mean.items()}
        for block, scatter in self.scatter.items():
            scatter += other.scatter[block].to(scatter)
            left, right = step[block.x][block.start : block.stop], step[block.y][block.first :]
            scatter.addr_(left, right, alpha=self.n * other.n / total)
        for name, mean in self.mean.items():
            mean += step[name] * (other.n / total)
        self.n = total

    def matrix(self, x: str, y: str, dims: Mapping[str, int]) -> Array:
        """The scatter of x with y, (d_x, d_y), made whole from its blocks."""
        whole = np.zeros((dims[x], dims[y]))
        for block, scatter in self.scatter.items():
            if (block.x, block.y) == (x, y):
                whole[block.start : block.stop, block.first :] = scatter.cpu().numpy()
                if x == y:
                    whole[block.first :, block.start : block.stop] = scatter.cpu().numpy().T
        return whole

    def state_dict(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "waiting": self.waiting,
            "buffer": {name: rows[: self.waiting] for name, rows in self.buffer.items()},
            "mean": self.mean,
            "scatter": list(self.scatter.values()),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.n, self.waiting = int(state["n"]), int(state["waiting"])
        for name, rows in self.buffer.items():
            rows[: self.waiting] = state["buffer"][name]
            self.mean[name].copy_(state["mean"][name])
        for mine, saved in zip(self.scatter.values(), state["scatter"], strict=True):
            mine.copy_(saved)


def _scratch(kept: Scratch, rows: int, columns: int, device: torch.device) -> torch.Tensor:
    """A float32 matrix to compute a product in, kept because fresh memory costs as much as the sum."""
    if (rows, columns) not in kept:
        kept[rows, columns] = torch.empty(rows, columns, device=device)
    return kept[rows, columns]
