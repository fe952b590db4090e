"""CKA of segments with their labels: rows from the means that a pass gathered."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from s3prl_plugin.analysis.measure import SegmentMeasure
from s3prl_plugin.analysis.planning.labels import label_moments
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.downstream.cka.rows import CkaRows
from s3prl_plugin.results import Row


class CkaSegments(SegmentMeasure):
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
                yield self.rows.refusals(tap, self.name, reason, n=len(rows), **self.row_fields)
                continue
            means = self.means.means(k, rows)
            numbers = range(int(fold.max()) + 1)
            folds = [label_moments(means[fold == f], label[fold == f], np.arange(classes)) for f in numbers]
            yield self.rows.rows(tap, self.name, folds, **self.row_fields)
