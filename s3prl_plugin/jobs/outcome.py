"""What became of jobs, and the table of it that ends a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from s3prl_plugin.jobs.durations import clock
from s3prl_plugin.report.text import aligned


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of them.

    Attributes:
        name: of the job.
        score: what it came to, for reading.
        seconds: how long it took; None where it was finished before.
        failure: why it failed, in one line; None where it did not.
    """

    name: str
    score: str = ""
    seconds: float | None = None
    failure: str | None = None


def table(outcomes: Sequence[Outcome]) -> str:
    """One line for each: score or failure, and time."""
    lines = []
    for outcome in outcomes:
        took = "finished before" if outcome.seconds is None else clock(outcome.seconds)
        lines.append([outcome.name, took, f"failed: {outcome.failure}" if outcome.failure else outcome.score])
    width = max(len(line[2]) for line in lines)
    return aligned([[name, took, said.ljust(width)] for name, took, said in lines])
