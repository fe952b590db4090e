"""What discrete units cost in bits per second, and what they tell, at every tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, MinLen

from s3prl_plugin.analysis import half_samples
from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.information.protocols import INTERVALS, MiDefault
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.planning.segments import CENTRE
from s3prl_plugin.analysis.statistics.reservoir import shared_reservoir
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.config.schema import Counted, one_of
from s3prl_plugin.downstream.rate.distortion import Distortion
from s3prl_plugin.downstream.rate.measures import MelError, RateAndContent
from s3prl_plugin.downstream.rate.units import Units, chosen

MEL = "rate_mel"


class DownstreamExpert(AnalysisExpert):
    """`-d rate`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "rate"
    known_measures = ("rate_bits", "rate_phone", "rate_word", "rate_speaker", MEL)
    option_types: ClassVar[Mapping[str, Any]] = {
        "clusters": Annotated[list[Annotated[int, Ge(2)]], MinLen(1)],
        "seeds": Counted,
        "intervals": one_of(INTERVALS),
        **half_samples.option_types("phone", "word"),
        "sampled_per_utterance": Counted,
        "sampled_frames": Counted,
        "decoded_utterances": Counted,
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The units of every tap, the segments and moments that they are asked about, and what is decoded.

        Raises:
            UserError: an option cannot be used.
        """
        intervals = self.options["intervals"]
        units = chosen(self.taps, self._names(), sorted(set(self.options["clusters"])))
        built: list[Measure] = []
        content = [measure for measure in measures if measure != MEL]
        if content:
            limits = self.options["sampled_per_utterance"], self.options["sampled_frames"]
            reservoir = shared_reservoir(self.gathering, self.taps, *limits, None)
            segments = {unit: self._segments(unit) for unit in ("phone", "word") if f"rate_{unit}" in measures}
            protocol = MiDefault(self.make_row, None, intervals, permutations=None)
            seeds = self.options["seeds"]
            built.append(RateAndContent(self.plan, units, reservoir, segments, content, protocol, seeds, self.make_row))
        discrete = [each for each in units if each.clusters is None]
        if MEL in measures and discrete:
            built.append(self._mel(discrete, intervals))
        return built

    def _names(self) -> list[str] | None:
        """The taps that are asked for."""
        if self.options["taps"] is None and self.measured == self.upstream_taps:
            return None
        return [tap.name for tap in self.measured]

    def _segments(self, unit: str) -> SegmentMeans:
        """The frames at the midpoints of phones or words."""
        sample = half_samples.half_sample(self.plan, self.options, unit)
        self.introduce(f"rate_{unit}", sample, CENTRE)
        return SegmentMeans.shared(self.gathering, sample, self.taps, CENTRE)

    def _mel(self, units: Sequence[Units], intervals: str) -> MelError:
        """What decoding leaves of the spectrogram."""
        positions, limit = [each.position for each in units], self.options["decoded_utterances"]
        name = f"{limit} decoded utterances of taps {positions}"
        distortion = self.gathering.share(name, lambda: Distortion(self.plan, positions, limit))
        return MelError(distortion, units, intervals, self.make_row)
