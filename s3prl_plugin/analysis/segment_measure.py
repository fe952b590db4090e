"""What measures of labelled segments have in common: their state is the sampled segments' means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from s3prl_plugin.analysis.batch import Batch
from s3prl_plugin.analysis.segment_means import SegmentMeans


class SegmentMeasure:
    """A measure of phones or words; a subclass gives `compute`.

    Args:
        means: keeps the sampled segments.
        family: the first half of the measure's name, such as "cca"; the unit is the other.
    """

    def __init__(self, means: SegmentMeans, family: str):
        self.means = means
        self.unit = means.sample.unit
        self.name = f"{family}_{self.unit}"

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.means.taps)

    @property
    def memory_bytes(self) -> int:
        """What the sampled segments take."""
        return self.means.memory_bytes

    def update(self, batch: Batch) -> None:
        """Take in the segments of a batch."""
        self.means.update(batch)

    def merge(self, other: SegmentMeasure) -> None:
        """Add the segments of another part of the corpus."""
        self.means.merge(other.means)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return self.means.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.means.load_state_dict(state)

    def lacks_labels(self, classes: int) -> str | None:
        """Why there is nothing to compare with, if so.

        Args:
            classes: that have rows.
        """
        if not len(self.means.sample.alignment):
            return f"this corpus has no {self.unit} times; a corpus with aligned {self.unit}s is needed"
        if classes < 2:
            return (
                f"{classes} {self.unit} classes with two tokens in each of three folds, two needed; "
                "more speech would help"
            )
        return None
