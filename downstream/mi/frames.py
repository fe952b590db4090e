"""mi_frames: clusters of single frames and the phones at their centres, all taps on one grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from s3prl_plugin.analysis.chance import chance_fields
from s3prl_plugin.analysis.information.clusters import DEFAULT, predict
from s3prl_plugin.analysis.information.seeds import interval_fields, spread
from s3prl_plugin.analysis.planning.permutations import permuted
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.components import dominance
from s3prl_plugin.analysis.statistics.purity import SCORES, from_table, jackknife, table_of
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir
from s3prl_plugin.analysis.token_counts import TokenCount
from s3prl_plugin.downstream.mi.labelled_frames import SPEECH, LabelledFrames
from s3prl_plugin.inference.refusal import Refused, chance_limit
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride, ms_text

SUBSETS: dict[str, tuple[str | None, ...]] = {"with": (None,), "without": (SPEECH,), "both": (None, SPEECH)}


class FramePurity:
    """Phone purity, cluster purity and PNMI of every tap.

    Clusters are learned on all frames of the training folds, with silence, and counted on those of the others: all of
    them, and those that are speech. Taps of different rates are seen on one grid, since a finer one has more frames in
    every phone, and its score would be about other frames.

    Chance is the mean score of labels that are exchanged among the segments of a speaker: frames of one segment keep a
    label in common.

    Args:
        reservoir: of cells of the grid.
        plan: of the run; its seed is that of the first k-means.
        stride: of the grid, in samples.
        make_row: of the analysis.
        clusters: K.
        seeds: k-means runs, whose scores are averaged.
        permutations: of the labels.
        silence: a key of `SUBSETS`.
        intervals: "full" (delete-speaker jackknife) or "none".
    """

    name = "mi_frames"

    def __init__(
        self,
        reservoir: FrameReservoir,
        plan: Plan,
        stride: Stride,
        make_row: RowMaker,
        clusters: int,
        seeds: int,
        permutations: int,
        silence: str,
        intervals: str,
    ):
        self.reservoir = reservoir
        self.plan = plan
        self.stride = stride
        self.make_row = make_row
        self.clusters = clusters
        self.seeds = [plan.seed + i for i in range(seeds)]
        self.permutations = permutations
        self.subsets = SUBSETS[silence]
        self.intervals = intervals

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.reservoir.taps)

    def line(self) -> str:
        """What is going to be scored, in one line."""
        drawn = self._drawn()
        return f"{self.name}: {drawn.line()}; all taps on a grid of {ms_text(self.stride)} ms"

    def tokens(self) -> TokenCount:
        """See `CountsTokens`."""
        drawn = self._drawn()
        asked = f"frames of {ms_text(self.stride)} ms: {self.reservoir.asked}"
        used, learned = len(drawn.rows), int(drawn.trains.sum())
        return TokenCount(self.name, asked, used + sum(drawn.dropped.values()), drawn.dropped, used, learned)

    def _drawn(self) -> LabelledFrames:
        """The frames that were drawn before the pass."""
        return LabelledFrames.of(self.plan, self.reservoir, np.arange(len(self.reservoir)), self.stride)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        frames = LabelledFrames.of(self.plan, self.reservoir, self.reservoir.rows(), self.stride)
        exchanged = {subset: self._exchanged(frames, subset) for subset in self.subsets}
        for k, tap in enumerate(self.reservoir.taps):
            rows: list[Row] = []
            clusters: list[np.ndarray] = []
            dominant = dominance(self.reservoir.frames(k, frames.rows[frames.trains]))
            for subset in self.subsets:
                fields = {
                    "subset": subset,
                    "frame_stride": self.stride,
                    "n": int(frames.counted(subset).sum()),
                    "n_over_d": float(frames.trains.sum() / tap.dim),
                    "clusters": self.clusters,
                    "clusters_asked": self.clusters,
                    "seeds": len(self.seeds),
                    **dominant,
                }
                try:
                    clusters = clusters or self._learn(frames, k)
                    rows += self._score(tap, frames, clusters, subset, exchanged[subset], fields)
                except Refused as refused:
                    rows += self.make_row.refuse(tap, self.name, SCORES, SCORES[0], refused.reason, **fields)
            yield rows

    def _learn(self, frames: LabelledFrames, tap: int) -> list[np.ndarray]:
        """Per seed, the clusters of the frames that are not learned from, (n_scored,)."""
        if not len(self.plan.alignment("phone")):
            raise Refused("this corpus has no phone times; a corpus with aligned phones is needed")
        values = self.reservoir.frames(tap, frames.rows)
        train, scored = values[frames.trains], values[~frames.trains]
        return [predict(train, scored, self.clusters, seed, DEFAULT, "frames") for seed in self.seeds]

    def _exchanged(self, frames: LabelledFrames, subset: str | None) -> list[np.ndarray]:
        """Labels of the counted frames, exchanged among the segments of every speaker; the same for all taps."""
        counted = frames.counted(subset)
        label, segment, speaker = frames.label[counted], frames.segment[counted], frames.speaker[counted]
        generators = [stream(self.plan.seed, "permutation", self.name, i) for i in range(self.permutations)]
        return [permuted(label, segment, speaker, generator) for generator in generators]

    def _score(
        self,
        tap: Tap,
        frames: LabelledFrames,
        clusters: Sequence[np.ndarray],
        subset: str | None,
        exchanged: Sequence[np.ndarray],
        fields: dict[str, Any],
    ) -> list[Row]:
        """The rows of one tap and subset of the frames."""
        counted = frames.counted(subset)
        label, speaker = frames.label[counted], frames.speaker[counted]
        chosen = [cluster[counted[~frames.trains]] for cluster in clusters]
        size = self.clusters, frames.classes
        found = [from_table(table_of(cluster, label, *size)) for cluster in chosen]
        by_chance = [[from_table(table_of(cluster, drawn, *size)) for cluster in chosen] for drawn in exchanged]
        chance = {s: [fmean([getattr(each, s) for each in draw]) for draw in by_chance] for s in SCORES}
        verdict = chance_limit(fmean(chance["pnmi"]))
        verdict.check()
        ends = self._interval_ends(chosen, label, speaker, frames.classes)
        rows = []
        for score in SCORES:
            per_seed = [getattr(each, score) for each in found]
            rows.append(
                self.make_row.row(
                    tap,
                    self.name,
                    score,
                    headline=score == SCORES[0],
                    value=fmean(per_seed),
                    seed_sd=spread(per_seed),
                    grey=verdict.grey,
                    **chance_fields(chance[score]),
                    **ends.get(score, {}),
                    **fields,
                )
            )
        return rows

    def _interval_ends(
        self, clusters: Sequence[np.ndarray], label: np.ndarray, speaker: np.ndarray, classes: int
    ) -> dict[str, dict[str, Any]]:
        """The intervals' row fields, by score; none with fewer than two speakers."""
        if self.intervals == "none":
            return {}
        try:
            per_seed = [jackknife(each, label, speaker, self.clusters, classes) for each in clusters]
        except Refused:
            return {}
        return {score: interval_fields([one[score] for one in per_seed]) for score in SCORES}
