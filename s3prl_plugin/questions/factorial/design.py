"""Which results are which cell of the factorial, and which seed: read from what the checkpoints contain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from s3prl_plugin.files.difference import first_difference
from s3prl_plugin.questions.comparison.runs import Run
from s3prl_plugin.questions.factorial.effects import CELLS, Cell, named
from s3prl_plugin.states.upstream_facts import Facts

LOWER, SAME = [[1, 2]], [[1, 1]]
_SEED = re.compile(r"seed[_-]?(\d+)")
# What the two factors change, and what says it in other words.
_FACTORS = {
    "architecture": {"ratios", "resolutions_ms", "block_ms"},
    "training": {
        *("auxiliary_loss", "auxiliary_loss_from", "prediction_heads", "loss_weights", "single_prediction"),
        *("seed", "train_step"),
    },
}


@dataclass(frozen=True, slots=True)
class Arm:
    """Checkpoints that differ in their seed only.

    Attributes:
        name: what their folders' names have in common; nothing is decided by it.
        facts: of one of them.
        cell: of the two-by-two design; None for a further arm.
        checkpoints: seed -> updates -> results.
    """

    name: str
    facts: Facts
    cell: Cell | None
    checkpoints: dict[int, dict[int, Run]]

    @property
    def runs(self) -> dict[int, Run]:
        """Seed -> results of the checkpoint with most updates."""
        return {seed: by_updates[max(by_updates)] for seed, by_updates in self.checkpoints.items()}


@dataclass(frozen=True, slots=True)
class Design:
    """The arms of one way to look at the models (their own rates, or one grid for all).

    Attributes:
        view: "" for their own rates, else the option, such as "pool_to mean:40".
        arms: the four cells first.
        notes: what was left out, a sentence each.
        refused: why the four cells are no factorial; None where they are one.
        grey: why its effects are mixed with something else; None where they are not.
    """

    view: str
    arms: tuple[Arm, ...]
    notes: tuple[str, ...] = ()
    refused: str | None = None
    grey: str | None = None

    @property
    def cells(self) -> dict[Cell, Arm]:
        """The two-by-two design."""
        return {arm.cell: arm for arm in self.arms if arm.cell is not None}


def find(runs: Sequence[Run]) -> list[Design]:
    """The factorials among some results.

    A model belongs to the design when its file says one lower or equal rate (ratios [1, 2] or [1, 1]), learned
    sampling, and predictions on all frames; with random weights it belongs to none. Of several checkpoints of one model
    the one with most updates counts. Its seed is what its file says, else the number after `seed` in its folder's name.

    Args:
        runs: one per checkpoint.

    Returns:
        One per view that has two cells at least.
    """
    views: dict[str, list[Run]] = {}
    for run in runs:
        if run.facts is not None and run.facts.weights != "random" and not run.random and run.facts.training:
            views.setdefault(_view(run), []).append(run)
    designs = [_design(view, own) for view, own in views.items()]
    return [design for design in designs if len({arm.cell for arm in design.arms if arm.cell}) >= 2]


def seed_of(run: Run) -> int | None:
    """The seed of a run's training."""
    said = (run.facts.training or {}).get("seed") if run.facts else None
    found = _SEED.search(run.name)
    return said if isinstance(said, int) else int(found[1]) if found else None


def cell_of(facts: Facts) -> Cell | None:
    """The cell of the design that a model is; None for others."""
    architecture, training = facts.architecture, facts.training or {}
    if architecture.get("plain_adapters") or training.get("auxiliary_every", 1) != 1:
        return None
    if architecture.get("ratios") not in (LOWER, SAME) or training.get("auxiliary_loss") is None:
        return None
    return architecture["ratios"] == LOWER, bool(training["auxiliary_loss"])


@dataclass(slots=True)
class _Group:
    """Runs that may be one arm."""

    facts: Facts
    checkpoints: dict[int, dict[int, Run]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the arm: that of a run with the most updates, as earlier checkpoints may be called otherwise."""
        return _arm_name(max((run for steps in self.checkpoints.values() for run in steps.values()), key=_updates).name)


def _design(view: str, runs: Sequence[Run]) -> Design:
    """The arms of one view."""
    notes: list[str] = []
    groups: dict[str, _Group] = {}
    for run in runs:
        assert run.facts is not None
        seed = seed_of(run)
        if seed is None:
            notes.append(f"{run.name}: neither its file nor its name (`..._seed3...`) says its seed")
            continue
        group = groups.setdefault(_key(run.facts), _Group(run.facts))
        other = group.checkpoints.setdefault(seed, {}).setdefault(_updates(run), run)
        if other is not run:
            notes.append(f"{run.name}: a second model with seed {seed} like {other.name}; the first is taken")
    names = _apart([group.name for group in groups.values()])
    arms = [
        Arm(name, group.facts, cell_of(group.facts), group.checkpoints)
        for name, group in zip(names, groups.values(), strict=True)
    ]
    arms.sort(key=lambda arm: CELLS.index(arm.cell) if arm.cell else len(CELLS))
    return Design(view, tuple(arms), tuple(notes), _not_one_design(arms), _mixed(arms))


def _not_one_design(arms: Sequence[Arm]) -> str | None:
    """Why the cells do not differ in the two factors alone, if so."""
    found: dict[Cell, Arm] = {}
    for arm in arms:
        if arm.cell is None:
            continue
        if arm.cell in found:
            two = first_difference(_others(found[arm.cell].facts), _others(arm.facts)) or "nothing that the files tell"
            return f"{found[arm.cell].name} and {arm.name} are both the cell {named(arm.cell)}; they differ in {two}"
        found[arm.cell] = arm
    cells = list(found.values())
    for other in cells[1:]:
        differs = first_difference(_others(cells[0].facts), _others(other.facts))
        if differs:
            return f"{cells[0].name} and {other.name} differ in more than the two factors: {differs}"
    steps = {_updates(run) for arm in cells for run in arm.runs.values()}
    if len(steps) > 1:
        return f"the models have seen different numbers of updates: {', '.join(map(str, sorted(steps)))}"
    return None


def _mixed(arms: Sequence[Arm]) -> str | None:
    """Whether the weight of the auxiliary loss changes with the rate, as in fairseq's loss."""
    weights = {
        arm.cell[0]: [each.get("weight") for each in (arm.facts.training or {}).get("loss_weights") or []]
        for arm in arms
        if arm.cell is not None and arm.cell[1]
    }
    if len(weights) < 2 or weights[True] == weights[False]:
        return None
    lower, own = (" and ".join(f"{weight:g}" for weight in weights[low]) for low in (True, False))
    return (
        f"the losses weigh {lower} at the lower rate and {own} at the model's own (from the finest down), so that rate "
        "and weight change together"
    )


def _others(facts: Facts) -> dict[str, Any]:
    """What the four cells must have in common."""
    training = facts.training or {}
    return {
        "architecture": {k: v for k, v in facts.architecture.items() if k not in _FACTORS["architecture"]},
        "training": {k: v for k, v in training.items() if k not in _FACTORS["training"]},
        "parameters": facts.params,
    }


def _key(facts: Facts) -> str:
    """Tells arms apart: all that is known of a model but its seed and how long it was trained."""
    training = {k: v for k, v in (facts.training or {}).items() if k not in ("seed", "train_step")}
    return repr([sorted(facts.architecture.items(), key=str), sorted(training.items(), key=str)])


def _view(run: Run) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(run.options.items()))


def _updates(run: Run) -> int:
    assert run.facts is not None
    return run.facts.train_step or 0


def _arm_name(name: str) -> str:
    """A folder's name without its seed and what follows it; where nothing stands before it, without the seed."""
    folder = name.rpartition("/")[2]
    found = _SEED.search(folder)
    if found is None:
        return folder
    return folder[: found.start()].rstrip("_-.") or folder[found.end() :].lstrip("_-.") or folder


def _apart(names: Sequence[str]) -> list[str]:
    """The names, with a number where one stands more than once."""
    return [f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name for i, name in enumerate(names)]
