"""Mutual information between clusters of segment means and their phones, words or speakers, at every tap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from s3prl_plugin.analysis import half_samples
from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.information.protocols import INTERVALS, MiDefault, MiProtocol
from s3prl_plugin.analysis.information.speaker_protocol import SpeakerProtocol
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.planning.crowding import Crowding
from s3prl_plugin.analysis.planning.segments import SEGMENT_WEIGHTS
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.config.schema import Counted, Positive, Whole, one_of, one_or_some_of, some_of, whole
from s3prl_plugin.downstream.mi import frame_measures
from s3prl_plugin.downstream.mi.frame_measures import FRAME_MEASURES
from s3prl_plugin.downstream.mi.frames import SUBSETS
from s3prl_plugin.downstream.mi.measures import SegmentInformation
from s3prl_plugin.downstream.mi.protocols import MiPublished
from s3prl_plugin.errors import UserError

CONTROLS = ("duration",)


class DownstreamExpert(AnalysisExpert):
    """`-d mi`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "mi"
    known_measures = ("mi_phone", "mi_word", "mi_speaker", *FRAME_MEASURES)
    option_types: ClassVar[Mapping[str, Any]] = {
        "protocol": one_of(("default", "published", "both")),
        "clusters": whole(2) | None,
        "seeds": Counted,
        "intervals": one_of(INTERVALS),
        "whitened": bool,
        "control": some_of(CONTROLS),
        "permutations": Whole | None,
        **half_samples.option_types("phone", "word", "speaker"),
        "segment_weights": one_or_some_of(SEGMENT_WEIGHTS),
        "sampled_per_utterance": Counted,
        "sampled_frames": Counted,
        "frame_clusters": whole(2),
        "frame_ms": Positive | None,
        "frame_permutations": Counted,
        "silence": one_of(SUBSETS),
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The sampled segments of each unit, and sampled frames.

        Raises:
            UserError: an option cannot be used.
        """
        wanted = self.options["protocol"]
        intervals = self.options["intervals"]
        clusters = self.options["clusters"]
        protocols: list[MiProtocol] = []
        if wanted != "published":
            permutations = self.options["permutations"]
            whitened = self.options["whitened"]
            protocols.append(MiDefault(self.make_row, clusters, intervals, permutations, whitened))
        if wanted != "default":
            protocols.append(MiPublished(self.make_row))
        strides = [tap.stride for tap in self.upstream_taps]
        of_frames = frame_measures.build(
            measures, self.gathering, self.taps, strides, self.options, self.make_row, self.say
        )
        units = [measure.removeprefix("mi_") for measure in measures if measure not in FRAME_MEASURES]
        scores = [each for unit in units for each in self._segments(unit, protocols)]
        means = [each.means for each in scores if each.unit != "speaker"]
        rates = {tap.stride for tap in self.measured}
        return [*scores, *of_frames, *(Crowding(each.sample, rates, self.make_row, each.weights) for each in means)]

    def _segments(self, unit: str, protocols: Sequence[MiProtocol]) -> list[SegmentInformation]:
        """mi_phone, mi_word or mi_speaker, of segments made every way; the published tool has no mi_speaker."""
        if unit == "speaker":
            protocols = [SpeakerProtocol.like(each) for each in protocols if isinstance(each, MiDefault)]
            if not protocols:
                raise UserError("mi: mi_speaker has no published protocol; set protocol to default or both")
        sample = half_samples.half_sample(self.plan, self.options, unit)
        weights = self.options.chosen("segment_weights", SEGMENT_WEIGHTS)
        self.introduce(f"mi_{unit}", sample, weights[0])
        every = [SegmentMeans.shared(self.gathering, sample, self.taps, how) for how in weights]
        seeds = self.options["seeds"]
        control = self.options.chosen("control", CONTROLS) if unit != "speaker" else []
        return [SegmentInformation(means, self.plan, protocols, seeds, self.make_row, control) for means in every]
