"""MI measures: clusters and rows from the segment means that a pass gathered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from s3prl_plugin.analysis.information.clusters import predict
from s3prl_plugin.analysis.information.protocols import MiProtocol
from s3prl_plugin.analysis.information.sessions import left_out_together
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.refusal import Refused
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.segment_measure import SegmentMeasure
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.results import Row
from s3prl_plugin.taps import Tap


class SegmentInformation(SegmentMeasure):
    """mi_phone, mi_word or mi_speaker, under one or both protocols.

    Args:
        means: keeps the sampled segments.
        plan: of the run; its seed is that of the first k-means.
        protocols: choose the clusters and make the rows.
        seeds: k-means runs, whose scores are averaged.
        make_row: of the analysis.
    """

    def __init__(
        self, means: SegmentMeans, plan: Plan, protocols: Sequence[MiProtocol], seeds: int, make_row: RowMaker
    ):
        super().__init__(means, "mi")
        self.plan = plan
        self.protocols = tuple(protocols)
        self.seeds = [plan.seed + i for i in range(seeds)]
        self.make_row = make_row

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        rows, label, classes = self.means.labelled()
        reason = self.lacks_labels(classes)
        trains = self.means.sample.trains[rows]
        left_out = self._left_out(rows, label)
        for k, tap in enumerate(self.means.taps):
            means = self.means.means(k, rows)
            found: list[Row] = []
            for protocol in self.protocols:
                try:
                    if reason:
                        raise Refused(reason)
                    found += self._score(protocol, tap, means, label, left_out, trains)
                except Refused as refused:
                    found += self.make_row.refuse(
                        tap,
                        self.name,
                        protocol.scores,
                        protocol.scores[0],
                        refused.reason,
                        protocol=protocol.name,
                        n=int((~trains).sum()),
                        clusters_asked=protocol.fixed,
                        **self.row_fields,
                    )
            yield found

    def _left_out(self, rows: np.ndarray, label: np.ndarray) -> np.ndarray:
        """(n,) what intervals leave out together, from 0: a speaker; where speakers are the labels, see `sessions`."""
        sample = self.means.sample
        if self.unit == "speaker":
            draw = stream(self.plan.seed, "sessions", self.name)
            return left_out_together(label, sample.session[rows], draw)
        return np.unique(sample.speaker[rows], return_inverse=True)[1]

    def _score(
        self,
        protocol: MiProtocol,
        tap: Tap,
        means: np.ndarray,
        label: np.ndarray,
        left_out: np.ndarray,
        trains: np.ndarray,
    ) -> list[Row]:
        """Learn clusters with every seed, and make the rows of their tables."""
        clusters, settings = protocol.clusters(self.unit, label[~trains])
        tables = []
        for seed in self.seeds:
            cluster = predict(means[trains], means[~trains], clusters, seed, settings)
            tables.append(_tables(left_out[~trains], cluster, label[~trains]))
        share = float(trains.sum() / tap.dim)
        return protocol.rows(tap, self.name, tables, clusters=clusters, n_over_d=share, **self.row_fields)


def _tables(left_out: np.ndarray, cluster: np.ndarray, label: np.ndarray) -> np.ndarray:
    """(U, K, C): how often clusters and labels meet, per group that intervals leave out."""
    tables = np.zeros((left_out.max() + 1, cluster.max() + 1, label.max() + 1), dtype=np.int64)
    np.add.at(tables, (left_out, cluster, label), 1)
    return tables
