"""CCA of segments with their labels: rows from the means that a pass gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from s3prl_plugin.analysis.measure import SegmentMeasure
from s3prl_plugin.analysis.planning.labels import label_moments, one_hot
from s3prl_plugin.analysis.planning.permutations import permuted, units_of
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca.controlled import ControlledPair, control_view, lacks_control
from s3prl_plugin.downstream.cca.pair import FoldedView, PairOfViews
from s3prl_plugin.downstream.cca.protocols import PUBLISHED_FOLDS, CcaDefault, CcaProtocol
from s3prl_plugin.downstream.cca.split import stratified
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap


class CcaSegments(SegmentMeasure):
    """cca_phone, cca_word or cca_speaker, under one or both protocols.

    Args:
        means: keeps the sampled segments.
        plan: of the run; its seed decides the published protocol's folds and the permutations.
        protocols: make the rows.
        control: what is held constant in further rows of the default protocol; see `controls`.
        permutations: of the labels, whose mean score is the chance of the default protocol's rows.
    """

    def __init__(
        self,
        means: SegmentMeans,
        plan: Plan,
        protocols: Sequence[CcaProtocol],
        control: Sequence[str] = (),
        permutations: int = 0,
    ):
        super().__init__(means, "cca")
        self.plan = plan
        self.protocols = tuple(protocols)
        self.control = tuple(control)
        self.permutations = permutations

    def jobs(self) -> Iterator[Callable[[], list[Row]]]:
        """The rows of one tap after the other; the labels are whitened once for all taps."""
        labelled = self.means.labelled()
        views: dict[str, FoldedView] = {}
        for k, tap in enumerate(self.means.taps):
            yield partial(self._of_tap, k, tap, *labelled, views)

    def _of_tap(
        self, k: int, tap: Tap, rows: np.ndarray, label: np.ndarray, classes: int, views: dict[str, FoldedView]
    ) -> list[Row]:
        """The rows of one tap; `views` are the labels under every protocol."""
        reason = self.lacks_labels(classes)
        found: list[Row] = []
        for protocol in self.protocols:
            if reason:
                found += protocol.refusals(tap, self.name, reason, n=len(rows), **self.row_fields)
                continue
            means = self.means.means(k, rows)
            folds = self._moments(protocol, means, rows, label, classes)
            y = views.setdefault(protocol.name, FoldedView([fold.y for fold in folds]))
            if not isinstance(protocol, CcaDefault):
                found += protocol.rows(tap, self.name, folds, y=y, **self.row_fields)
                continue
            pair = PairOfViews(folds, y=y)
            permuted = self._permuted(pair, means, rows, label, classes)
            found += protocol.rows_of_pair(tap, self.name, pair, permuted, **self.row_fields)
            if self.control:
                found += self._controlled(protocol, tap, means, rows, label, classes)
        return found

    def _moments(
        self, protocol: CcaProtocol, means: np.ndarray, rows: np.ndarray, label: np.ndarray, classes: int
    ) -> list[Moments]:
        """Per fold of a protocol, the segment means (x) with their one-hot labels (y)."""
        if protocol.name == "published":
            fold, count = stratified(label, PUBLISHED_FOLDS, self.plan.seed), PUBLISHED_FOLDS
        else:
            fold, count = self._folds(rows)
        return [label_moments(means[fold == f], label[fold == f], np.arange(classes)) for f in range(count)]

    def _folds(self, rows: np.ndarray) -> tuple[np.ndarray, int]:
        """The plan's fold of every segment, and how many there are."""
        return self.means.sample.fold[rows], int(self.means.sample.fold.max()) + 1

    def _controlled(
        self,
        protocol: CcaDefault,
        tap: Tap,
        means: np.ndarray,
        rows: np.ndarray,
        label: np.ndarray,
        classes: int,
    ) -> list[Row]:
        """The rows with something held constant; their chance is 0, permutations are not made for them."""
        fields = {**self.row_fields, "control": "+".join(self.control)}
        reason = lacks_control(self.control, self.plan)
        if reason:
            return protocol.refusals(tap, self.name, reason, n=len(rows), **fields)
        z = control_view(self.control, self.means.sample, rows)
        both = np.column_stack([means, one_hot(label, np.arange(classes))])
        fold, count = self._folds(rows)
        folds = [Moments.of(both[fold == f], z[fold == f]) for f in range(count)]
        return protocol.rows_of_pair(tap, self.name, ControlledPair(folds, tap.dim), **fields)

    def _permuted(
        self, pair: PairOfViews, means: np.ndarray, rows: np.ndarray, label: np.ndarray, classes: int
    ) -> Iterator[PairOfViews]:
        """The pair with labels that mean nothing, the same ones for every tap."""
        fold, _ = self._folds(rows)
        sample = self.means.sample
        source = sample.session if self.unit == "speaker" else sample.speaker
        unit, block = units_of(self.unit, label, source[rows], fold)
        for number in range(self.permutations):
            drawn = permuted(label, unit, block, stream(self.plan.seed, "permutation", self.name, number))
            folds = [
                label_moments(means[fold == f], drawn[fold == f], np.arange(classes), x)
                for f, x in enumerate(pair.x.folds)
            ]
            yield PairOfViews(folds, pair.x)
