"""What must be read before any number, in one wording for every report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from s3prl_plugin.results import Row

MIN_SPEAKERS = 40
CHECK = "A check of the software, not a finding"
GENERATED_SPEECH = "generated speech: a check of the software, never a finding about speech"
RANDOM_WEIGHTS = "random weights: what the architecture alone gives"


def banners(models: Mapping[str, Sequence[Row]], speakers: Mapping[str, set[int]] | None = None) -> tuple[str, ...]:
    """Why nothing in a report is a finding, where that is so, and what weakens it; empty where nothing does.

    Args:
        models: name -> rows.
        speakers: name -> how many there are, where rows do not say it and something else does.
    """
    rows = [row for own in models.values() for row in own]
    corpora = sorted({str(row.corpus) for row in rows if row.corpus_kind == "generated"})
    random = [name for name, own in models.items() if own and all(row.weights == "random" for row in own)]
    reasons = []
    if corpora:
        named = "" if corpora == ["generated"] else f" ({', '.join(corpora)})"
        reasons.append(f"speech is generated{named}")
    if random and len(random) == len(models):
        reasons.append("weights are random")
    found = [f"{CHECK}: {'; '.join(reasons)}."] if reasons else []
    if random and len(random) < len(models):  # the controls of a study, say: they take nothing from the others
        whose = f"{len(random)} of {len(models)} models ({', '.join(random)})"
        found.append(f"The weights of {whose} are random: these show what the architecture alone gives.")
    counts = {row.speakers for row in rows if row.speakers} or {n for own in (speakers or {}).values() for n in own}
    if counts and min(counts) < MIN_SPEAKERS:
        found.append(
            f"Few speakers: {min(counts)}, and {MIN_SPEAKERS} or more are wanted; intervals are wide and speak of "
            "these speakers."
        )
    elif not counts and any(row.tap is not None and row.folds_id for row in rows):
        found.append(f"How many speakers there are is not recorded; {MIN_SPEAKERS} or more are wanted.")
    return tuple(found)
