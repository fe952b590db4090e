"""How frame rates blur segments into each other, as results rows: it bounds what a tap of a low rate can show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.planning.segments import WHOLE_FRAMES
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.results import Row
from s3prl_plugin.strides import Stride


class Crowding:
    """`grid_phone` and `grid_word`: per frame rate, two fractions of the analysed segments. A `Measure`.

    `shared`: of segments that have a frame in common with the segment before or after; `outside`: of segments whose
    frames reach beyond the segment itself. They are about the corpus and the grid, not about a model: rows have a
    stride and no tap, and no table shows them as a score.

    Args:
        sample: the segments.
        strides: of the taps, in samples.
        make_row: of the analysis.
        weights: how frames make a segment, one of `segments.SEGMENT_WEIGHTS`.
    """

    def __init__(self, sample: Sample, strides: Iterable[Stride], make_row: RowMaker, weights: str = WHOLE_FRAMES):
        self.sample = sample
        self.strides = sorted(set(strides))
        self.make_row = make_row
        self.weights = weights

    def __len__(self) -> int:
        """One list of rows."""
        return 1

    def compute(self) -> Iterator[list[Row]]:
        """The rows of every stride; none where there are no segments."""
        rows = []
        for stride in self.strides if len(self.sample) else []:
            shared, outside = self.sample.alignment.crowding(self.sample.segment, stride, self.weights)
            for score, value in (("shared", shared), ("outside", outside)):
                rows.append(
                    self.make_row.of_corpus(
                        f"grid_{self.sample.unit}",
                        score,
                        stride=stride,
                        value=value,
                        n=len(self.sample),
                        higher_is_better=False,
                        segments=None if self.weights == WHOLE_FRAMES else self.weights,
                    )
                )
        yield rows
