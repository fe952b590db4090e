"""Linear CKA of every tap with the mel spectrogram, with a base tap, with another model, with phones and words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.other_models.other_model import OtherModel
from s3prl_plugin.analysis.other_models.sampled import OTHER_TYPES, Sampler
from s3prl_plugin.analysis.pairs_of_views import FramePairs, SavedPairs
from s3prl_plugin.analysis.planning.labels import FEWEST_TOKENS
from s3prl_plugin.analysis.planning.segments import SEGMENT_WEIGHTS
from s3prl_plugin.analysis.statistics.frame_statistics import shared_frames
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.config.schema import Counted, one_or_some_of, whole
from s3prl_plugin.downstream.cka.matrix import CkaMatrix
from s3prl_plugin.downstream.cka.measures import CkaSegments
from s3prl_plugin.downstream.cka.rows import CkaRows


class DownstreamExpert(AnalysisExpert):
    """`-d cka`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "cka"
    known_measures = ("cka_mel", "cka_intra", "cka_inter", "cka_phone", "cka_word", "cka_matrix")
    option_types: ClassVar[Mapping[str, Any]] = {
        **OTHER_TYPES,
        "base": str | None,
        "frame_utterances": Counted | None,
        "phone_tokens": whole(FEWEST_TOKENS) | None,
        "word_types": Counted | None,
        "word_tokens": whole(FEWEST_TOKENS) | None,
        "segment_weights": one_or_some_of(SEGMENT_WEIGHTS),
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """Frame statistics, the sampled segments of each unit, and sampled frames.

        Raises:
            UserError: an option cannot be used.
        """
        sampler = Sampler(self.gathering, self.taps, self.options, self.coarsest)
        other = OtherModel.of(self, sampler, measures)
        rows = CkaRows(self.make_row)
        second = other.in_pass() if "cka_inter" in measures else None
        built: list[Measure] = []
        if second or {"cka_mel", "cka_intra"} & set(measures):
            limit = self.options["frame_utterances"]
            frames = shared_frames(self.gathering, self.taps, limit, self.device, second)
            built.append(FramePairs(frames, rows, "cka_mel" in measures, self.base))
        comparison = other.comparison() if "cka_inter" in measures else None
        if comparison:
            built.append(SavedPairs(comparison, rows))
        built += [m for unit in ("phone", "word") if f"cka_{unit}" in measures for m in self._segments(unit, rows)]
        if "cka_matrix" in measures:
            matrices = [CkaMatrix(pairs, rows) for pairs in other.matrices()]
            for matrix in matrices:
                self.say(matrix.line(sampler.limit))
            built += matrices
        return [*built, *other.kept(self.expdir, self.provenance)]

    def _segments(self, unit: str, rows: CkaRows) -> list[CkaSegments]:
        """cka_phone or cka_word, of segments made every way that is wanted."""
        tokens = self.options[f"{unit}_tokens"]
        types = self.options["word_types"] if unit == "word" else None
        sample = self.plan.sample(unit, tokens, types)
        weights = self.options.chosen("segment_weights", SEGMENT_WEIGHTS)
        self.introduce(f"cka_{unit}", sample, weights[0])
        return [CkaSegments(SegmentMeans.shared(self.gathering, sample, self.taps, how), rows) for how in weights]
