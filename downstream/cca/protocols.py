"""From a tap's fold moments to results rows, under the default protocol and under the published one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np

from s3prl_plugin.analysis.intervals import Estimate
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.refusal import Refused, Verdict, data_limit
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import svcca
from s3prl_plugin.downstream.cca.default import Jackknifed, Scores, cross_validate_pair, jackknife_pair
from s3prl_plugin.downstream.cca.folded_view import FoldedView
from s3prl_plugin.downstream.cca.pair import FoldedPair, PairOfViews
from s3prl_plugin.downstream.cca.published import EPSILONS, cross_validate_published
from s3prl_plugin.downstream.cca.spectra import Spectra
from s3prl_plugin.downstream.cca.validation import MIN_FOLDS
from s3prl_plugin.results import Row
from s3prl_plugin.taps import Tap

INTERVALS = ("full", "fast", "none")
SCORES = ("corrected", "r", "pwcca")
EXTRA_SCORES = ("svcca",)
CHANCE_LEVEL = 0.95

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
        extra_scores: some of `EXTRA_SCORES`.
        spectra: keeps the correlation of every direction; None where they are not wanted.
    """

    name = "default"

    def __init__(
        self, make_row: RowMaker, intervals: str, extra_scores: Sequence[str] = (), spectra: Spectra | None = None
    ):
        self.make_row = make_row
        self.intervals = intervals
        self.scores: tuple[str, ...] = (*SCORES, *extra_scores)
        self.spectra = spectra

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
        return self.rows_of_pair(tap, measure, PairOfViews(folds, x, y), k, **fields)

    def rows_of_pair(
        self, tap: Tap, measure: str, pair: FoldedPair, k: int, permuted: Iterable[FoldedPair] = (), **fields: Any
    ) -> list[Row]:
        """The rows of any pair of views, such as one with something held constant.

        Args:
            tap, measure, k, fields: see `CcaProtocol.rows`.
            pair: the tap's view (x) with another.
            permuted: the same with labels that mean nothing; their mean score is the rows' chance.
        """
        sizes = pair.sizes
        n_train, trivial = sum(sizes) - max(sizes), bool(fields.get("trivial"))
        fields["n_over_d"] = n_train / tap.dim
        verdict = data_limit(n_train, max(tap.dim, k))
        try:
            verdict.check()
            scores, numbers = self._numbers(pair, k, trivial)
            chance = self._chance([self._values(each, k) for each in permuted])
        except Refused as refused:
            return self.refusals(tap, measure, refused.reason, n=sum(sizes), **fields)
        rows = [
            self.make_row.row(
                tap,
                measure,
                score,
                headline=score == self.scores[0],
                n=scores.n,
                grey=verdict.grey,
                **numbers[score],
                **chance[score],
                **fields,
            )
            for score in self.scores
        ]
        if self.spectra is not None:
            self.spectra.add(rows[0], scores)
        return rows

    def refusals(self, tap: Tap, measure: str, reason: str, **fields: Any) -> list[Row]:
        """See `CcaProtocol`."""
        return self.make_row.refuse(tap, measure, self.scores, self.scores[0], reason, **fields)

    def _numbers(self, pair: FoldedPair, k: int, trivial: bool) -> tuple[Scores, dict[str, dict[str, Any]]]:
        """Every score's row fields: the value, and an interval where it has one."""
        scored = sum(n > 1 for n in pair.sizes)
        if self.intervals == "full" and not trivial and scored > MIN_FOLDS:
            jackknifed = jackknife_pair(pair, k)
            scores, found = jackknifed.scores, {score: _jackknifed(score, jackknifed) for score in SCORES}
            if "svcca" in self.scores:
                found["svcca"] = _with_interval(svcca.jackknife(pair))
            return scores, found
        scores = cross_validate_pair(pair, k)
        found = {score: {"value": getattr(scores, score)} for score in SCORES}
        if self.intervals == "fast" and not trivial:
            found |= {score: _with_interval(scores.fast(score)) for score in ("r", "pwcca")}
        if "svcca" in self.scores:
            estimate = svcca.cross_validate(pair)
            wanted = self.intervals == "fast" and not trivial
            found["svcca"] = _with_interval(estimate) if wanted else {"value": estimate.value}
        return scores, found

    def _values(self, pair: FoldedPair, k: int) -> dict[str, float]:
        """Every score, without intervals."""
        scores = cross_validate_pair(pair, k)
        extra = {"svcca": svcca.cross_validate(pair).value} if "svcca" in self.scores else {}
        return {**{score: getattr(scores, score) for score in SCORES}, **extra}

    def _chance(self, permuted: Sequence[dict[str, float]]) -> dict[str, dict[str, Any]]:
        """Every score's row fields on chance: 0 by construction, or what labels that mean nothing gave."""
        if not permuted:
            return {score: {"chance": 0.0} for score in self.scores}
        values = {score: [each[score] for each in permuted] for score in self.scores}
        return {
            score: {
                "chance": float(np.mean(found)),
                "chance_high": float(np.quantile(found, CHANCE_LEVEL, method="higher")),
                "permutations": len(found),
            }
            for score, found in values.items()
        }


def _jackknifed(score: str, jackknifed: Jackknifed) -> dict[str, Any]:
    """The row fields of a score; the replicates of `corrected` are those of the product before the signed root."""
    low, high = jackknifed.interval(score)
    estimate: Estimate = jackknifed.product if score == "corrected" else getattr(jackknifed, score)
    value = getattr(jackknifed.scores, score)
    return {"value": value, "ci_low": low, "ci_high": high, "replicates": _replicates(estimate)}


def _with_interval(estimate: Estimate) -> dict[str, Any]:
    """The row fields of an estimate."""
    low, high = estimate.interval()
    return {"value": estimate.value, "ci_low": low, "ci_high": high, "replicates": _replicates(estimate)}


def _replicates(estimate: Estimate) -> list[float] | None:
    """As a row keeps them."""
    return None if estimate.replicates is None else estimate.replicates.tolist()


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
        """See `CcaProtocol`."""
        fields = {**fields, **self._what_folds(), "protocol": self.name}
        return self.make_row.refuse(tap, measure, self.scores, self.scores[0], reason, **fields)

    def _what_folds(self) -> dict[str, Any]:
        """These are not the plan's folds."""
        return {"folds": PUBLISHED_FOLDS, "split_by": "frame or segment", "folds_id": None}
