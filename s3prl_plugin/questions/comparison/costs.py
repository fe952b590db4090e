"""What a lower frame rate saves: multiply-accumulates, and time as it was measured during the runs' own passes."""

from __future__ import annotations

import math

import numpy as np

from s3prl_plugin.inference import intervals
from s3prl_plugin.questions.comparison import contrasts, roles
from s3prl_plugin.questions.comparison.contrasts import Shown
from s3prl_plugin.questions.comparison.roles import Pair
from s3prl_plugin.questions.comparison.runs import Run, Runs
from s3prl_plugin.report.sections import Contrast, Section, Table
from s3prl_plugin.states.upstream_facts import Forward


def costs(runs: Runs) -> Section | None:
    """Every model's cost, and what the lower rate saves; None where no run wrote any."""
    models = [run for run in runs.plain if run.facts and (run.facts.macs_per_s or run.facts.forward)]
    if not models:
        return None
    pairs, _ = roles.shown(roles.rate_pairs(runs.plain))
    return Section(
        name="costs",
        title="What does the lower frame rate save?" if pairs else "What does each model cost?",
        notes=(
            "Multiply-accumulates are those of one second of audio, alone; attention makes longer ones cost more.",
            "Time is that of the forward passes of these very runs, one pass each: whatever else the machine did then "
            "is in it, and the interval (over ten groups of batches) does not know of it.",
        ),
        contrasts=tuple(each for pair in pairs for each in (_macs(pair), _time(pair))),
        tables=(_table(models),),
    )


def _table(models: list[Run]) -> Table:
    rows = []
    for run in models:
        assert run.facts is not None
        forward = run.facts.forward
        rows.append(
            (
                run.name,
                _millions(run.facts.params),
                _millions(run.facts.macs_per_s),
                round(1000 * forward.seconds_per_second, 3) if forward else None,
                forward.where if forward else "not measured",
            )
        )
    return Table(
        title="Cost of one second of audio",
        columns=("model", "parameters (M)", "multiply-accumulates (M)", "milliseconds", "measured on"),
        rows=tuple(rows),
    )


def _macs(pair: Pair) -> Contrast:
    """The share of multiply-accumulates that is saved: counted, so without an interval."""
    label = f"{pair.name}: share of multiply-accumulates saved"
    shown = Shown(label, pair.differences.text(), None, pair.grey)
    costs = [run.facts.macs_per_s if run.facts else None for run in (pair.a, pair.b)]
    if not costs[0] or not costs[1]:
        return contrasts.refused(shown, "multiply-accumulates", "not counted for both")
    return Contrast(
        label=label,
        measure="multiply-accumulates",
        score="share saved",
        isolates=shown.isolates,
        value=1 - costs[0] / costs[1],
        grey=pair.grey,
    )


def _time(pair: Pair) -> Contrast:
    """The share of measured time that is saved."""
    label = f"{pair.name}: share of forward time saved"
    shown = Shown(label, pair.differences.text(), None, pair.grey)
    sides = [run.facts.forward if run.facts else None for run in (pair.a, pair.b)]
    one, other = sides
    reason = _not_comparable(one, other)
    if reason or one is None or other is None:
        return contrasts.refused(shown, "forward time", reason or "")
    value, low, high = saved(one, other)
    return Contrast(
        label=label,
        measure="forward time",
        score="share saved",
        isolates=shown.isolates,
        value=value,
        ci_low=low,
        ci_high=high,
        grey=pair.grey,
    )


def saved(one: Forward, other: Forward) -> tuple[float, float, float]:
    """(share, low, high) of the other's time that the one does not take.

    A t interval of the mean log ratio over the groups, in which both heard the same batches.
    """
    logs = np.log([a[1] / b[1] for a, b in zip(one.groups, other.groups, strict=True)])
    found = intervals.mean_of(logs)
    low, high = found.interval()
    return 1 - math.exp(found.value), 1 - math.exp(high), 1 - math.exp(low)


def _not_comparable(one: Forward | None, other: Forward | None) -> str | None:
    """Why two measurements cannot be compared, if so."""
    if one is None or other is None:
        return "not measured for both: a run that goes through its corpus measures it"
    if one.where != other.where:
        return f"measured under other conditions: {one.where}; {other.where}"
    same = len(one.groups) == len(other.groups) and all(
        math.isclose(a[0], b[0], abs_tol=1e-2) for a, b in zip(one.groups, other.groups, strict=True)
    )
    if not same:
        return "measured on other batches (another corpus, or a run that went on after an interruption)"
    return "too few batches" if len(one.groups) < 2 else None


def _millions(number: float | None) -> float | None:
    return None if number is None else round(number / 1e6, 3)
