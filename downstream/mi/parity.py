"""mi_parity: what the clusters of frames tell about where a frame lies within a frame of the lowest rate.

A model of several rates brings frames of a lower rate up to a higher one by repeating or transposed convolution, and
every frame so made knows its place among those that came from the same one. Speech does not: a frame's number modulo
the ratio of the rates is random. So what clusters tell about it is a trace of the up-sampling, and a part of what they
tell apart is not speech. Taps before the first down-sampling are the baseline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from s3prl_plugin.analysis.information.clusters import DEFAULT, predict
from s3prl_plugin.analysis.information.mutual_information import from_table, jackknife
from s3prl_plugin.analysis.information.seeds import interval_fields, spread
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.components import dominance
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir
from s3prl_plugin.inference.refusal import Refused, chance_limit
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride, frame_at

SCORES = ("adjusted", "mi_over_h")


class FrameParity:
    """Mutual information of clusters and positions within a coarse frame, for taps at a higher rate than the lowest.

    `adjusted` is 0 where frames carry no trace of their position, and 1 where clusters tell it exactly.

    Args:
        reservoir: of every tap's own frames; None where all taps have one rate, which is refused.
        taps: that are measured.
        coarsest: the stride of the upstream's lowest frame rate, in samples.
        plan: of the run; its seed is that of the first k-means.
        make_row: of the analysis.
        clusters: K.
        seeds: k-means runs, whose scores are averaged.
        intervals: "full" (delete-speaker jackknife) or "none".
    """

    name = "mi_parity"

    def __init__(
        self,
        reservoir: FrameReservoir | None,
        taps: Sequence[Tap],
        coarsest: Stride,
        plan: Plan,
        make_row: RowMaker,
        clusters: int,
        seeds: int,
        intervals: str,
    ):
        self.reservoir = reservoir
        self.taps = tuple(taps)
        self.coarsest = coarsest
        self.plan = plan
        self.make_row = make_row
        self.clusters = clusters
        self.seeds = [plan.seed + i for i in range(seeds)]
        self.intervals = intervals

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.taps)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        for k, tap in enumerate(self.taps):
            try:
                yield self._score(k, tap)
            except Refused as refused:
                fields = {"clusters": self.clusters, "clusters_asked": self.clusters, "higher_is_better": False}
                yield self.make_row.refuse(tap, self.name, SCORES, SCORES[0], refused.reason, **fields)

    def _score(self, k: int, tap: Tap) -> list[Row]:
        """The rows of one tap."""
        ratio = self._ratio(tap)
        reservoir = self.reservoir
        assert reservoir is not None
        rows = reservoir.rows()
        trains = self.plan.trains(reservoir.fold[rows])
        values = reservoir.frames(k, rows)
        position = frame_at(reservoir.moment[rows], tap.stride) % ratio
        speaker = np.unique(reservoir.speaker[rows][~trains], return_inverse=True)[1]
        tables = []
        for seed in self.seeds:
            cluster = predict(values[trains], values[~trains], self.clusters, seed, DEFAULT, "frames")
            table = np.zeros((speaker.max() + 1, self.clusters, ratio), dtype=np.int64)
            np.add.at(table, (speaker, cluster, position[~trains]), 1)
            tables.append(table)
        dominant = dominance(values[trains])
        found = [from_table(table.sum(axis=0)) for table in tables]
        verdict = chance_limit(max(each.chance_share for each in found))
        verdict.check()
        ends = self._interval_ends(tables)
        chance = {"adjusted": 0.0, "mi_over_h": float(np.mean([each.chance_share for each in found]))}
        made = []
        for score in SCORES:
            per_seed = [getattr(each, score) for each in found]
            made.append(
                self.make_row.row(
                    tap,
                    self.name,
                    score,
                    headline=score == SCORES[0],
                    value=float(np.mean(per_seed)),
                    n=found[0].n,
                    n_over_d=float(trains.sum() / tap.dim),
                    clusters=self.clusters,
                    clusters_asked=self.clusters,
                    seeds=len(self.seeds),
                    seed_sd=spread(per_seed),
                    grey=verdict.grey,
                    chance=chance[score],
                    **dominant,
                    higher_is_better=False,
                    **ends.get(score, {}),
                )
            )
        return made

    def _ratio(self, tap: Tap) -> int:
        """How many frames of a tap lie in one of the lowest rate."""
        coarsest = self.coarsest
        if self.reservoir is None:
            raise Refused("all taps have one frame rate: no frame has a place within a coarser one")
        if tap.stride == coarsest:
            raise Refused("this tap has the lowest frame rate: its frames have no place within a coarser one")
        if coarsest % tap.stride:
            raise Refused(
                f"the coarsest frames, of {coarsest} samples, are no whole number of this tap's, of {tap.stride}: "
                "positions within them do not recur"
            )
        return coarsest // tap.stride

    def _interval_ends(self, tables: Sequence[np.ndarray]) -> dict[str, dict[str, Any]]:
        """The intervals' row fields, by score; none with fewer than two speakers."""
        if self.intervals == "none":
            return {}
        try:
            per_seed = [jackknife(table) for table in tables]
        except Refused:
            return {}
        return {score: interval_fields([getattr(one, score) for one in per_seed]) for score in SCORES}
