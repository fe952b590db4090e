"""What must be read before any number: results that check the software, and are no finding."""

from __future__ import annotations

from s3prl_plugin.questions.comparison.runs import RANDOM, Runs
from s3prl_plugin.states.upstream_facts import FILE_NAME

MIN_SPEAKERS = 40
CHECK = "a check of the software, not a finding"


def banners(runs: Runs) -> tuple[str, ...]:
    """A sentence for each reason; empty where the results can be a finding."""
    rows = [row for run in runs.runs for row in run.rows]
    found = []
    if any(row.corpus_kind == "generated" for row in rows):
        found.append(f"Generated speech: {CHECK}.")
    untrained = [run.name for run in runs.runs if run.random and RANDOM not in run.options]
    if untrained:
        found.append(f"Random weights ({', '.join(untrained)}): {CHECK}.")
    speakers = [row.speakers for row in rows if row.tap is not None and row.speakers is not None]
    if speakers and min(speakers) < MIN_SPEAKERS:
        found.append(f"{min(speakers)} speakers, fewer than {MIN_SPEAKERS}: {CHECK}.")
    if not speakers and any(run.layers for run in runs.runs):
        found.append(f"How many speakers there are is not recorded: {CHECK}, unless there are {MIN_SPEAKERS} or more.")
    return tuple(found)


def notes(runs: Runs) -> tuple[str, ...]:
    """What is left out of the comparison, a sentence each."""
    names = [run.name for run in runs.runs if run.facts is None]
    without = (
        f"Not known what these are made of, since there is no {FILE_NAME}: {', '.join(names)}. They are put side by "
        "side only; give the commands of their runs again to have it written."
    )
    return (*([without] if names else []), *runs.notes)
