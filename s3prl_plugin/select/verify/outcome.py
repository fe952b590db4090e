"""What the heads say of the choice: its regret, what baselines would have given, and what the measures foretold.

Regret is the test score of the best tap less that of the selected one. The tap that is best on the test split owes its
place to luck in part, so its lead is an upper bound, and shown as that. The regret that counts takes the tap that is
best on dev: it is chosen without the test split, as the learning rates are. It may not be the truly best one, so the
expected regret lies between the two. Intervals are paired over seeds (t with S - 1 degrees of freedom): they speak of
new heads on this upstream, corpus and test split, not of other test speech.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.intervals import mean_of
from s3prl_plugin.inference.state_taps import states
from s3prl_plugin.results import Row
from s3prl_plugin.select.choice import rows_of
from s3prl_plugin.select.recommendation import Recommendation
from s3prl_plugin.select.verify.plan import SUM, Plan
from s3prl_plugin.select.verify.training import TrainedHead, dev_sign

Array = npt.NDArray[np.float64]
FEWEST = 3  # taps for a rank correlation


@dataclass(frozen=True, slots=True)
class Gain:
    """A mean over seeds, with its interval; None of the ends where one seed alone was scored."""

    value: float
    ci_low: float | None
    ci_high: float | None


@dataclass(frozen=True, slots=True)
class VerifyLine:
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
class Verification:
    """All that a verification found.

    Attributes:
        lines: the selected tap first.
        regret: of the selected tap against the one that is best on dev; None where there is no dev set.
        upper_bound: of its regret: against the tap that is best on the test split.
        correlations: measure -> (Spearman's rho with the score over taps, number of taps); the task's measures first.
        taps: per tap: name, its learning rate, the mean score on dev and on test.
        failed: tap -> why it has no score.
    """

    lines: tuple[VerifyLine, ...]
    regret: Gain | None
    upper_bound: Gain
    correlations: dict[str, tuple[float, int]]
    taps: tuple[tuple[str, float | None, float | None, float], ...]
    failed: dict[str, str]


def outcome(
    plan: Plan, found: Recommendation, heads: dict[tuple[str, int], TrainedHead], failed: dict[str, str]
) -> Verification:
    """Put together what the heads scored.

    Args:
        plan: what was trained.
        found: what was recommended.
        heads: (tap or SUM, seed) -> what it scored.
        failed: subject -> why.

    Raises:
        UserError: the selected tap has no score, so nothing can be said of it.
    """
    whole = [subject for subject in plan.features if all((subject, seed) in heads for seed in plan.seeds)]
    names = [name for name in whole if name != SUM]
    selected = str(found.tap.tap) if found.tap is not None else ""
    if selected not in names:
        raise UserError(
            f"{selected or 'no tap'}: the selected tap has no score ({failed.get(selected, 'not trained')})"
        )
    sign = 1 if plan.task.headline.higher_is_better else -1
    test = {name: sign * np.array([heads[name, seed].test for seed in plan.seeds]) for name in whole}
    dev = {name: [heads[name, seed].dev for seed in plan.seeds] for name in whole}
    rates = {name: heads[name, plan.seeds[0]].rate for name in whole}

    def line(way: str, tap: str | None, scores: Array, *, optimistic: bool = False) -> VerifyLine:
        rate = rates.get(tap) if tap is not None else None
        return VerifyLine(way, tap, rate, sign * float(scores.mean()), paired(scores - test[selected]), optimistic)

    lines = [line("selected", selected, test[selected])]
    regret = None
    on_dev = {name: float(np.mean([x for x in dev[name] if x is not None])) for name in names if None not in dev[name]}
    if on_dev:
        best = max(on_dev, key=lambda name: dev_sign(plan.task) * on_dev[name])
        lines.append(line("best on dev", best, test[best]))
        regret = lines[-1].lead
    top = max(names, key=lambda name: float(test[name].mean()))
    lines.append(line(f"best on {plan.task.split} (upper bound)", top, test[top], optimistic=True))
    upper_bound = lines[-1].lead
    lines.append(line("last tap", names[-1], test[names[-1]]))
    middle = names[len(names) // 2]
    lines.append(line("middle tap", middle, test[middle]))
    lines.append(line(f"a random tap (mean of {len(names)})", None, np.mean([test[name] for name in names], axis=0)))
    if SUM in whole:
        lines.append(line(SUM, SUM, test[SUM]))
    means = {name: float(test[name].mean()) for name in names}
    return Verification(
        lines=tuple(lines),
        regret=regret,
        upper_bound=upper_bound,
        correlations=correlations(found.source.rows, found.criterion.measures, means),
        taps=tuple((name, rates[name], on_dev.get(name), sign * means[name]) for name in names),
        failed=dict(failed),
    )


def paired(differences: Array) -> Gain:
    """The mean of paired differences, (S,), with its t interval."""
    if len(differences) < 2:
        return Gain(float(differences.mean()), None, None)
    found = mean_of(differences)
    return Gain(found.value, *found.interval())


def correlations(rows: Iterable[Row], first: Sequence[str], scores: dict[str, float]) -> dict[str, tuple[float, int]]:
    """Spearman's rank correlation over taps of every measure with the score of the heads.

    Args:
        rows: of the run.
        first: measures to begin with.
        scores: tap -> score, more is better.

    Returns:
        measure -> (rho, taps); without those of fewer than three taps, or whose values are all the same.
    """
    rows = list(rows)
    names = dict.fromkeys([*first, *(row.measure for row in rows if row.headline and row.tap is not None)])
    from scipy.stats import spearmanr  # a second to import

    found = {}
    for name in names:
        valued = [row for row in states(rows_of(rows, name)) if row.value is not None and row.tap in scores]
        pairs = [
            (row.value if row.higher_is_better else -row.value, scores[str(row.tap)])
            for row in valued
            if row.value is not None
        ]
        if len(pairs) >= FEWEST and len({a for a, _ in pairs}) > 1 and len({b for _, b in pairs}) > 1:
            measured, reached = zip(*pairs, strict=True)
            found[name] = (float(spearmanr(measured, reached).statistic), len(pairs))
    return found


def record(plan: Plan, found: Recommendation, said: Verification) -> dict[str, Any]:
    """Everything as one JSON object."""

    def gain(each: Gain | None) -> dict[str, Any] | None:
        return None if each is None else {"value": each.value, "ci_low": each.ci_low, "ci_high": each.ci_high}

    headline = plan.task.headline
    return {
        "task": plan.task.name,
        "upstream": plan.source.upstream,
        "folder": str(plan.source.folder),
        "selected": said.lines[0].tap,
        "score": headline.name,
        "unit": headline.unit,
        "higher_is_better": headline.higher_is_better,
        "split": plan.task.split,
        "seeds": list(plan.seeds),
        "learning_rates": list(plan.rates),
        "steps": plan.steps,
        "regret": gain(said.regret),
        "regret_upper_bound": gain(said.upper_bound),
        "ways": [
            {
                "way": each.way,
                "tap": each.tap,
                "learning_rate": each.rate,
                "test": each.test,
                "lead": gain(each.lead),
                "optimistic": each.optimistic,
            }
            for each in said.lines
        ],
        "spearman": {name: {"rho": rho, "taps": count} for name, (rho, count) in said.correlations.items()},
        "taps": [dict(zip(("tap", "learning_rate", "dev", "test"), each, strict=True)) for each in said.taps],
        "failed": said.failed,
        "decided_by": [each.measure for each in found.choices],
    }
