"""What CCA and CKA ask alike: every tap's frames with the mel spectrogram, a base tap and another model's tap."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial
from threading import Lock
from typing import Any, Protocol

from s3prl_plugin.analysis.other_models.saved_comparison import SavedComparison
from s3prl_plugin.analysis.planning.silence import Frames
from s3prl_plugin.analysis.statistics.frame_statistics import FrameStatistics, Views
from s3prl_plugin.analysis.statistics.view_moments import Moments, ViewMoments
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride


class PairRows(Protocol):
    """How rows are made of the moments of a pair of views.

    Attributes:
        family: the first half of the measures' names: "cca", "cka".
    """

    family: str

    def view(self, folds: Sequence[ViewMoments]) -> Any:
        """One view in every fold, for `rows` of all pairs that it is in; None where nothing can be shared."""
        ...

    def rows(
        self, tap: Tap, measure: str, folds: Sequence[Moments], x: Any = None, y: Any = None, **fields: Any
    ) -> list[Row]:
        """The rows of one tap and measure.

        Args:
            tap: whose view is x.
            measure: its name.
            folds: joint moments per fold.
            x, y: what `view` gave for either side.
            fields: further row fields, such as `tap2`.
        """
        ...

    def refusals(self, tap: Tap, measure: str, reason: str, **fields: Any) -> list[Row]:
        """The rows of a measure that cannot be had."""
        ...


class FramePairs:
    """The measures `_mel`, `_intra`, and `_inter` with a model in the same pass.

    The base tap's row with itself is reported and marked trivial: it is 1.

    Args:
        statistics: what is kept of the frames; it names the other model.
        rows: makes the rows.
        with_mel: whether `_mel` is wanted.
        base: position of the tap that `_intra` compares with; None where it is not wanted.
        frames: which subsets of the frames have rows, and their folds in `statistics`; None for all frames.
    """

    def __init__(
        self,
        statistics: FrameStatistics,
        rows: PairRows,
        with_mel: bool,
        base: int | None,
        frames: Frames | None = None,
    ):
        self.statistics = statistics
        self.rows = rows
        self.with_mel = with_mel
        self.base = base
        self.frames = frames
        if with_mel:
            statistics.pair_with_mel()
        if base is not None:
            statistics.pair_with_base(base)

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.statistics.taps)

    def jobs(self) -> Iterator[Callable[[], list[Row]]]:
        """The rows of one tap after the other; the mel and base views of a stride are prepared once for its taps."""
        shared = _Shared()
        for tap in self.statistics.taps:
            yield partial(self._of_tap, tap, shared)

    def _of_tap(self, tap: Tap, shared: _Shared) -> list[Row]:
        shared_views = shared.once(("views", tap.stride), partial(self.statistics.partners_at, tap.stride))
        pairs = self._pairs(tap, {tap.name: self.statistics.of(tap), **shared_views})
        self.statistics.storage.let_go()
        subsets = self.frames.subsets if self.frames else [None]
        return [row for subset in subsets for row in self._subset(tap, pairs, subset, shared)]

    def _subset(self, tap: Tap, gathered: dict[str, list[Moments]], subset: str | None, shared: _Shared) -> list[Row]:
        """The rows of one tap from all of its frames or from some of them."""
        reason = self.frames.lacks(subset) if self.frames else None
        found: list[Row] = []
        x = None
        for kind, folds in gathered.items():
            measure, fields = f"{self.rows.family}_{kind}", {**self._fields(tap, kind), "subset": subset}
            if reason:
                found += self.rows.refusals(tap, measure, reason, n=0, **fields)
                continue
            folds = self.frames.moments(folds, subset) if self.frames else folds
            x = x or self.rows.view([fold.x for fold in folds])
            y = shared.once((subset, kind, tap.stride), partial(self.rows.view, [fold.y for fold in folds]))
            found += self.rows.rows(tap, measure, folds, x, y, **fields)
        return found

    def _pairs(self, tap: Tap, known: Views) -> dict[str, list[Moments]]:
        """The fold moments of every measure at a tap, from those of its views."""
        pairs = {}
        if self.with_mel:
            pairs["mel"] = self.statistics.with_mel_of(tap, known)
        if self.base is not None:
            pairs["intra"] = self.statistics.with_base_of(tap, self.base, known)
        if self.statistics.other is not None:
            pairs["inter"] = self.statistics.with_other_of(tap, known)
        return pairs

    def _fields(self, tap: Tap, kind: str) -> dict[str, Any]:
        """What the rows of a measure say of the other view."""
        if kind == "mel":
            return {}
        if kind == "inter":
            return self.statistics.other_fields()
        base = self.statistics.taps[self.base or 0]
        return {"tap2": base.name, "trivial": tap == base}


class _Shared:
    """What several taps have in common, made by the one that comes first."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What is known under a key, made where it is not."""
        with self._lock:
            if key not in self._known:
                self._known[key] = make()
            return self._known[key]


class SavedPairs:
    """The measure `_inter` with a model whose frames were saved by an earlier run.

    Args:
        comparison: of the taps' sampled frames.
        rows: makes the rows.
    """

    def __init__(self, comparison: SavedComparison, rows: PairRows):
        self.comparison = comparison
        self.rows = rows

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.comparison)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other; the other model's tap is prepared once per frame rate."""
        fields, name = self.comparison.fields(), f"{self.rows.family}_inter"
        shared: dict[Stride, Any] = {}
        for k, tap in enumerate(self.comparison.taps):
            try:
                folds = self.comparison.moments(k)
            except Refused as refused:
                yield self.rows.refusals(tap, name, refused.reason, **fields)
                continue
            stride = self.comparison.stride(k)
            if stride not in shared:
                shared[stride] = self.rows.view([fold.y for fold in folds])
            yield self.rows.rows(tap, name, folds, y=shared[stride], **fields)
