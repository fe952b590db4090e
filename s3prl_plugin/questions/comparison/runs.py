"""The runs that are compared, and the rows of them that can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from s3prl_plugin.analysis import about
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import current
from s3prl_plugin.inference.differences import lacks
from s3prl_plugin.results import Row
from s3prl_plugin.states import upstream_facts
from s3prl_plugin.states.upstream_facts import Facts

# Options of an upstream that change how it computes or trains, not what its states are.
HARMLESS = frozenset({"exact_batches", "native", "dtype", "feature_grad_mult", "freeze_to"})
GRID, RANDOM = "pool_to", "random_weights"
SUFFIX_OF_MATRICES = "_matrix"

_DATA = ("corpus", "folds_id", "seed", "clusters")


class Missing(UserError):
    """A contrast cannot be had; the message is the reason."""


@dataclass(frozen=True)
class Run:
    """One folder.

    Attributes:
        name: for reading: the folder's. Nothing is decided by it.
        folder: where the results lie.
        rows: all of them.
        facts: of the upstream; None where the run is older than they are.
    """

    name: str
    folder: Path
    rows: tuple[Row, ...]
    facts: Facts | None

    @cached_property
    def layers(self) -> dict[tuple[str, str | None], list[Row]]:
        """(measure, kind of segments) -> its headline rows under the default protocol, a row per tap, in order."""
        found: dict[tuple[str, str | None], list[Row]] = {}
        for row in self.rows:
            plain = about.is_plain(row) and row.upstream2 is None
            if row.tap is None or not row.headline or row.protocol != "default" or not plain:
                continue
            if not row.measure.endswith(SUFFIX_OF_MATRICES):
                found.setdefault((row.measure, row.segments), []).append(row)
        return {key: sorted(rows, key=lambda row: row.tap_index or 0) for key, rows in found.items()}

    @cached_property
    def options(self) -> dict[str, Any]:
        """Those that make the states what they are."""
        said = self.facts.options if self.facts else {}
        return {name: value for name, value in said.items() if name not in HARMLESS}

    @property
    def is_plain(self) -> bool:
        """The checkpoint as it is: its own weights, every tap at its own rate, the whole network."""
        return self.facts is not None and not self.options

    @property
    def random(self) -> bool:
        """Weights that were never trained."""
        return bool(self.facts and self.facts.weights == "random")


class Runs:
    """All folders of a comparison.

    Args:
        found: the runs, in the order given.
        notes: what their folders hold beside them, a sentence each.

    Attributes:
        runs: the same.
        notes: what was left out, a sentence each.
    """

    def __init__(self, found: Sequence[Run], notes: Sequence[str] = ()):
        self.runs = tuple(found)
        self.notes = list(notes)
        self._data: dict[tuple[str, str | None], tuple[Any, ...]] = {}
        for key in dict.fromkeys(key for run in self.runs for key in run.layers):
            self._data[key] = self._common_data(key)

    @property
    def plain(self) -> list[Run]:
        """The checkpoints as they are."""
        return [run for run in self.runs if run.is_plain]

    @property
    def models(self) -> list[Run]:
        """What is put side by side: the checkpoints as they are; all runs where fewer than two are that.

        Runs without facts are known to have options by what their rows call the upstream.
        """
        found = [run for run in self.runs if run.is_plain or (run.facts is None and not _named_options(run))]
        return found if len(found) > 1 else list(self.runs)

    def same_checkpoint(self, run: Run, **options: Any) -> Run | None:
        """The run of the same checkpoint with these options and no others."""
        return next((other for other in self.runs if other.options == options and _same_network(run, other)), None)

    def random_of(self, run: Run, **options: Any) -> Run | None:
        """A run of the same architecture with random weights, best of the same checkpoint."""
        wanted = {**options, RANDOM: True}
        found = [
            other
            for other in self.runs
            if {name: value for name, value in other.options.items() if name != "seed"} == wanted
            and other.facts is not None
            and run.facts is not None
            and other.facts.architecture == run.facts.architecture
        ]
        return next((other for other in found if _same_network(run, other)), found[0] if found else None)

    def rows(self, run: Run, measure: str, segments: str | None = None) -> list[Row]:
        """The rows of a measure on the folds that most runs have in common, a row per tap.

        Raises:
            Missing: there are none.
        """
        rows = run.layers.get((measure, segments), [])
        if not rows:
            kind = f" from segments: {segments}" if segments else ""
            raise Missing(f"{run.name} has no {measure}{kind}")
        data = self._data[measure, segments]
        same = [row for row in rows if row.value is None or _data_of(row) == data]
        if not same:
            raise Missing(f"{run.name} has {measure} on other folds, seeds or numbers of clusters than the others")
        return same

    def row(self, run: Run, measure: str, tap: str, segments: str | None = None) -> Row:
        """One row that can be compared.

        Raises:
            Missing: there is none, it was refused, or it has no replicates; the message says which.
        """
        row = next((row for row in self.rows(run, measure, segments) if row.tap == tap), None)
        if row is None:
            raise Missing(f"{run.name} has no tap {tap}")
        reason = lacks(row)
        if reason:
            raise Missing(f"{run.name}, {tap}: {reason}")
        return row

    def measures(self, runs: Iterable[Run], wanted: Iterable[str]) -> list[str]:
        """Those measures that any of the runs has, in the order wanted."""
        there = {measure for run in runs for measure, segments in run.layers if segments is None}
        return [measure for measure in wanted if measure in there]

    def _common_data(self, key: tuple[str, str | None]) -> tuple[Any, ...]:
        """The corpus, folds, seed and number of clusters that most runs have; notes what is left out."""
        numbers = [[row for row in run.layers.get(key, []) if row.value is not None] for run in self.runs]
        counts = Counter(data for rows in numbers for data in {_data_of(row) for row in rows})
        best = max(counts, key=lambda data: counts[data], default=())
        if len(counts) > 1:
            self.notes.append(
                f"{key[0]}: rows on {_what(best)} are compared; there are others on "
                f"{'; '.join(_what(data) for data in counts if data != best)}"
            )
        return best


def read(folders: Sequence[str | Path]) -> Runs:
    """The runs in some folders.

    Args:
        folders: one upstream each.

    Raises:
        UserError: a folder holds no results, or those of several upstreams.
    """
    paths = [Path(folder) for folder in folders]
    return Runs([_run(path, name) for path, name in zip(paths, _names(paths), strict=True)], current.notes(paths))


def _run(folder: Path, name: str) -> Run:
    rows = current.read(folder).rows
    models = {row.model: row.title for row in rows}
    if len(models) > 1:
        names = ", ".join(dict.fromkeys(models.values()))
        raise UserError(f"{folder} holds results of several upstreams ({names}); give folders of one each")
    facts = upstream_facts.read(folder)
    if facts and rows and (facts.upstream, facts.weights_digest) != (rows[0].upstream, rows[0].weights_digest):
        raise UserError(f"{folder}: {upstream_facts.FILE_NAME} is of {facts.upstream}, the results are of "
                        f"{rows[0].upstream} from another checkpoint; give each run a folder of its own")  # fmt: skip
    return Run(name, folder, rows, facts)


def _names(paths: Sequence[Path]) -> list[str]:
    """The folders' names, with those above as far as it takes to tell them apart."""
    parts = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts), default=1) + 1):
        names = ["/".join(each[-depth:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    raise UserError(f"{_repeated(paths)} is given twice; give every folder once")


def _repeated(paths: Sequence[Path]) -> Path:
    resolved = [path.resolve() for path in paths]
    return next(path for path in paths if resolved.count(path.resolve()) > 1)


def _same_network(run: Run, other: Run) -> bool:
    """Whether two runs come from one checkpoint."""
    if run.facts is None or other.facts is None:
        return False
    if run.facts.checkpoint_sha256 or other.facts.checkpoint_sha256:
        return run.facts.checkpoint_sha256 == other.facts.checkpoint_sha256
    # Foreign upstreams tell no checkpoint; what the rows call them, without the options, is the entry.
    weights = {
        facts.weights_id for facts in (run.facts, other.facts) if facts.weights_id and facts.weights == "trained"
    }
    return len(weights) < 2 and _entry(run.facts) == _entry(other.facts)


def _entry(facts: Facts) -> tuple[Any, ...]:
    return facts.upstream.partition("[")[0], facts.architecture.get("kind"), facts.params


def _named_options(run: Run) -> bool:
    """Whether the rows of a run name options of its upstream."""
    return any("[" in row.upstream for row in run.rows[:1])


def _data_of(row: Row) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _DATA)


def _what(data: Sequence[Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in zip(_DATA, data, strict=True) if value is not None)


def without_facts(runs: Runs) -> tuple[str, ...]:
    """What cannot be asked of runs that are older than their facts, in a sentence."""
    names = [run.name for run in runs.runs if run.facts is None]
    said = (
        f"Not known what these are made of, since there is no {upstream_facts.FILE_NAME}: {', '.join(names)}. They are "
        "put side by side only; give the commands of their runs again to have it written."
    )
    return (said,) if names else ()
