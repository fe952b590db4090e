"""The same checkpoint on the grid of a lower rate: every n-th frame, as adapters of kernel 1 do."""

from __future__ import annotations

from s3prl_plugin.questions.comparison.contrasts import MIDDLE
from s3prl_plugin.questions.comparison.runs import GRID, RANDOM, Missing, Run, Runs


def rate_ms(run: Run) -> float:
    """The resolution of a model's middle block.

    Raises:
        Missing: it has none.
    """
    taps = run.facts.taps if run.facts else ()
    found = next((tap.resolution_ms for tap in taps if tap.block == MIDDLE), None)
    if found is None:
        raise Missing(f"{run.name} has no middle block")
    return found


def decimated(runs: Runs, run: Run, milliseconds: float) -> Run:
    """The run of the same checkpoint with its taps brought down to a rate.

    Raises:
        Missing: there is none.
    """
    option = f"decimate:{milliseconds:g}"
    found = runs.same_checkpoint(run, **{GRID: option})
    if found is None:
        raise Missing(f"{run.name} was not run with {GRID}: {option}")
    return found


def random(runs: Runs, run: Run, milliseconds: float | None = None) -> Run:
    """A run of the same architecture with random weights, at its own rates or brought down to one.

    Raises:
        Missing: there is none.
    """
    grid = {GRID: f"decimate:{milliseconds:g}"} if milliseconds is not None else {}
    found = runs.random_of(run, **grid)
    if found is None:
        options = ", ".join(f"{name}: {value}" for name, value in {RANDOM: "true", **grid}.items())
        raise Missing(f"{run.name} was not run with {options}")
    return found
