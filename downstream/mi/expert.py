"""Mutual information between clusters of segment means and their phones or words, at every tap."""

from __future__ import annotations

from collections.abc import Sequence

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.folds import MAX_FOLDS
from s3prl_plugin.analysis.labels import MIN_FOLDS
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.segment_means import SegmentMeans
from s3prl_plugin.downstream.mi.measures import SegmentInformation
from s3prl_plugin.downstream.mi.protocols import INTERVALS, DefaultProtocol, MiProtocol, PublishedProtocol

FEWEST_TOKENS = MAX_FOLDS + MIN_FOLDS  # spread over all folds, they still give three folds two each


class DownstreamExpert(AnalysisExpert):
    """`-d mi`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "mi"
    known_measures = ("mi_phone", "mi_word")

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The sampled segments of each unit.

        Raises:
            UserError: an option cannot be used.
        """
        wanted = self.options.choice("protocol", ("default", "published", "both"))
        intervals = self.options.choice("intervals", INTERVALS)
        clusters = self.options.limit("clusters", 2)
        protocols: list[MiProtocol] = []
        if wanted != "published":
            protocols.append(DefaultProtocol(self.make_row, clusters, intervals))
        if wanted != "default":
            protocols.append(PublishedProtocol(self.make_row))
        return [self._segments(measure.removeprefix("mi_"), protocols) for measure in measures]

    def _segments(self, unit: str, protocols: Sequence[MiProtocol]) -> SegmentInformation:
        """mi_phone or mi_word."""
        tokens = self.options.limit(f"{unit}_tokens_per_half", FEWEST_TOKENS)
        types = self.options.limit("word_types") if unit == "word" else None
        sample = self.plan.sample(unit, tokens, types, halves=True)
        self.introduce(f"mi_{unit}", sample)
        means = self.gathering.share(f"means of {sample.name}", lambda: SegmentMeans(sample, self.taps))
        return SegmentInformation(means, self.plan, protocols, self.options.integer("seeds", 1), self.make_row)
