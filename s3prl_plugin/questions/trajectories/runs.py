"""The training runs among some results: checkpoints of one network over its updates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from s3prl_plugin.inference import current
from s3prl_plugin.report.drawing.places import in_order
from s3prl_plugin.report.tables import MATRIX, WEIGHT, label
from s3prl_plugin.results import Row

FEWEST = 2  # checkpoints that show a change
MOST_NAMES = 4
NAMELESS = re.compile(r"(?:[_.-]|checkpoint|states|last|best|step|update)+$")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The analyses of one checkpoint.

    Attributes:
        name: of its folder.
        update: how many updates it has seen.
        rows: its layer-wise headline numbers under the default protocol.
    """

    name: str
    update: int
    rows: tuple[Row, ...]

    def of(self, what: str) -> list[Row]:
        """The rows of one measure, as `table.label` names it; taps in execution order."""
        return in_order([row for row in self.rows if label(row) == what])


@dataclass(frozen=True, slots=True)
class Run:
    """A training run that was analysed at several updates.

    Attributes:
        name: what its folders' names have in common.
        corpus: of the analyses.
        checkpoints: by update.
    """

    name: str
    corpus: str
    checkpoints: tuple[Checkpoint, ...]

    @property
    def measures(self) -> list[str]:
        """The measures that any checkpoint has, as `table.label` names them."""
        return list(dict.fromkeys(label(row) for checkpoint in self.checkpoints for row in checkpoint.rows))


def find(folders: Iterable[str | Path]) -> tuple[list[Run], list[str]]:
    """The runs whose checkpoints lie in some folders.

    A folder's run is its name without the number of updates; checkpoints of one run have the same taps and corpus.
    Random weights in place of a checkpoint's are none (those before its first update are), and one that was saved twice
    (as the last one) counts once.

    Args:
        folders: with results, one per checkpoint.

    Returns:
        Runs with two updates or more; and, a sentence each, what was left out.
    """
    found: dict[tuple[object, ...], dict[int, Checkpoint]] = {}
    left_out = []
    for folder in map(Path, folders):
        kept = [row for row in current.read(folder).rows if _counts(row)]
        for corpus in dict.fromkeys(row.corpus for row in kept):
            rows = [row for row in kept if row.corpus == corpus]
            steps = {row.train_step for row in rows}
            update = steps.pop() if len(steps) == 1 else None
            if update is None:
                left_out.append(f"{folder.name}: its results do not say after how many updates it was saved")
                continue
            taps = tuple((row.tap, row.stride) for row in in_order(rows))
            run = found.setdefault((run_name(folder.name, update), corpus, taps), {})
            run.setdefault(update, Checkpoint(folder.name, update, tuple(rows)))
    runs, alone = [], []
    for (name, where, _), by_update in found.items():
        if len(by_update) >= FEWEST:
            ordered = tuple(by_update[update] for update in sorted(by_update))
            runs.append(Run(str(name), str(where), ordered))
        else:
            alone += [each.name for each in by_update.values()]
    if alone:
        named = ", ".join(alone[:MOST_NAMES]) + (
            f" and {len(alone) - MOST_NAMES} more" if len(alone) > MOST_NAMES else ""
        )
        left_out.append(f"{named}: the only checkpoint of its run")
    return runs, left_out


def run_name(folder: str, update: int) -> str:
    """The name of a checkpoint's folder without its updates: `grown_checkpoint_4000` is of the run `grown`."""
    places = list(re.finditer(rf"(?:(?:checkpoint|states|step|update)[_.-]?)?(?<!\d)0*{update}(?!\d)", folder))
    without = folder[: places[-1].start()] + folder[places[-1].end() :] if places else folder
    return NAMELESS.sub("", re.sub(r"([_.-]){2,}", r"\1", without)) or "checkpoints"


def _counts(row: Row) -> bool:
    """Whether a row is a layer's number that a run's course can show."""
    return (
        row.headline
        and row.tap is not None
        and row.protocol == "default"
        and row.score != WEIGHT
        and not row.measure.endswith(MATRIX)
        and "random_weights=" not in row.upstream
    )
