"""The factorial's numbers as a tidy table: one record per number of one model, for plots and pages of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from s3prl_plugin.questions.comparison import runs as comparison
from s3prl_plugin.questions.factorial import design
from s3prl_plugin.questions.factorial.contrasts import Numbers, equal_cost, every_number

DIGITS = 5


def records(folders: Sequence[str | Path]) -> list[dict[str, Any]]:
    """Every number that effects are made of.

    Args:
        folders: with results, one per checkpoint.

    Returns:
        `view` (as in `Design`), `equal` ("updates", or "cost" where earlier checkpoints were analysed), `measure`,
        `of` (the summary), `arm`, `seed`, `value`, `cell` ([lower rate, auxiliary loss]; None for a further arm) and
        `higher_is_better`. Among the measures are `macs_per_s`, the millions of multiply-accumulates of a second of
        audio.

    Raises:
        UserError: a folder has no results, or they cannot be read.
    """
    runs = comparison.read(folders)
    found = []
    for each in design.find(runs.runs):
        found += _of_numbers(each, "updates", [_costs(each), *every_number(runs, each)])
        updates = equal_cost(each)
        if updates:
            found += _of_numbers(each, "cost", every_number(runs, each, updates))
    return found


def _costs(found: design.Design) -> Numbers:
    values = {
        arm.name: dict.fromkeys(arm.runs, arm.facts.macs_per_s / 1e6) for arm in found.arms if arm.facts.macs_per_s
    }
    return Numbers("macs_per_s", "model", values, "millions", (), higher_is_better=False)


def _of_numbers(found: design.Design, equal: str, numbers: Sequence[Numbers]) -> list[dict[str, Any]]:
    cells = {arm.name: list(arm.cell) if arm.cell else None for arm in found.arms}
    return [
        {"view": found.view, "equal": equal, "measure": each.measure, "of": each.which, "arm": arm, "seed": seed,
         "value": round(value, DIGITS), "cell": cells[arm], "higher_is_better": each.higher_is_better}
        for each in numbers
        for arm, values in each.values.items()
        for seed, value in sorted(values.items())
    ]  # fmt: skip
