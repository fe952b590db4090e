"""From a tap's fold moments to results rows, under the default protocol and under the published one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from s3prl_plugin.analysis.refusal import Refused, Verdict, data_limit
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.sampling import stream
from s3prl_plugin.analysis.view_moments import Moments
from s3prl_plugin.downstream.cca.default import MIN_FOLDS, Jackknifed, Scores, cross_validate, jackknife
from s3prl_plugin.downstream.cca.folded_view import FoldedView
from s3prl_plugin.downstream.cca.published import EPSILONS, cross_validate_published
from s3prl_plugin.results import Row
from s3prl_plugin.taps import Tap

INTERVALS = ("full", "fast", "none")

PUBLISHED_FOLDS = 10
PUBLISHED_TRIALS = 3
PUBLISHED_EPSILONS = 6


class CcaProtocol(Protocol):
    """How rows are made of moments.

    Attributes:
        name: "default" or "published".
        scores: what it reports; the first is the headline.
    """

    name: str
    scores: tuple[str, ...]

    def rows(
        self,
        tap: Tap,
        measure: str,
        folds: Sequence[Moments],
        k: int,
        x: FoldedView | None = None,
        y: FoldedView | None = None,
        **fields: Any,
    ) -> list[Row]:
        """The rows of one tap and measure.

        Args:
            tap: whose view is x.
            measure: its name.
            folds: joint moments per fold.
            k: the number of directions that count: of classes less one, or of dimensions of y.
            x, y: whitenings that are shared with other pairs.
            fields: further row fields, such as `tap2`.
        """
        ...

    def refusals(self, tap: Tap, measure: str, reason: str, **fields: Any) -> list[Row]:
        """The rows of a measure that cannot be had."""
        ...


class DefaultProtocol:
    """Cross-validation over the plan's folds: `corrected`, with `r` and `pwcca` beside it.

    Args:
        make_row: of the analysis.
        intervals: "full" (delete-one-fold jackknife with refit), "fast" (Nadeau-Bengio, not for `corrected`), "none".
    """

    name = "default"
    scores: tuple[str, ...] = ("corrected", "r", "pwcca")

    def __init__(self, make_row: RowMaker, intervals: str):
        self.make_row = make_row
        self.intervals = intervals

    def rows(
        self,
        tap: Tap,
        measure: str,
        folds: Sequence[Moments],
        k: int,
        x: FoldedView | None = None,
        y: FoldedView | None = None,
        **fields: Any,
    ) -> list[Row]:
        """See `CcaProtocol`."""
        sizes = [fold.n for fold in folds]
        fields["n_over_d"] = (sum(sizes) - max(sizes)) / tap.dim
        verdict = data_limit(sum(sizes) - max(sizes), max(tap.dim, k))
        try:
            verdict.check()
            scores, jackknifed = self._scores(folds, k, x, y, refit=not fields.get("trivial"))
        except Refused as refused:
            return self.refusals(tap, measure, refused.reason, n=sum(sizes), **fields)
        return [
            self.make_row.row(
                tap,
                measure,
                score,
                headline=score == self.scores[0],
                value=getattr(scores, score),
                n=scores.n,
                grey=verdict.grey,
                chance=0.0,
                **self._interval(score, scores, jackknifed, bool(fields.get("trivial"))),
                **fields,
            )
            for score in self.scores
        ]

    def refusals(self, tap: Tap, measure: str, reason: str, **fields: Any) -> list[Row]:
        """See `CcaProtocol`."""
        return self.make_row.refuse(tap, measure, self.scores, self.scores[0], reason, **fields)

    def _scores(
        self, folds: Sequence[Moments], k: int, x: FoldedView | None, y: FoldedView | None, refit: bool
    ) -> tuple[Scores, Jackknifed | None]:
        """The scores, and the jackknife where it is wanted and the folds suffice for it."""
        scored = sum(fold.n > 1 for fold in folds)
        if self.intervals == "full" and refit and scored > MIN_FOLDS:
            jackknifed = jackknife(folds, k, x=x, y=y)
            return jackknifed.scores, jackknifed
        return cross_validate(folds, k, x=x, y=y), None

    def _interval(self, score: str, scores: Scores, jackknifed: Jackknifed | None, trivial: bool) -> dict[str, Any]:
        """The interval's row fields; none where the score has none."""
        if jackknifed is not None:
            low, high = jackknifed.interval(score)
        elif self.intervals == "fast" and score != "corrected" and not trivial:
            low, high = scores.fast(score).interval()
        else:
            return {}
        return {"ci_low": low, "ci_high": high}


class PublishedProtocol:
    """The published tool's way: ten random folds, three (dev, test) pairs, six epsilon pairs each; PWCCA, no interval.

    The tool draws all this anew for every layer; here it is drawn once, so that layers are compared on the same splits.

    Args:
        make_row: of the analysis.
        seed: of the run.
    """

    name = "published"
    scores: tuple[str, ...] = ("pwcca",)

    def __init__(self, make_row: RowMaker, seed: int):
        self.make_row = make_row
        draw = stream(seed, "published", "trials")
        pairs = draw.permutation(PUBLISHED_FOLDS)[: 2 * PUBLISHED_TRIALS].reshape(PUBLISHED_TRIALS, 2)
        self.trials = [(int(dev), int(test)) for dev, test in pairs]
        self.epsilons = [EPSILONS[i] for i in draw.permutation(len(EPSILONS))[:PUBLISHED_EPSILONS]]

    def rows(
        self,
        tap: Tap,
        measure: str,
        folds: Sequence[Moments],
        k: int,
        x: FoldedView | None = None,
        y: FoldedView | None = None,
        **fields: Any,
    ) -> list[Row]:
        """See `CcaProtocol`; nothing is shared with other pairs."""
        n = sum(fold.n for fold in folds)
        n_train = n - max(folds[dev].n + folds[test].n for dev, test in self.trials)
        fields |= {"n_over_d": n_train / tap.dim, **self._what_folds()}
        verdict = data_limit(n_train, max(tap.dim, k))
        if not verdict.refused and min(fold.n for fold in folds) < 2:
            verdict = Verdict(refused=f"too few rows for {PUBLISHED_FOLDS} folds; more utterances would help")
        if verdict.refused:
            return self.refusals(tap, measure, verdict.refused, n=n, **fields)
        try:
            trials = cross_validate_published(folds, self.trials, self.epsilons)
        except np.linalg.LinAlgError:
            reason = "the published fit does not converge on these data; the default protocol has no such limit"
            return self.refusals(tap, measure, reason, n=n, **fields)
        value = float(np.mean([trial.score for trial in trials]))
        scored = sum(folds[test].n for _, test in self.trials)
        return [
            self.make_row.row(
                tap, measure, "pwcca", self.name, headline=True, value=value, n=scored, grey=verdict.grey, **fields
            )
        ]

    def refusals(self, tap: Tap, measure: str, reason: str, **fields: Any) -> list[Row]:
        """See `CcaProtocol`."""
        fields = {**self._what_folds(), **fields, "protocol": self.name}
        return self.make_row.refuse(tap, measure, self.scores, self.scores[0], reason, **fields)

    def _what_folds(self) -> dict[str, Any]:
        return {"folds": PUBLISHED_FOLDS, "split_by": "frame or segment"}
