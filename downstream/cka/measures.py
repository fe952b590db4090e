"""CKA measures: rows from the statistics that a pass gathered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from s3prl_plugin.analysis.measure import SegmentMeasure
from s3prl_plugin.analysis.planning.labels import label_moments
from s3prl_plugin.analysis.statistics.frame_statistics import FrameStatistics
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.downstream.cka.rows import CkaRows
from s3prl_plugin.results import Row


class FrameMeasures:
    """cka_mel, cka_intra, and cka_inter with a model in the same pass.

    Args:
        statistics: what is kept of the frames; it names the other model.
        rows: makes the rows.
        with_mel: whether cka_mel is wanted.
        base: position of the tap that cka_intra compares with; None where it is not wanted.
    """

    def __init__(self, statistics: FrameStatistics, rows: CkaRows, with_mel: bool, base: int | None):
        self.statistics = statistics
        self.rows = rows
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
        """The rows of one tap after the other."""
        for tap in self.statistics.taps:
            found = []
            if self.with_mel:
                found.append(self.rows.row(tap, "cka_mel", self.statistics.with_mel_of(tap)))
            if self.base is not None:
                base = self.statistics.taps[self.base]
                folds = self.statistics.with_base_of(tap, self.base)
                found.append(self.rows.row(tap, "cka_intra", folds, tap2=base.name, trivial=tap == base))
            if self.statistics.other is not None:
                folds = self.statistics.with_other_of(tap)
                found.append(self.rows.row(tap, "cka_inter", folds, **self.statistics.other_fields()))
            yield found


class LabelledSegments(SegmentMeasure):
    """cka_phone or cka_word: segment means with one-hot labels.

    Between labels, the linear kernel says whether two segments are of one class, so that this is the alignment of a
    layer's similarities with "the same class".

    Args:
        means: keeps the sampled segments.
        rows: makes the rows.
    """

    def __init__(self, means: SegmentMeans, rows: CkaRows):
        super().__init__(means, "cka")
        self.rows = rows

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        rows, label, classes = self.means.labelled()
        reason = self.lacks_labels(classes)
        fold = self.means.sample.fold[rows]
        for k, tap in enumerate(self.means.taps):
            if reason:
                yield [self.rows.refusal(tap, self.name, reason, n=len(rows), **self.row_fields)]
                continue
            means = self.means.means(k, rows)
            numbers = range(int(fold.max()) + 1)
            folds = [label_moments(means[fold == f], label[fold == f], np.arange(classes)) for f in numbers]
            yield [self.rows.row(tap, self.name, folds, **self.row_fields)]
