"""cca_inter with a model whose frames were saved by an earlier run."""

from __future__ import annotations

from collections.abc import Iterator

from s3prl_plugin.analysis.other_models.saved_comparison import SavedComparison
from s3prl_plugin.downstream.cca.pair import FoldedView
from s3prl_plugin.downstream.cca.protocols import DefaultProtocol
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row
from s3prl_plugin.strides import Stride

NAME = "cca_inter"


class SavedInter:
    """The CCA of every tap with the other model's, under the default protocol.

    Args:
        comparison: of the taps' sampled frames.
        protocol: makes the rows.
    """

    def __init__(self, comparison: SavedComparison, protocol: DefaultProtocol):
        self.comparison = comparison
        self.protocol = protocol

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.comparison)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other; the other model's tap is whitened once per frame rate."""
        fields, shared = self.comparison.fields(), dict[Stride, FoldedView]()
        for k, tap in enumerate(self.comparison.taps):
            try:
                folds = self.comparison.moments(k)
            except Refused as refused:
                yield self.protocol.refusals(tap, NAME, refused.reason, **fields)
                continue
            y = shared.setdefault(self.comparison.stride(k), FoldedView([fold.y for fold in folds]))
            yield self.protocol.rows(tap, NAME, folds, y=y, **fields)
