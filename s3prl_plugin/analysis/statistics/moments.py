"""Additive statistics of views, per fold, gathered in one pass from rows as they come.

Everything that CCA and CKA report is a function of counts, means and centred scatters, so that one pass over the data
suffices, in memory that does not grow with the corpus. `FoldMoments` gathers them; `Moments` are the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.linalg.blas
import torch

from s3prl_plugin.analysis.statistics.storage import IN_MEMORY, Storage
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments, mirrored

__all__ = ["FoldMoments", "Moments", "ViewMoments"]

Rows = torch.Tensor | npt.NDArray[Any]

ALIGNED = 8  # numbers: what is kept of a scatter begins at multiples of 64 bytes
NARROW = 192  # dimensions; products with a view of no more are computed in float64


class FoldMoments:
    """Moments of several views of the same rows, per fold, from rows as they come.

    A group of views that are seen at the same frames: the taps of one stride, the mel frames averaged to that stride,
    a base layer. Every view's own scatter is kept once, whatever the number of pairs it is in.

    The rows of an update are centred on their own mean, and their products are summed into float64 with Chan's formula,
    whose term for the mean that moves is one row more. So offsets cost no precision, wherever they come from; the same
    updates in the same order give the same bits, also when the state was saved and loaded between; and statistics of
    updates in another order, or of several processes merged, agree to float64 rounding. Large updates are fast ones.

    Products of two wide views are computed in float32 (1e-7 relative in the statistics), those with a narrow one (mel),
    where that would cost 1e-6 of a score, and those of a view with itself in float64: after a layer normalisation a
    view has a direction of no variance, which float32 products raise to 1e-10 of the largest eigenvalue, where it can
    no longer be told from a signal; float64 leaves it at 1e-16. (Whisper tiny.en's first block has a true direction at
    2e-9: with float32 products its scores moved by 1e-4.) A view and the narrow ones beside it are one product.

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
        self._order = _kept_first(self.dims, self.pairs)
        at = self._order.index
        self._pairs_at = {z: [p for p in self.pairs if p[0] != p[1] and max(p, key=at) == z] for z in self._order}
        self._partners = {min(p, key=at) for pairs in self._pairs_at.values() for p in pairs}
        self._room: dict[torch.dtype, torch.Tensor] = {}
        ordered = {name: self.dims[name] for name in self._order}
        self._folds = [_Fold(ordered, self.pairs, self.device, storage) for _ in range(folds)]

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
        return 8 * folds * (sum(_kept(dims, pairs).values()) + sum(dims.values()))

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
        state, kept, n = self._folds[fold], dict[str, torch.Tensor](), None
        steps = []
        for name in self._order:
            rows = torch.as_tensor(views[name]).detach().to(self.device)
            n = len(rows) if n is None else n
            if rows.shape != (n, self.dims[name]):
                shape = tuple(rows.shape)
                raise ValueError(f"view {name!r} has shape {shape}: all must have the same rows, and {self.dims}")
            if not n:
                return
            pairs = [(pair, pair[0] if pair[1] == name else pair[1]) for pair in self._pairs_at[name]]
            narrow = [(pair, other) for pair, other in pairs if self.dims[other] <= NARROW]
            beside = [kept[other] for _, other in narrow]
            width = self.dims[name] + sum(each.shape[1] for each in beside)
            joint = self._scratch(torch.float64, n + 1, width)
            step = state.centre(name, rows.float(), beside, joint)
            steps.append(step)
            products = _with_itself(joint)
            state.add_own(name, products)
            start = self.dims[name]
            for pair, other in narrow:
                stop = start + self.dims[other]
                state.add_cross(pair, name, products[: self.dims[name], start:stop])
                start = stop
            own = joint[:, : self.dims[name]]
            if self.dims[name] > NARROW:
                own = self._scratch(torch.float32, *own.shape).copy_(own)
            for pair, other in pairs:
                if self.dims[other] > NARROW:
                    state.add_cross(pair, name, own.T @ kept[other])
            if name in self._partners:
                kept[name] = own.clone()
        state.move(n or 0, torch.cat(steps))

    def _scratch(self, dtype: torch.dtype, rows: int, columns: int) -> torch.Tensor:
        """Room to compute in, the same one for all views and updates: new memory costs as much as the sums."""
        found = self._room.get(dtype)
        if found is None or len(found) < rows * columns:
            found = self._room[dtype] = torch.empty(rows * columns, dtype=dtype, device=self.device)
        return found[: rows * columns].view(rows, columns)

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

    def moments(self, x: str, y: str, known: Mapping[str, list[ViewMoments]] = MappingProxyType({})) -> list[Moments]:
        """The joint moments of a pair, per fold; they hold until the next update.

        Args:
            x, y: names of the views.
            known: what `view` gave for some, which then is not made again.
        """
        if x != y and (x, y) not in self.pairs:
            raise ValueError(f"the pair ({x!r}, {y!r}) was not collected; pairs: {self.pairs}")
        of_x, of_y = (known[name] if name in known else self.view(name) for name in (x, y))
        if x == y:
            return [Moments(view, view, view.scatter) for view in of_x]
        folds = zip(of_x, of_y, self._folds, strict=True)
        return [Moments(x_fold, y_fold, fold.matrix(x, y)) for x_fold, y_fold, fold in folds]

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


def _kept_first(dims: Mapping[str, int], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """The views in the order in which they are taken: narrow ones, wide ones that others are paired with, the rest."""
    seconds = {y for x, y in pairs if x != y}
    return sorted(dims, key=lambda name: (dims[name] > NARROW, name not in seconds))


def _kept(dims: Mapping[str, int], pairs: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Numbers that are kept of every scatter: of a view's own those on and above the diagonal, of a pair's all."""
    own = {(name, name): d * (d + 1) // 2 for name, d in dims.items()}
    return own | {(x, y): dims[x] * dims[y] for x, y in pairs if x != y}


def _with_itself(rows: torch.Tensor) -> torch.Tensor:
    """The products of columns with each other, (m, d) -> (d, d), on and above the diagonal; below it is no meaning."""
    if rows.device.type != "cpu":
        return rows.T @ rows
    return torch.from_numpy(scipy.linalg.blas.dsyrk(1.0, rows.numpy().T, lower=1).T)  # in Fortran's order: transposed


@cache
def _upper(d: int, columns: int, device: torch.device) -> torch.Tensor:
    """Where the numbers on and above the diagonal of the first d columns are, in rows of so many columns."""
    row, column = torch.triu_indices(d, d)
    return (row * columns + column).to(device)


class _Fold:
    """The sums of one fold."""

    def __init__(
        self, dims: Mapping[str, int], pairs: Iterable[tuple[str, str]], device: torch.device, storage: Storage
    ):
        self.n = 0
        self._means = torch.zeros(sum(dims.values()), dtype=torch.float64, device=device)
        self._sizes = dict(dims)
        self.mean = self._by_view(self._means)
        sizes = _kept(dims, pairs)
        starts = np.cumsum([0, *(-(-size // ALIGNED) * ALIGNED for size in sizes.values())]).tolist()
        if device.type == "cpu":
            whole = torch.from_numpy(storage.zeros([starts[-1]], np.float64))
        else:
            whole = torch.zeros(starts[-1], dtype=torch.float64, device=device)
        self.scatter = {
            (x, y): whole[start : start + size].view([-1] if x == y else [dims[x], dims[y]])
            for ((x, y), size), start in zip(sizes.items(), starts, strict=False)
        }

    def centre(
        self, name: str, rows: torch.Tensor, beside: Sequence[torch.Tensor], joint: torch.Tensor
    ) -> torch.Tensor:
        """Put rows about their mean into `joint`, other views beside them, and a last row for the mean that moves.

        Args:
            name: of the view.
            rows: (m, d) float32.
            beside: (m + 1, d') float64 of other views, centred already.
            joint: (m + 1, d and all d') float64.

        Returns:
            (d,) float64, from the mean so far to that of the rows.
        """
        m, d = rows.shape
        own = joint[:m, :d]
        own.copy_(rows)
        mean = own.T @ own.new_full((m,), 1 / m)
        own -= mean
        step = mean - self.mean[name]
        torch.mul(step, (self.n * m / (self.n + m)) ** 0.5, out=joint[m, :d])
        if beside:
            torch.cat(list(beside), dim=1, out=joint[:, d:])
        return step

    def add_own(self, name: str, products: torch.Tensor) -> None:
        """Add the products of a view's columns with each other, which are the first of (D, D) `products`."""
        places = _upper(self._sizes[name], len(products), products.device)
        self.scatter[name, name] += products.reshape(-1).index_select(0, places)

    def add_cross(self, pair: tuple[str, str], first: str, products: torch.Tensor) -> None:
        """Add the products of the view `first` of a pair with the other one."""
        double = products.double()  # adding float32 to float64 as it is takes four times as long
        self.scatter[pair] += double if first == pair[0] else double.T

    def move(self, m: int, step: torch.Tensor) -> None:
        """Move the means by their share of a step, (all dimensions,), after m rows were added.

        Raises:
            FloatingPointError: it is not finite.
        """
        if not torch.isfinite(step).all():  # the only look at what was computed
            name = next(name for name, part in self._by_view(step).items() if not part.isfinite().all())
            raise FloatingPointError(f"the view {name!r} has NaN or infinite values, or overflows float32")
        self.n += m
        self._means.add_(step, alpha=m / self.n)

    def add(self, other: _Fold) -> None:
        """Add the sums of the same fold elsewhere."""
        total = self.n + other.n
        if not other.n:
            return
        step = {name: other.mean[name].to(mean) - mean for name, mean in self.mean.items()}
        for (x, y), scatter in self.scatter.items():
            scatter += other.scatter[x, y].to(scatter)
            moved = torch.outer(step[x], step[y])
            if x == y:
                moved = moved.view(-1).index_select(0, _upper(len(moved), len(moved), moved.device))
            scatter.add_(moved, alpha=self.n * other.n / total)
        for name, mean in self.mean.items():
            mean += step[name] * (other.n / total)
        self.n = total

    def view(self, name: str) -> ViewMoments:
        """The moments of one view."""
        mean = self.mean[name].cpu().numpy().copy()
        return ViewMoments(self.n, mean, self.matrix(name, name))

    def matrix(self, x: str, y: str) -> Array:
        """The scatter of x with y, (d_x, d_y); of two views it is what is kept, to be read until the next update."""
        kept = self.scatter[x, y].cpu().numpy()
        if x != y:
            kept.flags.writeable = False
            return kept
        d = self._sizes[x]
        whole, start = np.empty((d, d)), 0
        for row in range(d):
            whole[row, row:] = kept[start : start + d - row]
            start += d - row
        return mirrored(whole)

    def state_dict(self) -> dict[str, Any]:
        return {"n": self.n, "mean": self.mean, "scatter": list(self.scatter.values())}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.n = int(state["n"])
        for name, mean in self.mean.items():
            mean.copy_(state["mean"][name])
        for mine, saved in zip(self.scatter.values(), state["scatter"], strict=True):
            mine.copy_(saved)

    def _by_view(self, values: torch.Tensor) -> dict[str, torch.Tensor]:
        """(..., all dimensions) -> those of every view."""
        return dict(zip(self._sizes, values.split(list(self._sizes.values()), dim=-1), strict=True))
