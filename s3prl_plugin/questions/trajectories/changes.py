"""From the first to the last checkpoint of a run: by how much its summary numbers changed, paired over folds."""

from __future__ import annotations

from typing import Any

from s3prl_plugin.inference.differences import reference
from s3prl_plugin.inference.intervals import LEVEL
from s3prl_plugin.questions.trajectories import numbers, peak
from s3prl_plugin.questions.trajectories.numbers import KINDS, Number
from s3prl_plugin.questions.trajectories.runs import Run
from s3prl_plugin.report.sections import Contrast
from s3prl_plugin.results import Row


def of_run(run: Run) -> list[Contrast]:
    """The changes of a run's summary numbers, exploratory all of them.

    Args:
        run: its first and last checkpoint are compared.
    """
    first, last = run.checkpoints[0], run.checkpoints[-1]
    before = {(n.kind, n.measure): n for n in numbers.of_checkpoint(first, run.measures)}
    after = {(n.kind, n.measure): n for n in numbers.of_checkpoint(last, run.measures)}
    when = f"update {last.update} less update {first.update}"
    found = []
    for key in (key for key in after if key in before):
        old, new = before[key], after[key]
        label = f"{run.name}: {KINDS[new.kind]}"
        said: dict[str, Any] = {"label": label, "isolates": when, "measure": new.measure, "score": _score(new)}
        if old.value is None or new.value is None:
            reason = new.refused or old.refused
            found.append(Contrast(**said, refused=reason))
            continue
        if len({reference(row) for _, row in (*new.terms, *old.terms)}) > 1:
            found.append(Contrast(**said, refused="each checkpoint has a reference of its own"))
            continue
        if new.kind == "peak":
            value, low, high = _moved(first.of(new.measure), last.of(new.measure))
        else:
            value, low, high = numbers.weighted([*new.terms, *((-weight, row) for weight, row in old.terms)])
        grey = next((row.grey for _, row in (*new.terms, *old.terms) if row.grey), None)
        found.append(Contrast(**said, value=value, ci_low=low, ci_high=high, grey=grey))
    return found


def _moved(before: list[Row], after: list[Row]) -> tuple[float, float | None, float | None]:
    """By how much the peak moved; its interval has all moves from a candidate of the one to one of the other."""
    half = 1 - (1 - LEVEL) / 2  # both must hold at once
    old, new = peak.find(before, half), peak.find(after, half)
    if old is None or new is None:
        raise ValueError("a peak is where there are numbers")
    if old.low is None or old.high is None or new.low is None or new.high is None:
        return new.depth - old.depth, None, None
    return new.depth - old.depth, new.low - old.high, new.high - old.low


def _score(number: Number) -> str:
    """The score of a summary number."""
    return "relative depth" if number.kind == "peak" else number.terms[0][1].score if number.terms else ""
