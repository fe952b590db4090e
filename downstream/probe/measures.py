"""probe_phone, probe_word, probe_speaker: what a linear classifier makes of the segment means that a pass gathered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from s3prl_plugin.analysis.chance import chance_fields
from s3prl_plugin.analysis.measure import Foretold, SegmentMeasure
from s3prl_plugin.analysis.planning.labels import eligible
from s3prl_plugin.analysis.planning.permutations import permuted, units_of
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.downstream.probe.linear import FoldedRows, Probed
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused, Verdict
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

ACCURACY, BALANCED = SCORES = ("accuracy", "balanced_accuracy")
FEWEST_SCORED, FEW_SCORED = 50, 300  # independent ones give a share of one half a standard error of .07, of .03
TIMED = 256  # dimensions by which the time of more is told


class LinearProbe(SegmentMeasure):
    """The rows of one unit.

    Args:
        means: keeps the sampled segments.
        plan: of the run.
        permutations: of the labels, whose mean score is chance; 0: that of always the most frequent label.
        with_intervals: Nadeau and Bengio's, over folds.
        make_row: of the analysis.
    """

    def __init__(self, means: SegmentMeans, plan: Plan, permutations: int, with_intervals: bool, make_row: RowMaker):
        super().__init__(means, "probe")
        self.plan = plan
        self.permutations = permutations
        self.with_intervals = with_intervals
        self.make_row = make_row

    @property
    def scoring_bytes(self) -> int:
        """See `Foretells`: the rows in float64, and the products of every fold and of some of their sums."""
        sample, dim = self.means.sample, max(tap.dim for tap in self.means.taps)
        return 8 * dim * (3 * len(sample) + (len(np.unique(sample.fold)) + 6) * dim)

    def foretell(self) -> Foretold:
        """See `Foretells`."""
        sample = self.means.sample
        kept = np.flatnonzero(np.isin(sample.label, eligible(sample.label, sample.fold)))
        label = np.unique(sample.label[kept], return_inverse=True)[1]
        refused = self._lacks(len(kept), len(np.unique(label)))
        verdict = Verdict(refused=refused) if refused else Verdict(grey=self._grey(kept))
        seconds = 0.0 if refused else self._seconds(label, sample.fold[kept])
        return Foretold(self.name, f"{len(kept)} {self._segments}", len(kept), verdict, seconds)

    def _seconds(self, label: np.ndarray, fold: np.ndarray) -> float:
        """Processor seconds of a tap on this machine, from rows of noise, as many to a dimension."""
        dim = self.means.taps[0].dim
        size = min(dim, TIMED)
        timed = np.arange(len(label)) % dim < size if dim > size else np.ones(len(label), dtype=bool)
        noise = np.random.default_rng(0).standard_normal((int(timed.sum()), size))
        begin = time.process_time()
        folded = FoldedRows(noise, fold[timed])
        shrinkage = folded.chosen(label[timed])
        once = time.process_time()
        folded.probed(label[timed], shrinkage)
        ended = time.process_time()
        return ((once - begin) + (ended - once) * (1 + self.permutations)) * (dim / size) ** 3

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        rows, label, classes = self.means.labelled()
        fold = self.means.sample.fold[rows]
        lacks, grey = self._lacks(len(rows), classes), self._grey(rows)
        drawn = [] if lacks else [self._permuted(rows, label, number) for number in range(self.permutations)]
        for k, tap in enumerate(self.means.taps):
            fields: dict[str, Any] = {"n": len(rows), **self.row_fields}
            try:
                if lacks:
                    raise Refused(lacks)
                yield self._rows(tap, FoldedRows(self.means.means(k, rows), fold), label, drawn, grey, fields)
            except Refused as refused:
                yield self.make_row.refuse(tap, self.name, SCORES, ACCURACY, refused.reason, **fields)

    def _rows(
        self,
        tap: Tap,
        folded: FoldedRows,
        label: np.ndarray,
        drawn: list[np.ndarray],
        grey: str | None,
        fields: dict[str, Any],
    ) -> list[Row]:
        """The rows of one tap."""
        shrinkage = folded.chosen(label)
        found = folded.probed(label, shrinkage)
        by_chance = [folded.probed(each, shrinkage) for each in drawn]
        trained = len(label) - max(map(len, folded.rows))
        made = []
        for score in SCORES:
            estimate = intervals.nadeau_bengio(_per_fold(found, score))
            told: dict[str, Any] = {"per_fold": _per_fold(found, score).tolist()}
            if self.with_intervals:
                told["ci_low"], told["ci_high"] = estimate.interval()
            if drawn:
                told |= chance_fields([float(_per_fold(each, score).mean()) for each in by_chance])
            else:
                count = np.bincount(label)
                told["chance"] = count.max() / count.sum() if score == ACCURACY else 1 / len(count)
            made.append(
                self.make_row.row(
                    tap,
                    self.name,
                    score,
                    headline=score == ACCURACY,
                    value=estimate.value,
                    n_over_d=trained / tap.dim,
                    grey=grey,
                    **told,
                    **fields,
                )
            )
        return made

    def _permuted(self, rows: np.ndarray, label: np.ndarray, number: int) -> np.ndarray:
        """Labels that mean nothing."""
        sample = self.means.sample
        who = sample.session if self.unit == "speaker" else sample.speaker
        unit, block = units_of(self.unit, label, who[rows], sample.fold[rows])
        return permuted(label, unit, block, stream(self.plan.seed, "permutation", self.name, number))

    def _lacks(self, n: int, classes: int) -> str | None:
        """Why there is no number."""
        if lacks := self.lacks_labels(classes):
            return lacks
        if n < FEWEST_SCORED:
            return f"limited by data: {n} {self._segments}, {FEWEST_SCORED} needed; more speech would help"
        return None

    def _grey(self, rows: np.ndarray) -> str | None:
        """Why a number is barely supported."""
        if len(rows) < FEW_SCORED:
            return f"limited by data: {len(rows)} {self._segments}, {FEW_SCORED} wanted; more speech would help"
        if self.unit != "speaker" and self.plan.folds.split_by != "speaker":
            speakers = len(np.unique(self.means.sample.speaker[rows]))
            return f"{speakers} speakers, who are learned from and scored alike; eight or more would keep them apart"
        return None

    @property
    def _segments(self) -> str:
        return "utterances" if self.unit == "speaker" else f"{self.unit}s"


def _per_fold(found: Probed, score: str) -> np.ndarray:
    """(F,)"""
    return found.accuracy if score == ACCURACY else found.balanced
