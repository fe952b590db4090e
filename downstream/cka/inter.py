"""cka_inter with a model whose frames were saved by an earlier run."""

from __future__ import annotations

from collections.abc import Iterator

from s3prl_plugin.analysis.other_models.saved_comparison import SavedComparison
from s3prl_plugin.downstream.cka.rows import CkaRows
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row

NAME = "cka_inter"


class SavedInter:
    """The CKA of every tap with the other model's.

    Args:
        comparison: of the taps' sampled frames.
        rows: makes the rows.
    """

    def __init__(self, comparison: SavedComparison, rows: CkaRows):
        self.comparison = comparison
        self.rows = rows

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.comparison)

    def compute(self) -> Iterator[list[Row]]:
        """The row of one tap after the other."""
        fields = self.comparison.fields()
        for k, tap in enumerate(self.comparison.taps):
            try:
                folds = self.comparison.moments(k)
            except Refused as refused:
                yield [self.rows.refusal(tap, NAME, refused.reason, **fields)]
            else:
                yield [self.rows.row(tap, NAME, folds, **fields)]
