"""Contrasts of a section: made one by one, refused with a reason where they cannot be had, and corrected together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from s3prl_plugin.inference import held_out, intervals
from s3prl_plugin.inference.differences import estimate, lacks, reference
from s3prl_plugin.inference.intervals import Estimate
from s3prl_plugin.inference.state_taps import states
from s3prl_plugin.questions.comparison.runs import Missing, Run, Runs
from s3prl_plugin.report.sections import Contrast
from s3prl_plugin.results import Row

MIN_SEEDS = 3
# The headline scores that the sections are about, in the order in which they are shown.
MEASURES = ("cca_word", "mi_word", "cca_phone", "mi_phone", "cca_mel")
MIDDLE = "mid"


class TaskKey(NamedTuple):
    """What tells one task's score from others, but for the seed of its head."""

    task: str
    score: str
    corpus: str | None
    features: str | None
    split: str | None


@dataclass(frozen=True)
class Shown:
    """What a contrast says beside its numbers.

    Attributes:
        label, isolates, family, grey: of the contrast.
    """

    label: str
    isolates: str = ""
    family: str | None = None
    grey: str | None = None

    def named(self, label: str) -> Shown:
        """The same with another label."""
        return replace(self, label=label)


@dataclass
class Scores:
    """Looks up scores in runs, and remembers what the data barely support.

    Attributes:
        runs: of the comparison.
        grey: reasons of the rows that were looked up.
        used: these rows.
    """

    runs: Runs
    grey: list[str] = field(default_factory=list)
    used: list[Row] = field(default_factory=list)

    def at(self, run: Run, measure: str, tap: str, segments: str | None = None) -> Estimate:
        """The score of one tap.

        Raises:
            Missing: it cannot be had.
        """
        return self._of_row(self.runs.row(run, measure, tap, segments))

    def middle(self, run: Run, measure: str) -> Estimate:
        """The mean over the layers of the middle block, without what enters it.

        Raises:
            Missing: a tap of it cannot be had, or there is no such block.
        """
        return intervals.mean_of_estimates([self.at(run, measure, tap) for tap in layers(run, MIDDLE)])

    def best(self, run: Run, measure: str) -> tuple[Estimate, str]:
        """The best state tap, chosen on other folds, and the tap that was chosen most often.

        Raises:
            Missing: no tap has a number, or too few folds.
        """
        rows = states(self.runs.rows(run, measure))
        good = [row for row in rows if lacks(row) is None]
        if not good:
            raise Missing(f"{run.name}: {lacks(rows[0])}" if rows else f"{run.name} has no {measure}")
        counts = {len(estimate(row).folds) for row in good}
        found = held_out.held_out(good) if len(counts) == 1 else None
        if found is None:
            raise Missing(
                f"{run.name}, {measure}: {held_out.FEWEST_FOLDS} folds are needed to choose a tap on half of them"
            )
        self._remember([row for row in good if row.tap in found.chosen])
        return found.estimate, next(iter(found.chosen))

    def _of_row(self, row: Row) -> Estimate:
        self._remember([row])
        return estimate(row)

    def _remember(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.used.append(row)
            if row.grey and row.grey not in self.grey:
                self.grey.append(row.grey)


def layers(run: Run, block: str) -> list[str]:
    """The taps of a block's layers, without what enters the first.

    Raises:
        Missing: the network has no such block.
    """
    taps = run.facts.taps if run.facts else ()
    found = [tap.name for tap in taps if tap.block == block and tap.layer != "pre"]
    if not found:
        raise Missing(f"{run.name} has no block {block}")
    return found


def last_layer(run: Run, kind: str) -> str:
    """The last tap of the last block of a kind: "enc", "mid", "dec".

    Raises:
        Missing: the network has no such block.
    """
    taps = run.facts.taps if run.facts else ()
    found = [tap.name for tap in taps if tap.block is not None and tap.block.startswith(kind)]
    if not found:
        raise Missing(f"{run.name} has no block {kind}")
    return found[-1]


def output(run: Run) -> str:
    """The model's output; of a network that shows none beside its layers, the last layer."""
    taps = run.facts.taps if run.facts else ()
    if not taps:
        raise Missing(f"{run.name} does not say its taps")
    return taps[-1].name


def contrast(
    runs: Runs, shown: Shown, measure: str, make: Callable[[Scores], Estimate | tuple[Estimate, str]]
) -> Contrast:
    """A contrast of scores.

    Args:
        runs: of the comparison.
        shown: what it says beside its numbers.
        measure: of both sides.
        make: looks up the scores and puts them together, and may add to the label; what it raises as `Missing` is the
            reason of a refusal.
    """
    scores = Scores(runs)
    try:
        made = make(scores)
        found, added = made if isinstance(made, tuple) else (made, "")
        _check_pairing(scores.used)
    except Missing as error:
        return refused(shown, measure, str(error))
    grey = "; ".join([*([shown.grey] if shown.grey else []), *scores.grey]) or None
    named = shown.named(shown.label + added)
    score = " and ".join(dict.fromkeys(row.score for row in scores.used))
    return _told(found, replace(named, grey=grey), measure, score, scores.used[0].higher_is_better)


def _told(found: Estimate, shown: Shown, measure: str, score: str, higher_is_better: bool) -> Contrast:
    """An estimate as a contrast."""
    low, high = found.interval()
    return Contrast(
        **vars(shown), measure=measure, score=score, higher_is_better=higher_is_better,
        value=found.value, ci_low=low, ci_high=high, p=found.p_value,
    )  # fmt: skip


def refused(shown: Shown, measure: str, reason: str) -> Contrast:
    """A contrast that cannot be had."""
    return Contrast(label=shown.label, measure=measure, score="", isolates=shown.isolates, refused=reason)


def of_tasks(a: Run, b: Run, shown: Shown) -> list[Contrast]:
    """The SUPERB tasks of two runs, paired by the seeds of their heads, with t intervals over seeds."""
    one, other = tasks(a), tasks(b)
    return [_of_task(key, one[key], other[key], shown) for key in one if key in other]


def _of_task(key: TaskKey, one: Mapping[int | None, Row], other: Mapping[int | None, Row], shown: Shown) -> Contrast:
    """One task, from its rows by seed."""
    seeds = [seed for seed in one if seed in other]
    count = f"{len(seeds)} seed{'s' * (len(seeds) != 1)}"
    label = shown.named(f"{shown.label}, {key.task} ({count})")
    if len(seeds) < MIN_SEEDS:
        reason = f"{count} of the head in common, {MIN_SEEDS} are needed: run more"
        return replace(refused(label, key.task, reason), score=key.score)
    found = intervals.mean_of([(one[seed].value or 0.0) - (other[seed].value or 0.0) for seed in seeds])
    return _told(found, label, key.task, key.score, one[seeds[0]].higher_is_better)


def corrected(found: Sequence[Contrast]) -> tuple[Contrast, ...]:
    """With the p values that Holm's method gives within each declared family.

    What is refused, and what belongs to no family, has none and counts for none.
    """
    done = list(found)
    for family in dict.fromkeys(each.family for each in found if each.family):
        members = [i for i, each in enumerate(found) if each.family == family and each.p is not None]
        for i, p in zip(members, intervals.holm([found[i].p or 0.0 for i in members]), strict=True):
            done[i] = replace(found[i], p_holm=float(p))
    return tuple(done)


def tasks(run: Run) -> dict[TaskKey, dict[int | None, Row]]:
    """What tells one task's score from others -> seed of the head -> row, of the tasks that a run was scored on."""
    found: dict[TaskKey, dict[int | None, Row]] = {}
    for row in run.rows:
        if row.tap is None and row.headline and row.value is not None and row.protocol is None:
            key = TaskKey(row.measure, row.score, row.corpus, row.features, row.split)
            found.setdefault(key, {})[row.seed] = row
    return found


def _check_pairing(rows: Sequence[Row]) -> None:
    """All rows of a contrast are of the same folds."""
    if len({reference(row) for row in rows}) > 1:
        raise Missing(
            f"{rows[0].measure} of these is with different references, each model's own, so they do not compare"
        )
    for name in ("corpus", "folds_id", "seed", "frame_stride"):
        values = dict.fromkeys(getattr(row, name) for row in rows)
        if len(values) > 1:
            raise Missing(f"not paired: {name} is {' and '.join(map(str, values))}")
    counts = dict.fromkeys(len(estimate(row).folds) for row in rows)
    if len(counts) > 1:
        raise Missing(f"not paired: {' and '.join(map(str, counts))} folds or speakers have rows")
