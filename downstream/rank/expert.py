"""The embedding rank of every tap, at its own frame rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.statistics.frame_statistics import shared_frames
from s3prl_plugin.config.schema import Counted, one_of
from s3prl_plugin.downstream.rank.measures import EmbeddingRank

INTERVALS = ("full", "none")


class DownstreamExpert(AnalysisExpert):
    """`-d rank`; its options are in config.yaml, everything else is that of `AnalysisExpert`.

    In a suite it is computed from the statistics that CCA and CKA gather of the same frames.
    """

    name = "rank"
    known_measures = ("rank",)
    option_types: ClassVar[Mapping[str, Any]] = {
        "intervals": one_of(INTERVALS),
        "frame_utterances": Counted | None,
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """Frame statistics.

        Raises:
            UserError: an option cannot be used.
        """
        with_intervals = self.options["intervals"] == "full"
        limit = self.options["frame_utterances"]
        frames = shared_frames(self.gathering, self.taps, limit, self.device)
        return [EmbeddingRank(frames, self.make_row, with_intervals)]
