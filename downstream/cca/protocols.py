"""From a tap's fold moments to results rows, under the default protocol and under the published one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from s3prl_plugin.analysis.chance import chance_fields
from s3prl_plugin.analysis.pairs_of_views import PairRows
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.view_moments import Moments, ViewMoments
from s3prl_plugin.downstream.cca import r2, svcca
from s3prl_plugin.downstream.cca.default import cross_validate_pair, jackknife_pair
from s3prl_plugin.downstream.cca.pair import FoldedPair, FoldedView, PairOfViews
from s3prl_plugin.downstream.cca.published import EPSILONS, cross_validate_published
from s3prl_plugin.downstream.cca.r2 import R2
from s3prl_plugin.downstream.cca.spectra import Spectra
from s3prl_plugin.downstream.cca.validation import MIN_FOLDS
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.refusal import Refused, Verdict, data_limit
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

INTERVALS = ("folds", "jackknife", "none")
HEADLINE = "r2"
SCORES = (HEADLINE, "r", "pwcca", "spectrum", "svcca")

PUBLISHED_FOLDS = 10
PUBLISHED_TRIALS = 3
PUBLISHED_EPSILONS = 6


class CcaProtocol(PairRows, Protocol):
    """How rows of CCA are made of moments.

    Attributes:
        name: "default" or "published".
        scores: what it reports; the first is the headline.
    """

    name: str
    scores: tuple[str, ...]


class CcaDefault:
    """Cross-validation over the plan's folds: `r2`, and on request other scores beside it.

    Args:
        make_row: of the analysis.
        intervals: "folds" (Nadeau-Bengio, from the fits that there are), "jackknife" (delete-one-fold, with refits),
            "none".
        scores: some of `SCORES`; `r2` is always there, and "spectrum" is no row.
        spectra: keeps the correlation of every direction; None where they are not wanted.
    """

    name, family = "default", "cca"

    def __init__(
        self,
        make_row: RowMaker,
        intervals: str = INTERVALS[0],
        scores: Sequence[str] = (HEADLINE,),
        spectra: Spectra | None = None,
    ):
        self.make_row = make_row
        self.intervals = intervals
        self.scores = tuple(score for score in SCORES if score == HEADLINE or (score in scores and score != "spectrum"))
        self.spectra = spectra

    def view(self, folds: Sequence[ViewMoments]) -> FoldedView:
        """See `PairRows`: its whitenings are shared."""
        return FoldedView(folds)

    def rows(
        self,
        tap: Tap,
        measure: str,
        folds: Sequence[Moments],
        x: FoldedView | None = None,
        y: FoldedView | None = None,
        **fields: Any,
    ) -> list[Row]:
        """See `PairRows`."""
        return self.rows_of_pair(tap, measure, PairOfViews(folds, x, y), **fields)

    def rows_of_pair(
        self, tap: Tap, measure: str, pair: FoldedPair, permuted: Iterable[FoldedPair] = (), **fields: Any
    ) -> list[Row]:
        """The rows of any pair of views, such as one with something held constant.

        Args:
            tap, measure, fields: see `PairRows.rows`.
            pair: the tap's view (x) with another.
            permuted: the same with labels that mean nothing; their mean score is the rows' chance.
        """
        sizes = pair.sizes
        fields["n_over_d"] = (sum(sizes) - max(sizes)) / tap.dim
        try:
            found = r2.cross_validate(pair)
            fields |= about(found)
            found.limit.check()
            estimates = self._jackknifed(pair, found) if self._jackknifes(pair) else self._over_folds(pair, found)
            chance = self._chance([self._over_folds(each, r2.cross_validate(each, found.k)) for each in permuted])
        except Refused as refused:
            return self.refusals(tap, measure, refused.reason, n=sum(sizes), **fields)
        rows = [
            self.make_row.row(
                tap,
                measure,
                score,
                headline=score == HEADLINE,
                n=found.n,
                grey=found.limit.grey,
                **self._fields(estimates[score], bool(fields.get("trivial"))),
                **chance[score],
                **fields,
            )
            for score in self.scores
        ]
        if self.spectra is not None:
            self.spectra.add(rows[0], cross_validate_pair(pair, found.k))
        return rows

    def refusals(self, tap: Tap, measure: str, reason: str, **fields: Any) -> list[Row]:
        """See `PairRows`."""
        return self.make_row.refuse(tap, measure, self.scores, HEADLINE, reason, **fields)

    def _over_folds(self, pair: FoldedPair, found: R2) -> dict[str, Estimate]:
        """Every score, with Nadeau and Bengio's standard error."""
        estimates = {HEADLINE: found.estimate}
        if {"r", "pwcca"} & set(self.scores):
            scores = cross_validate_pair(pair, found.k)
            estimates |= {score: scores.over_folds(score) for score in ("r", "pwcca")}
        return estimates | ({"svcca": svcca.cross_validate(pair)} if "svcca" in self.scores else {})

    def _jackknifed(self, pair: FoldedPair, found: R2) -> dict[str, Estimate]:
        """Every score, with the jackknife's."""
        estimates = {HEADLINE: r2.jackknife(pair, found)}
        if {"r", "pwcca"} & set(self.scores):
            jackknifed = jackknife_pair(pair, found.k)
            estimates |= {"r": jackknifed.r, "pwcca": jackknifed.pwcca}
        return estimates | ({"svcca": svcca.jackknife(pair)} if "svcca" in self.scores else {})

    def _jackknifes(self, pair: FoldedPair) -> bool:
        """Whether a jackknife is asked for and possible: with three folds none can be left out."""
        return self.intervals == "jackknife" and sum(n > 1 for n in pair.sizes) > MIN_FOLDS

    def _fields(self, estimate: Estimate, trivial: bool) -> dict[str, Any]:
        """The row fields of a score; no interval where none was asked for, or there was a fold too few for it."""
        lacking = self.intervals == "jackknife" and estimate.replicates is None
        if self.intervals == "none" or trivial or lacking:
            return {"value": estimate.value}
        return with_interval(estimate)

    def _chance(self, permuted: Sequence[dict[str, Estimate]]) -> dict[str, dict[str, Any]]:
        """Every score's row fields on chance: 0 by construction, or what labels that mean nothing gave."""
        if not permuted:
            return {score: {"chance": 0.0} for score in self.scores}
        return {score: chance_fields([each[score].value for each in permuted]) for score in self.scores}


def about(found: R2) -> dict[str, Any]:
    """What rows say of the data that an `r2` rests on."""
    return {"directions": found.k, "n_eff_over_d": found.n_eff_over_d}


def with_interval(estimate: Estimate) -> dict[str, Any]:
    """The row fields of an estimate: what every fold says, or the score without each fold where it was jackknifed."""
    low, high = estimate.interval()
    name, kept = ("per_fold", estimate.per_fold) if estimate.replicates is None else ("replicates", estimate.replicates)
    found = {} if kept is None else {name: kept.tolist()}
    return {"value": estimate.value, "ci_low": low, "ci_high": high, **found}


class CcaPublished:
    """The published tool's way: ten random folds, three (dev, test) pairs, six epsilon pairs each; PWCCA, no interval.

    The tool draws all this anew for every layer; here it is drawn once, so that layers are compared on the same splits.

    Args:
        make_row: of the analysis.
        seed: of the run.
    """

    name, family = "published", "cca"
    scores: tuple[str, ...] = ("pwcca",)

    def __init__(self, make_row: RowMaker, seed: int):
        self.make_row = make_row
        draw = stream(seed, "published", "trials")
        pairs = draw.permutation(PUBLISHED_FOLDS)[: 2 * PUBLISHED_TRIALS].reshape(PUBLISHED_TRIALS, 2)
        self.trials = [(int(dev), int(test)) for dev, test in pairs]
        self.epsilons = [EPSILONS[i] for i in draw.permutation(len(EPSILONS))[:PUBLISHED_EPSILONS]]

    def view(self, folds: Sequence[ViewMoments]) -> None:
        """See `PairRows`."""

    def rows(
        self,
        tap: Tap,
        measure: str,
        folds: Sequence[Moments],
        x: None = None,
        y: None = None,
        **fields: Any,
    ) -> list[Row]:
        """See `PairRows`; nothing is shared with other pairs."""
        n = sum(fold.n for fold in folds)
        n_train = n - max(folds[dev].n + folds[test].n for dev, test in self.trials)
        fields |= {"n_over_d": n_train / tap.dim, **self._what_folds()}
        verdict = data_limit(n_train, max(tap.dim, folds[0].y.dim))
        if not verdict.refused and min(fold.n for fold in folds) < 2:
            verdict = Verdict(refused=f"too few rows for {PUBLISHED_FOLDS} folds; more utterances would help")
        if verdict.refused:
            return self.refusals(tap, measure, verdict.refused, n=n, **fields)
        try:
            trials = cross_validate_published(folds, self.trials, self.epsilons)
        except Refused as refused:
            return self.refusals(tap, measure, refused.reason, n=n, **fields)
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
        """See `PairRows`."""
        fields = {**fields, **self._what_folds(), "protocol": self.name}
        return self.make_row.refuse(tap, measure, self.scores, self.scores[0], reason, **fields)

    def _what_folds(self) -> dict[str, Any]:
        """These are not the plan's folds."""
        return {"folds": PUBLISHED_FOLDS, "split_by": "frame or segment", "folds_id": None}
