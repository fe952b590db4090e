"""MI measures: clusters and rows from the segment means that a pass gathered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from s3prl_plugin.analysis.information.clusters import predict
from s3prl_plugin.analysis.information.protocols import HEADLINE, WHITENED, MiDefault, MiProtocol
from s3prl_plugin.analysis.information.speaker_protocol import left_out_together
from s3prl_plugin.analysis.measure import SegmentMeasure
from s3prl_plugin.analysis.planning.labels import quantile_of
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.components import RowWhitening, covariance, dominance
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

STRATA = 5  # of duration: tenths would leave too few tokens in each


class SegmentInformation(SegmentMeasure):
    """mi_phone, mi_word or mi_speaker, under one or both protocols.

    Args:
        means: keeps the sampled segments.
        plan: of the run; its seed is that of the first k-means.
        protocols: choose the clusters and make the rows.
        seeds: k-means runs, whose scores are averaged.
        make_row: of the analysis.
        control: "duration" or nothing: the default protocol's rows once more, with duration held constant.
    """

    def __init__(
        self,
        means: SegmentMeans,
        plan: Plan,
        protocols: Sequence[MiProtocol],
        seeds: int,
        make_row: RowMaker,
        control: Sequence[str] = (),
    ):
        super().__init__(means, "mi")
        self.plan = plan
        self.protocols = tuple(protocols)
        self.seeds = [plan.seed + i for i in range(seeds)]
        self.make_row = make_row
        self.control = tuple(control)

    def jobs(self) -> Iterator[Callable[[], list[Row]]]:
        """The rows of one tap after the other."""
        rows, label, classes = self.means.labelled()
        reason = self.lacks_labels(classes)
        trains = self.means.sample.trains[rows]
        tokens = Tokens(label, self._left_out(rows, label), trains)
        strata = self._durations(rows) if self.control else None
        for k, tap in enumerate(self.means.taps):
            yield partial(self._of_tap, k, tap, rows, tokens, strata, reason)

    def _of_tap(
        self, k: int, tap: Tap, rows: np.ndarray, tokens: Tokens, strata: np.ndarray | None, reason: str | None
    ) -> list[Row]:
        """The rows of one tap."""
        means = self.means.means(k, rows)
        spread = None if reason or tokens.trains.sum() < 2 else covariance(means[tokens.trains])
        found: list[Row] = []
        for protocol in self.protocols:
            found += self._score(protocol, tap, means, spread, tokens, reason)
            if isinstance(protocol, MiDefault):
                found += self._whitened(protocol, tap, means, spread, tokens, reason)
                for control in self.control:
                    held = replace(tokens, stratum=strata)
                    found += self._score(protocol, tap, means, spread, held, reason, control=control)
        return found

    def _durations(self, rows: np.ndarray) -> np.ndarray:
        """(n,) which fifth of the durations each segment is in."""
        sample = self.means.sample
        segment = sample.segment[rows]
        return quantile_of(sample.alignment.end[segment] - sample.alignment.start[segment], STRATA)

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
        spread: np.ndarray | None,
        tokens: Tokens,
        reason: str | None,
        control: str | None = None,
    ) -> list[Row]:
        """The rows of one protocol, or what it refuses; `spread` is the covariance of the training rows."""
        of_rows = {} if reason else dominance(means[tokens.trains], spread=spread)
        fields = self._fields(tap, tokens, control) | of_rows
        scores = [score for score in protocol.scores if score != WHITENED]
        try:
            if reason:
                raise Refused(reason)
            tables, clusters = self._tables(protocol, means, tokens)
            return protocol.rows(tap, self.name, tables, clusters=clusters, **fields)
        except Refused as refused:
            fields |= {"protocol": protocol.name, "n": int((~tokens.trains).sum()), "clusters_asked": protocol.fixed}
            return self.make_row.refuse(tap, self.name, scores, scores[0], refused.reason, **fields)

    def _whitened(
        self,
        protocol: MiDefault,
        tap: Tap,
        means: np.ndarray,
        spread: np.ndarray | None,
        tokens: Tokens,
        reason: str | None,
    ) -> list[Row]:
        """The row of the whitened layer, if it is wanted."""
        if WHITENED not in protocol.scores:
            return []
        fields = self._fields(tap, tokens, None)
        try:
            if reason:
                raise Refused(reason)
            whitening = RowWhitening.of(means[tokens.trains], spread)
            tables, clusters = self._tables(protocol, whitening(means), tokens)
            return protocol.whitened_rows(tap, self.name, tables, clusters=clusters, **fields)
        except Refused as refused:
            fields |= {"n": int((~tokens.trains).sum()), "clusters_asked": protocol.fixed}
            return self.make_row.refuse(tap, self.name, [WHITENED], HEADLINE, refused.reason, **fields)

    def _fields(self, tap: Tap, tokens: Tokens, control: str | None) -> dict[str, Any]:
        """What all rows of a tap say."""
        return {"n_over_d": float(tokens.trains.sum() / tap.dim), "control": control, **self.row_fields}

    def _tables(self, protocol: MiProtocol, means: np.ndarray, tokens: Tokens) -> tuple[list[np.ndarray], int]:
        """Learn clusters with every seed: their tables with the labels, and how many clusters."""
        scored = ~tokens.trains
        label = tokens.label[scored]
        stratum = np.zeros(len(label), dtype=np.int64) if tokens.stratum is None else tokens.stratum[scored]
        # What chance gives goes by the tokens of a stratum, so that fewer clusters are possible in several.
        clusters, settings = protocol.clusters(self.unit, label[:: int(stratum.max(initial=0)) + 1])
        tables = []
        for seed in self.seeds:
            cluster = predict(means[tokens.trains], means[scored], clusters, seed, settings)
            tables.append(_tables(stratum, tokens.left_out[scored], cluster, label))
        return [table[0] for table in tables] if tokens.stratum is None else tables, clusters


@dataclass(frozen=True, slots=True)
class Tokens:
    """What is known of the segments that are scored or learned from.

    Attributes:
        label: (n,) class numbers.
        left_out: (n,) what intervals leave out together, from 0.
        trains: (n,) whether clusters are learned from it; the others are scored.
        stratum: (n,) within which information is counted; None for all segments alike.
    """

    label: np.ndarray
    left_out: np.ndarray
    trains: np.ndarray
    stratum: np.ndarray | None = None


def _tables(stratum: np.ndarray, left_out: np.ndarray, cluster: np.ndarray, label: np.ndarray) -> np.ndarray:
    """(S, U, K, C): how often clusters and labels meet, per stratum and group that intervals leave out."""
    keys = (stratum, left_out, cluster, label)
    tables = np.zeros(tuple(int(key.max()) + 1 for key in keys), dtype=np.int64)
    np.add.at(tables, keys, 1)
    return tables
