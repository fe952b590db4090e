"""What the heads say of the choice: its regret, what baselines would have given, and what every measure foretold.

Regret is the test score of the best tap less that of the selected one. The tap that is best on the test split owes its
place to luck in part, so its lead is an upper bound, and shown as that. The regret that counts takes the tap that is
best on dev: it is chosen without the test split, as the learning rates are. It may not be the truly best one, so the
expected regret lies between the two. Intervals are those of `scores`.

What is said of one upstream is said of several on the same test split by the mean over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.state_taps import states
from s3prl_plugin.results import Row
from s3prl_plugin.select.choice import rows_of
from s3prl_plugin.select.recommendation import Recommendation
from s3prl_plugin.select.verify.plan import SUM, Plan
from s3prl_plugin.select.verify.scores import Gain, Scores, mean_of
from s3prl_plugin.select.verify.training import TrainedHead, dev_sign
from s3prl_plugin.select.verify.trial import Trial

Array = npt.NDArray[np.float64]
FEWEST = 3  # taps for a rank correlation
DRAWS = 4000  # of heads and utterances, for the intervals of rank correlations
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Way:
    """One way to choose, and what it gives.

    Attributes:
        way: of choosing, in words.
        tap: that it takes; None for a mean over taps.
        rate: the learning rate of its heads.
        test: mean score over seeds, as the task counts it.
        lead: of it over the selected tap, so that more is better: a regret of the selection.
        optimistic: chosen by the same scores that it is shown with.
    """

    way: str
    tap: str | None
    rate: float | None
    test: float
    lead: Gain
    optimistic: bool = False


@dataclass(frozen=True, slots=True)
class Guide:
    """What a measure would have guided to, on one upstream or in the mean over several.

    Attributes:
        measure: its name.
        rho: Spearman's rank correlation with the score over taps, more is better of either.
        each: the same on every upstream.
        taps: that it likes best, on every upstream.
        lead: of these over a tap drawn at random.
        regret: of these against the taps that are best on dev; None where there is no dev set.
        as_good: whether its rho is not told apart from that of the first guide.
    """

    measure: str
    rho: Gain
    each: tuple[float, ...]
    taps: tuple[str, ...]
    lead: Gain
    regret: Gain | None
    as_good: bool


def trial(
    plan: Plan, found: Recommendation, heads: Mapping[tuple[str, int], TrainedHead], failed: Mapping[str, str]
) -> Trial:
    """Put together what the heads scored.

    Args:
        plan: what was trained.
        found: what was recommended.
        heads: (tap or SUM, seed) -> what it scored.
        failed: subject -> why.

    Raises:
        UserError: the selected tap has no score, so nothing can be said of it.
    """
    whole = {name: [heads[name, seed] for seed in plan.seeds] for name in plan.features
             if all((name, seed) in heads for seed in plan.seeds)}  # fmt: skip
    names = [name for name in whole if name != SUM]
    selected = str(found.tap.tap) if found.tap is not None else ""
    if selected not in names:
        raise UserError(
            f"{selected or 'no tap'}: the selected tap has no score ({failed.get(selected, 'not trained')})"
        )
    known = [head.outcomes for each in whole.values() for head in each]
    counts = known[0].counts if known[0] is not None else None
    alike = counts is not None and all(
        one is not None and len(one.counts) == len(counts) and bool((one.counts == counts).all()) for one in known
    )
    headline = plan.task.headline
    return Trial(
        task=plan.task.name,
        upstream=plan.source.title,
        folder=str(plan.source.folder),
        score=headline.name,
        unit=headline.unit,
        split=plan.task.split,
        higher_is_better=headline.higher_is_better,
        selected=selected,
        decided_by=[each.measure for each in found.choices],
        taps=names,
        seeds=list(plan.seeds),
        steps=plan.steps,
        tried=list(plan.rates),
        rates={name: each[0].rate for name, each in whole.items()},
        dev={name: float(np.mean([head.dev for head in each])) for name, each in whole.items()
             if all(head.dev is not None for head in each)},
        more_on_dev=dev_sign(plan.task) == 1,
        test={name: [head.test for head in each] for name, each in whole.items()},
        errors={name: [head.outcomes.errors.astype(int).tolist() for head in each if head.outcomes is not None]
                for name, each in whole.items()} if alike else {},
        counts=counts.astype(int).tolist() if alike and counts is not None else [],
        measures=measures(found.source.rows, found.criterion.measures, names),
        failed=dict(failed),
    )  # fmt: skip


def against(rows: Sequence[Row], measure: str, folder: str) -> Trial:
    """Another measure of the run in the place of heads, such as a linear probe, fold by fold.

    Args:
        rows: of the run.
        measure: that is foretold by the others.
        folder: of the run.

    Raises:
        UserError: the run does not have it over folds, at three taps or more.
    """
    valued = [row for row in states(rows_of(rows, measure)) if row.value is not None and not row.trivial]
    folds = {str(row.tap): row.per_fold for row in valued if row.per_fold is not None}
    if len(folds) < FEWEST or len({(row.folds_id, row.seed) for row in valued}) > 1:
        names = dict.fromkeys(row.measure for row in rows if row.headline and row.tap and row.per_fold is not None)
        raise UserError(f"{folder} has no {measure} over folds at {FEWEST} taps or more; there are: {', '.join(names)}")
    first, taps = valued[0], list(folds)
    count = len(next(iter(folds.values())))
    return Trial(
        task=measure,
        upstream=first.title,
        folder=folder,
        score=first.score,
        unit=first.unit or "",
        split=f"{count} folds",
        higher_is_better=first.higher_is_better,
        selected="",
        decided_by=[],
        taps=taps,
        seeds=list(range(count)),
        steps=0,
        tried=[],
        rates=dict.fromkeys(taps),
        dev={},
        more_on_dev=True,
        test={tap: list(own) for tap, own in folds.items()},
        errors={},
        counts=[],
        measures=measures([row for row in rows if row.measure != measure], (), taps),
        failed={},
        folds=True,
    )


def measures(rows: Iterable[Row], first: Sequence[str], taps: Sequence[str]) -> dict[str, dict[str, float]]:
    """Every measure of a run: tap -> number, turned so that more is better.

    Args:
        rows: of the run.
        first: measures to begin with.
        taps: that have heads.
    """
    rows = list(rows)
    names = dict.fromkeys([*first, *(row.measure for row in rows if row.headline and row.tap is not None)])
    found = {
        name: {
            str(row.tap): (row.value if row.higher_is_better else -row.value)
            for row in states(rows_of(rows, name))
            if row.value is not None and not row.trivial and row.tap in taps
        }
        for name in names
    }
    return {name: own for name, own in found.items() if own}


def ways(found: Trial) -> list[Way]:
    """Ways to choose a tap, the selected one first."""
    selected = found.scores(found.selected)

    def way(words: str, tap: str | None, scores: Scores, *, optimistic: bool = False) -> Way:
        rate = found.rates.get(tap) if tap is not None else None
        return Way(words, tap, rate, found.sign * scores.value, scores.less(selected).lead(), optimistic)

    lines = [way("selected", found.selected, selected)]
    if found.best_on_dev is not None:
        lines.append(way("best on dev", found.best_on_dev, found.scores(found.best_on_dev)))
    top = max(found.taps, key=lambda tap: found.scores(tap).value)
    lines.append(way(f"best on {found.split} (upper bound)", top, found.scores(top), optimistic=True))
    for words, tap in (("last tap", found.taps[-1]), ("middle tap", found.taps[len(found.taps) // 2])):
        lines.append(way(words, tap, found.scores(tap)))
    lines.append(way(f"a random tap (mean of {len(found.taps)})", None, found.random))
    if found.has_sum:
        lines.append(way(SUM, SUM, found.scores(SUM)))
    return lines


def against_sum(trials: Sequence[Trial]) -> Gain | None:
    """The lead of the taps that are best on dev over the weighted sums; None where there is no dev set, or no sum."""
    if any(each.best is None or not each.has_sum for each in trials):
        return None
    return mean_of([_best(each).less(each.scores(SUM)) for each in trials]).lead()


def guides(trials: Sequence[Trial]) -> list[Guide]:
    """What every measure foretold of the heads, the highest rank correlation first.

    Args:
        trials: of one task, on one upstream or several; measures that one of them lacks, or has of fewer than three
            taps, or the same of all, are left out.
    """
    draws = {name: _drawn(trials, name) for name in trials[0].measures if all(_ranks(each, name) for each in trials)}
    ordered = sorted(draws, key=lambda name: -float(draws[name][0].mean()))
    found = []
    for name in ordered:
        each, drawn = draws[name]
        apart = draws[ordered[0]][1] - drawn
        share = SIGNIFICANT / max(len(ordered) - 1, 1)  # Bonferroni's, for each comparison with the first
        has_best = all(one.best is not None for one in trials)
        guided = [(one.scores(one.best_by(name)), one) for one in trials]
        found.append(
            Guide(
                measure=name,
                rho=Gain(float(each.mean()), *map(float, np.quantile(drawn, [0.025, 0.975]))),
                each=tuple(each.tolist()),
                taps=tuple(one.best_by(name) for one in trials),
                lead=mean_of([scores.less(one.random) for scores, one in guided]).lead(),
                regret=mean_of([_best(one).less(scores) for scores, one in guided]).lead() if has_best else None,
                as_good=bool(np.quantile(apart, share / 2) <= 0),
            )
        )
    return found


def _best(found: Trial) -> Scores:
    """The scores of the tap that is chosen without what scores it, where there is one."""
    assert found.best is not None
    return found.best


def _ranks(found: Trial, measure: str) -> list[str]:
    """The taps whose ranks can be correlated; empty where they cannot."""
    own = found.measures.get(measure, {})
    taps = [tap for tap in found.taps if tap in own]
    scores = {found.scores(tap).value for tap in taps}
    return taps if len(taps) >= FEWEST and len(scores) > 1 and len({own[tap] for tap in taps}) > 1 else []


def _drawn(trials: Sequence[Trial], measure: str) -> tuple[Array, Array]:
    """Spearman's rank correlation of a measure with the score over taps.

    Returns:
        (trials,) of each; (DRAWS,) its mean over trials with other heads and test utterances, drawn with replacement:
        utterances are the same for all trials, and for all measures.
    """
    each, drawn = [], np.zeros(DRAWS)
    for number, found in enumerate(trials):
        taps = _ranks(found, measure)
        own = np.array([found.measures[measure][tap] for tap in taps])
        seeds = _weights(len(found.seeds), 1 + number)
        errors = found.tap_errors(taps)
        if errors is None:
            scores = seeds @ np.array([found.scores(tap).seeds for tap in taps]).T
        else:
            utterances = _weights(len(found.counts), 0)
            scores = -np.einsum("tsu,bs,bu->bt", errors, seeds, utterances, optimize=True)
            scores /= (utterances @ np.asarray(found.counts, dtype=float))[:, None]
        each.append(_spearman(own, np.array([[found.scores(tap).value for tap in taps]]))[0])
        drawn += _spearman(own, scores) / len(trials)
    return np.array(each), drawn


def _weights(size: int, number: int) -> Array:
    """(DRAWS, size) how often each is drawn, over how many are; the same whenever it is asked for."""
    rng = np.random.default_rng([size, number])
    return rng.multinomial(size, np.full(size, 1 / size), DRAWS) / size


def _spearman(measured: Array, scores: Array) -> Array:
    """Rank correlations of (T,) numbers with each of (B, T); 0 where all of these are the same."""
    from scipy.stats import rankdata  # a second to import

    x = rankdata(measured) - (len(measured) + 1) / 2
    y = rankdata(scores, axis=1) - (len(measured) + 1) / 2
    size = np.sqrt((x**2).sum() * (y**2).sum(axis=1))
    return np.divide(y @ x, size, out=np.zeros(len(y)), where=size > 0)
