"""What an analysis asks of a measure: numbers from the statistics that one pass gathered, of frames or of segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from s3prl_plugin.analysis.planning.segments import WHOLE_FRAMES
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.inference.refusal import Verdict
from s3prl_plugin.results import Row


class OneByOne(Protocol):
    """One or several measures that are computed from the same statistics."""

    def __len__(self) -> int:
        """How many lists of rows `compute` will give, for the progress bar."""
        ...

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap (and measure) after the other."""
        ...


@runtime_checkable
class InPieces(Protocol):
    """A measure whose taps can be scored side by side."""

    def __len__(self) -> int:
        """How many jobs there are."""
        ...

    def jobs(self) -> Iterator[Callable[[], list[Row]]]:
        """One that gives the rows of one tap after the other; they may run at the same time."""
        ...


Measure = OneByOne | InPieces


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a measure knows of its numbers before the pass.

    Attributes:
        measure: its name.
        says: what its number will rest on, in words.
        rows: how many of them: segments, triplets, pairs, boundaries.
        verdict: refused or grey, as the number will be.
        scoring_s: processor seconds that the scores of one tap take on this machine, about.
    """

    measure: str
    says: str
    rows: int
    verdict: Verdict
    scoring_s: float


@runtime_checkable
class Foretells(Protocol):
    """A measure that knows before the pass what it will rest on, and what its scores take beside what is gathered."""

    @property
    def scoring_bytes(self) -> int:
        """The memory that scoring takes at most, about, for the time of one tap."""
        ...

    def foretell(self) -> Foretold:
        """Of the first tap."""
        ...


def scoring_bytes(measures: Iterable[Measure]) -> int:
    """The memory that scoring takes at most beside what was gathered; measures are scored one after the other."""
    return max((each.scoring_bytes for each in measures if isinstance(each, Foretells)), default=0)


class SegmentMeasure:
    """A measure of phones, words or speakers; a subclass gives `compute`.

    Args:
        means: keeps the sampled segments.
        family: the first half of the measure's name, such as "cca"; the unit is the other.

    Attributes:
        row_fields: what its results rows say of folds that are not the plan's, and of how frames make a segment.
    """

    def __init__(self, means: SegmentMeans, family: str):
        self.means = means
        self.unit = means.sample.unit
        self.name = f"{family}_{self.unit}"
        weights = None if means.weights == WHOLE_FRAMES else means.weights
        self.row_fields: dict[str, Any] = {**means.sample.row_fields, "segments": weights}

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.means.taps)

    def lacks_labels(self, classes: int) -> str | None:
        """Why there is nothing to compare with, if so.

        Args:
            classes: that have rows.
        """
        if not len(self.means.sample.alignment):
            return f"this corpus has no {self.unit} times; a corpus with aligned {self.unit}s is needed"
        if classes >= 2:
            return None
        if self.unit == "speaker":
            return (
                f"{classes} speakers with two utterances in each of three folds of sessions apart, two needed; more "
                "sessions of every speaker would help (a corpus's reader may know them: a column `session`)"
            )
        return (
            f"{classes} {self.unit} classes with two tokens in each of three folds, two needed; more speech would help"
        )
