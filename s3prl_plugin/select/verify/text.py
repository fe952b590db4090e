"""A verification's outcome for reading."""

from __future__ import annotations

from s3prl_plugin.report import tables
from s3prl_plugin.report.text import aligned
from s3prl_plugin.select.recommendation import Recommendation
from s3prl_plugin.select.verify.outcome import Gain, Verification
from s3prl_plugin.select.verify.plan import Plan


def text(plan: Plan, found: Recommendation, said: Verification) -> str:
    """Ways to choose a tap and what each gives, the regret of the selection, and what the measures foretold."""
    headline = plan.task.headline
    way = "more is better" if headline.higher_is_better else "less is better"
    seeds = f"mean of {len(plan.seeds)} seeds" if plan.steps else "nothing was trained"
    parts = [
        "\n".join(tables.headline([row for row in found.source.rows if row.tap is not None])),
        f"{plan.task.name}: {headline.name} on {plan.task.split} ({headline.unit}, {way}), {seeds}",
        _ways(plan, said),
        "\n".join([_regret(plan, said), *_foretold(found, said)]),
        "\n".join([_taps(said), *_edges(plan, said)]),
        "\n".join(f"failed: {name}: {reason}" for name, reason in said.failed.items()),
    ]
    return "\n\n".join(part for part in parts if part)


def _ways(plan: Plan, said: Verification) -> str:
    """One line per way of choosing."""
    lines = [["chosen", "tap", "lr", "score", "lead", "95 % interval"]]
    for each in said.lines:
        lead = ["", ""] if each is said.lines[0] else [_number(each.lead.value), _interval(each.lead)]
        tap = each.tap or ""
        lines.append([each.way, tap, f"{each.rate:g}" if each.rate is not None else "", f"{each.test:.4f}", *lead])
    legend = "lead: over the selected tap, above 0 where this is better"
    if plan.steps:
        legend += (
            "; paired over seeds, so the intervals speak of new heads on this upstream and test split, not of other "
            "test speech"
        )
    return f"{aligned(lines)}\n{legend}"


def _regret(plan: Plan, said: Verification) -> str:
    """What the selection costs."""
    bound = f"{_number(said.upper_bound.value)} against the tap that is best on {plan.task.split} (expected above it)"
    if said.regret is None:
        return f"regret: {plan.task.name} has no dev set on which the best tap could be chosen; {bound}"
    number = f"{_number(said.regret.value)} {_interval(said.regret)}".strip()
    return f"regret: {number} against the tap that is best on dev (expected below the true regret), {bound}"


def _foretold(found: Recommendation, said: Verification) -> list[str]:
    """How well measures order the taps."""
    own = [name for name in said.correlations if name in found.criterion.measures]
    others = [name for name in said.correlations if name not in own]
    lines = []
    for names, title in ((own, "that decided"), (others, "others")):
        listed = ", ".join(f"{name} {said.correlations[name][0]:+.2f}" for name in names)
        count = said.correlations[names[0]][1] if names else 0
        lines += [f"Spearman's rho of a measure with the score over {count} taps, {title}: {listed}"] if names else []
    return lines or ["Spearman's rho: there is none of fewer than three taps, or where all score the same"]


def _taps(said: Verification) -> str:
    """One line per tap."""
    lines = [["tap", "lr", "dev", "score"]]
    for name, rate, dev, test in said.taps:
        on_dev = f"{dev:.4f}" if dev is not None else ""
        lines.append([name, f"{rate:g}" if rate is not None else "", on_dev, f"{test:.4f}"])
    return aligned(lines)


def _edges(plan: Plan, said: Verification) -> list[str]:
    """A word where the best learning rate may lie beyond those that were tried."""
    if len(plan.rates) < 2:
        return []
    ends = (min(plan.rates), max(plan.rates))
    taps = [name for name, rate, _, _ in said.taps if rate in ends]
    tried = ", ".join(f"{rate:g}" for rate in sorted(plan.rates))
    return [f"{len(taps)} of {len(said.taps)} taps did best at an end of the rates tried ({tried}); --lr tries others"]


def _number(value: float) -> str:
    """A lead; one that rounding makes nothing has no sign of its own."""
    return f"{round(value, 4) + 0.0:+.4f}"


def _interval(gain: Gain) -> str:
    return "" if gain.ci_low is None or gain.ci_high is None else f"[{gain.ci_low:+.4f}, {gain.ci_high:+.4f}]"
