"""What measures of labelled segments have in common: they are computed from the sampled segments' means."""

from __future__ import annotations

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
