"""Linear probes of phones, words and speakers on segment means, at every tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from s3prl_plugin.analysis import half_samples
from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.planning.segments import SEGMENT_WEIGHTS
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.config.schema import Whole, one_of, one_or_some_of
from s3prl_plugin.downstream.probe.measures import LinearProbe

INTERVALS = ("full", "none")


class DownstreamExpert(AnalysisExpert):
    """`-d probe`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "probe"
    known_measures = ("probe_phone", "probe_word", "probe_speaker")
    option_types: ClassVar[Mapping[str, Any]] = {
        "intervals": one_of(INTERVALS),
        "permutations": Whole,
        **half_samples.option_types("phone", "word", "speaker"),
        "segment_weights": one_or_some_of(SEGMENT_WEIGHTS),
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The sampled segments of each unit, those of `-d mi` with the same options.

        Raises:
            UserError: an option cannot be used.
        """
        with_intervals = self.options["intervals"] == "full"
        permutations = self.options["permutations"]
        weights = self.options.chosen("segment_weights", SEGMENT_WEIGHTS)
        built: list[Measure] = []
        for measure in measures:
            unit = measure.removeprefix("probe_")
            sample = half_samples.half_sample(self.plan, self.options, unit)
            self.introduce(measure, replace(sample, halves=False), weights[0])  # all are scored
            every = [SegmentMeans.shared(self.gathering, sample, self.taps, how) for how in weights]
            built += [LinearProbe(means, self.plan, permutations, with_intervals, self.make_row) for means in every]
        return built
