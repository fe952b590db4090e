"""Comparison of models: what the auxiliary loss does, what the lower frame rate does, and any two side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from s3prl_plugin.errors import UserError
from s3prl_plugin.questions.comparison import runs as reading
from s3prl_plugin.questions.comparison.alignment import alignments, left_out
from s3prl_plugin.questions.comparison.baselines import autoencoder, untrained
from s3prl_plugin.questions.comparison.costs import costs
from s3prl_plugin.questions.comparison.fact_differences import BY_CHANCE
from s3prl_plugin.questions.comparison.grids import grid_table
from s3prl_plugin.questions.comparison.loss_and_rate import loss, rate
from s3prl_plugin.questions.comparison.roles import is_multi_resolution
from s3prl_plugin.questions.comparison.runs import Run
from s3prl_plugin.questions.comparison.words import words
from s3prl_plugin.report import cautions
from s3prl_plugin.report.sections import Report, Section

__all__ = ["compare", "sections"]

STEP = "train_step"


def compare(folders: Sequence[Path]) -> Report:
    """Compare runs.

    The questions of a multi-resolution study are answered where the runs are of two MR-HuBERTs or more; which run
    stands for what is found from the facts that the runs wrote (`upstream.json`). Any runs are put side by side.

    Args:
        folders: of two runs or more, one upstream each; of a study, `inference.folders.folders(expdir)`.

    Returns:
        Of the checkpoints as they are, else of all runs.

    Raises:
        UserError: fewer than two, or a folder cannot be read.
    """
    if len(folders) < 2:
        given = ", ".join(map(str, folders)) or "none"
        raise UserError(f"a comparison takes two runs or more, or the folder of a study; given: {given}")
    runs = reading.read(folders)
    answers: list[Section | None] = []
    if _are_models([run for run in runs.plain if is_multi_resolution(run)]):
        answers += [loss(runs), rate(runs), words(runs)]
    answers += [untrained(runs), autoencoder(runs), costs(runs), grid_table(runs), *alignments(runs)]
    return Report(
        sections=tuple(each for each in answers if each is not None),
        banners=cautions.banners({run.name: run.rows for run in runs.runs}),
        models=tuple(run.name for run in runs.models),
        notes=(*reading.without_facts(runs), *runs.notes, *left_out(runs)),
    )


def _are_models(runs: Sequence[Run]) -> bool:
    """Whether these are two models or more, not the checkpoints of one training, which differ in their step alone."""
    made = []
    for run in runs:
        facts = run.facts
        trained = facts.training if facts and facts.training else {}
        said = {name: value for name, value in trained.items() if name not in {*BY_CHANCE, STEP}}
        made.append((facts and facts.architecture, said, facts and facts.train_step))
    one_training = all(each[:2] == made[0][:2] for each in made)
    return len(made) > 1 and not (one_training and len({step for *_, step in made}) == len(made))


def sections(folders: Sequence[Path]) -> tuple[Section, ...]:
    """The same for the page, which has its own banners and shows the grid itself; what was left out stands first.

    Args, Raises: as `compare`.
    """
    found = compare(folders)
    first = Section(name="comparison", title="What is compared", notes=found.notes)
    shown = tuple(each for each in found.sections if each.name != "grid")
    return (first, *shown) if found.notes else shown
