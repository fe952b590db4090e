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

from s3prl_plugin.analysis.statistics.storage import IN_MEMORY, Storage
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments

__all__ = ["FoldMoments", "Moments", "ViewMoments"]

Rows = torch.Tensor | npt.NDArray[Any]

ALIGNED = 8  # numbers: blocks begin at multiples of 64 bytes
PANEL = 192  # columns; of a symmetric scatter only the panels on and above the diagonal are computed and kept


class FoldMoments:
    """Moments of several views of the same rows, per fold, from rows as they come.

    A group of views that are seen at the same frames: the taps of one stride, the mel frames averaged to that stride,
    a base layer. Every view's own scatter is kept once, whatever the number of pairs it is in.

    The rows of an update are centred on their own mean, and their products are summed into float64 with Chan's formula.
    So offsets cost no precision, wherever they come from; the same updates in the same order give the same bits, also
    when the state was saved and loaded between; and statistics of updates in another order, or of several processes
    merged, agree to float64 rounding. Large updates are fast ones.

    Products of two wide views are computed in float32 (1e-7 relative in the statistics), those with a narrow one (mel),
    where that would cost 1e-6 of a score, and those of a view with itself in float64: after a layer normalisation a
    view has a direction of no variance, which float32 products raise to 1e-10 of the largest eigenvalue, where it can
    no longer be told from a signal; float64 leaves it at 1e-16.

    Args:
        dims: view -> dimension.
        pairs: (x, y) names of views whose cross scatter is kept.
        folds: how many.
        device: where products are computed and sums are kept.
        storage: of the sums on the CPU.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        pairs: Iterable[tuple[str, str]],
        folds: int,
        device: str | torch.device = "cpu",
        storage: Storage = IN_MEMORY,
    ):
        self.dims = dict(dims)
        self.pairs = tuple(dict.fromkeys((x, y) for x, y in pairs))
        self.device = torch.device(device)
        for name in {name for pair in self.pairs for name in pair} - set(self.dims):
            raise ValueError(f"a pair names the view {name!r}, which has no dimension")
        self._partners = {y for x, y in self.pairs if x != y}
        self._order = sorted(self.dims, key=lambda name: name not in self._partners)  # these first: they are kept
        at = self._order.index
        self._pairs_at = {z: [p for p in self.pairs if p[0] != p[1] and max(p, key=at) == z] for z in self._order}
        blocks, ordered = _blocks(self.dims, self.pairs), {name: self.dims[name] for name in self._order}
        self._folds = [_Fold(ordered, blocks, self.device, storage) for _ in range(folds)]

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return len(self._folds)

    @property
    def n(self) -> list[int]:
        """Rows seen so far, per fold."""
        return [fold.n for fold in self._folds]

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory, all told."""
        return self.memory_for(self.dims, self.pairs, self.folds)

    @staticmethod
    def memory_for(dims: Mapping[str, int], pairs: Iterable[tuple[str, str]], folds: int) -> int:
        """Bytes that such statistics take, without taking them."""
        return 8 * folds * (sum(block.size for block in _blocks(dims, pairs)) + sum(dims.values()))

    def update(self, fold: int, views: Mapping[str, Rows]) -> None:
        """Add rows to a fold.

        Args:
            fold: which.
            views: for every view its rows (n, d), of any floating type; the same rows in all views. Each is asked for
                once, so that a mapping may make them one at a time.

        Raises:
            FloatingPointError: a view has NaN or infinite values; these statistics are of no use any more.
        """
        if views.keys() != self.dims.keys():
            raise ValueError(f"views {sorted(views)} are given, {sorted(self.dims)} are expected")
        state, partners, n = self._folds[fold], dict[str, torch.Tensor](), None
        centres, residues, share = [], [], None
        for name in self._order:
            rows = torch.as_tensor(views[name]).detach().to(self.device)
            n = len(rows) if n is None else n
            if rows.shape != (n, self.dims[name]):
                shape = tuple(rows.shape)
                raise ValueError(f"view {name!r} has shape {shape}: all must have the same rows, and {self.dims}")
            if not n:
                return
            rows = rows.float()
            centres.append(rows.mean(dim=0))
            rows = rows - centres[-1]
            share = rows.new_full((n,), 1 / n, dtype=torch.float64) if share is None else share
            double = rows.double()
            residues.append(state.add_own(name, double, share))
            if name in self._partners:
                partners[name] = double if self.dims[name] <= PANEL else rows
            for x, y in self._pairs_at[name]:
                of_x = double if partners[y].dtype == double.dtype else rows
                state.add_cross(x, y, partners[x].to(of_x) if x != name else of_x, partners[y])
        state.move(n or 0, torch.cat(centres), torch.cat(residues))

    def merge_state(self, state: Mapping[str, Any]) -> None:
        """Add all rows of a saved state of the same views, pairs and folds."""
        other = FoldMoments(self.dims, self.pairs, self.folds, self.device)
        other.load_state_dict(state)
        self.merge(other)

    def merge(self, other: FoldMoments) -> None:
        """Add all rows of another one with the same views, pairs and folds (another process, another part)."""
        if (self.dims, self.pairs, self.folds) != (other.dims, other.pairs, other.folds):
            raise ValueError("statistics of other views, pairs or folds cannot be added")
        for mine, theirs in zip(self._folds, other._folds, strict=True):
            mine.add(theirs)

    def view(self, name: str) -> list[ViewMoments]:
        """The moments of one view, per fold."""
        return [fold.view(name) for fold in self._folds]

    def moments(self, x: str, y: str) -> list[Moments]:
        """The joint moments of a pair, per fold."""
        if x != y and (x, y) not in self.pairs:
            raise ValueError(f"the pair ({x!r}, {y!r}) was not collected; pairs: {self.pairs}")
        found = []
        for fold, of_x in zip(self._folds, self.view(x), strict=True):
            of_y = of_x if x == y else fold.view(y)
            found.append(Moments(of_x, of_y, of_x.scatter if x == y else fold.matrix(x, y)))
        return found

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on, as tensors and numbers (not copies: save or copy them before the next update)."""
        return {
            "dims": self.dims,
            "pairs": [list(pair) for pair in self.pairs],
            "folds": [fold.state_dict() for fold in self._folds],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of the same views, pairs and folds."""
        mine = (self.dims, [list(pair) for pair in self.pairs], self.folds)
        if mine != (state["dims"], state["pairs"], len(state["folds"])):
            raise ValueError("the saved statistics are of other views, pairs or folds")
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
    """The sums of one fold."""

    def __init__(self, dims: Mapping[str, int], blocks: Sequence[_Block], device: torch.device, storage: Storage):
        self.n = 0
        self._means = torch.zeros(sum(dims.values()), dtype=torch.float64, device=device)
        self._sizes = dict(dims)
        self.mean = self._by_view(self._means)
        starts = np.cumsum([0, *(-(-block.size // ALIGNED) * ALIGNED for block in blocks)])
        kept = torch.from_numpy(storage.zeros([int(starts[-1])], np.float64)) if device.type == "cpu" else None
        kept = torch.zeros(int(starts[-1]), dtype=torch.float64, device=device) if kept is None else kept
        self.scatter = {
            block: kept[start : start + block.size].view(-1, block.columns)
            for block, start in zip(blocks, starts, strict=False)
        }
        self._blocks: dict[tuple[str, str], list[_Block]] = {}
        for block in blocks:
            self._blocks.setdefault((block.x, block.y), []).append(block)

    def add_own(self, name: str, rows: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
        """Sum the products of a view with itself.

        Args:
            name: of the view.
            rows: (m, d) float64, about their mean but for what rounding left.
            share: (m,) 1 / m each.

        Returns:
            (d,) what it left.
        """
        for block in self._blocks[name, name]:
            self.scatter[block].addmm_(rows[:, block.start : block.stop].T, rows[:, block.first :])
        return rows.T @ share

    def add_cross(self, x: str, y: str, of_x: torch.Tensor, of_y: torch.Tensor) -> None:
        """Sum the products of two views, whose rows are about their means."""
        (block,) = self._blocks[x, y]
        self.scatter[block] += of_x.T @ of_y

    def move(self, m: int, centres: torch.Tensor, residues: torch.Tensor) -> None:
        """Move the means, and add what that adds to the products of rows about other means.

        Args:
            m: rows, whose products have been summed.
            centres, residues: (all dimensions,) what was taken off them, and what was left of their means.

        Raises:
            FloatingPointError: a centre is not finite.
        """
        total = self.n + m
        step = centres.double() + residues - self._means
        if not torch.isfinite(step).all():  # the only look at what was computed
            name = next(name for name, part in self._by_view(step).items() if not part.isfinite().all())
            raise FloatingPointError(f"the view {name!r} has NaN or infinite values, or overflows float32")
        right = torch.stack([step, residues])
        left = right * torch.tensor([[self.n * m / total], [-m]], dtype=torch.float64).to(step.device)
        of_x, of_y = self._by_view(left), self._by_view(right)
        for block, scatter in self.scatter.items():
            scatter.addmm_(of_x[block.x][:, block.start : block.stop].T, of_y[block.y][:, block.first :])
        self._means.add_(step, alpha=m / total)
        self.n = total

    def _by_view(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        """(..., all dimensions) -> those of every view."""
        return dict(zip(self._sizes, values.split(list(self._sizes.values()), dim=-1), strict=True))

    def add(self, other: _Fold) -> None:
        """Add the sums of the same fold elsewhere."""
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

    def view(self, name: str) -> ViewMoments:
        """The moments of one view."""
        mean = self.mean[name].cpu().numpy().copy()
        return ViewMoments(self.n, mean, self.matrix(name, name))

    def matrix(self, x: str, y: str) -> Array:
        """The scatter of x with y, (d_x, d_y), made whole from its blocks."""
        whole = np.empty((len(self.mean[x]), len(self.mean[y])))
        for block in self._blocks[x, y]:
            part = self.scatter[block].cpu().numpy()
            whole[block.start : block.stop, block.first :] = part
            if x == y:
                whole[block.first :, block.start : block.stop] = part.T
        return whole

    def state_dict(self) -> dict[str, Any]:
        return {"n": self.n, "mean": self.mean, "scatter": list(self.scatter.values())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.n = int(state["n"])
        for name, mean in self.mean.items():
            mean.copy_(state["mean"][name])
        for mine, saved in zip(self.scatter.values(), state["scatter"], strict=True):
            mine.copy_(saved)
