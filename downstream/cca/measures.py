"""CCA measures: rows from the statistics that a pass gathered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from s3prl_plugin.analysis import mel
from s3prl_plugin.analysis.frame_statistics import FrameStatistics
from s3prl_plugin.analysis.labels import label_moments
from s3prl_plugin.analysis.sampling import stream
from s3prl_plugin.analysis.segment_means import SegmentMeans
from s3prl_plugin.analysis.segment_measure import SegmentMeasure
from s3prl_plugin.analysis.view_moments import Moments
from s3prl_plugin.downstream.cca.folded_view import FoldedView
from s3prl_plugin.downstream.cca.protocols import PUBLISHED_FOLDS, CcaProtocol
from s3prl_plugin.results import Row
from s3prl_plugin.taps import Tap


class FrameMeasures:
    """cca_mel and cca_intra under one protocol.

    The base tap's row with itself is reported and marked trivial: it is 1 less the share of dimensions without variance
    (a layer normalisation leaves one), which is the most that any other tap can reach.

    Args:
        statistics: what is kept of the frames.
        protocol: makes the rows.
        with_mel: whether cca_mel is wanted.
        base: position of the tap that cca_intra compares with; None where it is not wanted.
    """

    def __init__(self, statistics: FrameStatistics, protocol: CcaProtocol, with_mel: bool, base: int | None):
        self.statistics = statistics
        self.protocol = protocol
        self.with_mel = with_mel
        self.base = base
        if with_mel:
            statistics.pair_with_mel()
        if base is not None:
            statistics.pair_with_base(base)

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.statistics.taps)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other; the mel and base views of a stride are whitened once for its taps."""
        shared: dict[tuple[str, int], FoldedView] = {}
        for tap in self.statistics.taps:
            pairs = self._pairs(tap)
            x = FoldedView([fold.x for fold in next(iter(pairs.values()))])
            rows = []
            for measure, folds in pairs.items():
                key = (measure, tap.stride)
                if key not in shared:
                    shared[key] = FoldedView([fold.y for fold in folds])
                rows += self._rows(tap, measure, folds, x, shared[key])
            yield rows

    def _pairs(self, tap: Tap) -> dict[str, list[Moments]]:
        """The fold moments of every measure at a tap."""
        pairs = {}
        if self.with_mel:
            pairs["cca_mel"] = self.statistics.with_mel_of(tap)
        if self.base is not None:
            pairs["cca_intra"] = self.statistics.with_base_of(tap, self.base)
        return pairs

    def _rows(self, tap: Tap, measure: str, folds: Sequence[Moments], x: FoldedView, y: FoldedView) -> list[Row]:
        """The rows of one tap and measure."""
        if measure == "cca_mel":
            return self.protocol.rows(tap, measure, folds, mel.BANDS, x, y)
        base = self.statistics.taps[self.base or 0]
        return self.protocol.rows(tap, measure, folds, base.dim, x, y, tap2=base.name, trivial=tap == base)


class LabelledSegments(SegmentMeasure):
    """cca_phone or cca_word, under one or both protocols.

    Args:
        means: keeps the sampled segments.
        seed: of the run; decides the published protocol's folds.
        protocols: make the rows.
    """

    def __init__(self, means: SegmentMeans, seed: int, protocols: Sequence[CcaProtocol]):
        super().__init__(means, "cca")
        self.seed = seed
        self.protocols = tuple(protocols)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other; the labels are whitened once for all taps."""
        rows, label, classes = self.means.labelled()
        reason = self.lacks_labels(classes)
        views: dict[str, FoldedView] = {}
        for k, tap in enumerate(self.means.taps):
            found: list[Row] = []
            for protocol in self.protocols:
                if reason:
                    found += protocol.refusals(tap, self.name, reason, n=len(rows))
                    continue
                folds = self._moments(protocol, self.means.means(k, rows), rows, label, classes)
                y = views.setdefault(protocol.name, FoldedView([fold.y for fold in folds]))
                found += protocol.rows(tap, self.name, folds, classes - 1, y=y)
            yield found

    def _moments(
        self, protocol: CcaProtocol, means: np.ndarray, rows: np.ndarray, label: np.ndarray, classes: int
    ) -> list[Moments]:
        """Per fold of a protocol, the segment means (x) with their one-hot labels (y)."""
        if protocol.name == "published":
            fold, count = _stratified(label, PUBLISHED_FOLDS, self.seed), PUBLISHED_FOLDS
        else:
            fold = self.means.sample.fold[rows]
            count = int(self.means.sample.fold.max()) + 1
        return [label_moments(means[fold == f], label[fold == f], np.arange(classes)) for f in range(count)]


def _stratified(label: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(n,) random folds that share out every label as evenly as can be."""
    fold = np.empty(len(label), dtype=np.int64)
    draw = stream(seed, "published", "segments")
    for value in np.unique(label):
        mine = draw.permutation(np.flatnonzero(label == value))
        fold[mine] = (np.arange(len(mine)) + draw.integers(folds)) % folds
    return fold
