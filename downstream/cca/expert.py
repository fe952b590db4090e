"""CCA of every tap with the mel spectrogram, with a base tap, with phones and with words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.other_models.other_model import OtherModel
from s3prl_plugin.analysis.other_models.sampled import OTHER_TYPES, Sampler
from s3prl_plugin.analysis.other_models.second_upstream import SecondUpstream
from s3prl_plugin.analysis.pairs_of_views import FramePairs, SavedPairs
from s3prl_plugin.analysis.planning.labels import FEWEST_TOKENS
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.planning.segments import SEGMENT_WEIGHTS
from s3prl_plugin.analysis.planning.silence import SILENCE, Frames
from s3prl_plugin.analysis.statistics.frame_statistics import FrameStatistics, beside
from s3prl_plugin.config.schema import Counted, Whole, keyed_by, one_of, one_or_some_of, some_of, whole
from s3prl_plugin.downstream.cca.controlled import CONTROLS
from s3prl_plugin.downstream.cca.matrix import CcaMatrix
from s3prl_plugin.downstream.cca.of_segments import OfSegments
from s3prl_plugin.downstream.cca.protocols import (
    INTERVALS,
    PUBLISHED_FOLDS,
    SCORES,
    CcaDefault,
    CcaProtocol,
    CcaPublished,
)
from s3prl_plugin.downstream.cca.spectra import Spectra
from s3prl_plugin.downstream.cca.word_vectors import MEASURES
from s3prl_plugin.errors import UserError
from s3prl_plugin.strides import Stride

PUBLISHED_UTTERANCES = 500


class DownstreamExpert(AnalysisExpert):
    """`-d cca`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "cca"
    known_measures = (
        "cca_mel",
        "cca_intra",
        "cca_inter",
        "cca_phone",
        "cca_word",
        "cca_speaker",
        "cca_agwe",
        "cca_glove",
        "cca_semantic",
        "cca_syntactic",
        "cca_matrix",
    )
    option_types: ClassVar[Mapping[str, Any]] = {
        **OTHER_TYPES,
        "protocol": one_of(("default", "published", "both")),
        "base": str | None,
        "intervals": one_of(INTERVALS),
        "scores": some_of(SCORES),
        "silence": one_of(SILENCE),
        "control": some_of(CONTROLS),
        "permutations": Whole,
        "frame_utterances": Counted | None,
        "phone_tokens": whole(FEWEST_TOKENS) | None,
        "word_types": whole(2) | None,
        "word_tokens": whole(FEWEST_TOKENS) | None,
        "speakers": whole(2) | None,
        "speaker_utterances": whole(FEWEST_TOKENS) | None,
        "vectors": keyed_by(MEASURES, str | None),
        "segment_weights": one_or_some_of(SEGMENT_WEIGHTS),
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """Frame statistics for each protocol, and the sampled segments of each unit.

        Raises:
            UserError: an option cannot be used.
        """
        wanted = self.options["protocol"]
        intervals = self.options["intervals"]
        scores = self.options.chosen("scores", SCORES)
        self.spectra = Spectra() if "spectrum" in scores else None
        protocols: list[CcaProtocol] = []
        if wanted != "published":
            protocols.append(CcaDefault(self.make_row, intervals, scores, self.spectra))
        if wanted != "default":
            protocols.append(CcaPublished(self.make_row, self.plan.seed))
        sampler = Sampler(self.gathering, self.taps, self.options, self.coarsest)
        other = OtherModel.of(self, sampler, measures)
        built: list[Measure] = []
        second = other.in_pass() if "cca_inter" in measures else None
        if second or {"cca_mel", "cca_intra"} & set(measures):
            built += [self._frames(measures, protocol, second) for protocol in protocols]
        built += OfSegments(self, protocols).build(measures)
        built += self._sampled(measures, other, protocols)
        return [*built, *other.kept(self.expdir, self.provenance)]

    def _frames(
        self, measures: Sequence[str], protocol: CcaProtocol, second: tuple[SecondUpstream, int] | None
    ) -> FramePairs:
        """cca_mel, cca_intra, and cca_inter with a model in the same pass, under one protocol."""
        published = protocol.name == "published"
        limit = self.options["frame_utterances"]
        if published:
            limit = min(limit or PUBLISHED_UTTERANCES, PUBLISHED_UTTERANCES)
        frames = Frames(self.plan, self.options["silence"])
        statistics = self.gathering.share(
            f"frames of {limit or 'all'} utterances, {protocol.name} folds{'' if published else frames.name}"
            f"{beside(second)}",
            lambda: FrameStatistics(
                self.taps,
                folds=PUBLISHED_FOLDS if published else frames.folds,
                fold_of=self._published_folds if published else frames.fold_of,
                utterances=self.plan.frame_utterances(limit),
                decimate=published,
                device=self.device,
                other=second,
                storage=self.gathering.storage,
            ),
        )
        return FramePairs(statistics, protocol, "cca_mel" in measures, self.base, None if published else frames)

    def _sampled(
        self, measures: Sequence[str], other: OtherModel, protocols: Sequence[CcaProtocol]
    ) -> list[SavedPairs | CcaMatrix]:
        """cca_inter with a saved model, and cca_matrix: under the default protocol."""
        comparison = other.comparison() if "cca_inter" in measures else None
        if comparison is None and "cca_matrix" not in measures:
            return []
        default = next((protocol for protocol in protocols if isinstance(protocol, CcaDefault)), None)
        if default is None:
            which = "cca_matrix" if comparison is None else "cca_inter with saved frames"
            raise UserError(f"cca: {which} has no published protocol; set protocol to default or both")
        built: list[SavedPairs | CcaMatrix] = [SavedPairs(comparison, default)] if comparison else []
        for pairs in other.matrices() if "cca_matrix" in measures else ():
            matrix = CcaMatrix(pairs, self.make_row, intervals=default.intervals != "none")
            self.say(matrix.line(self.plan.folds.count))
            built.append(matrix)
        return built

    def log_records(self, split: str, **kwargs: Any) -> list[str]:
        """See `AnalysisExpert.log_records`; the spectra are written beside the results."""
        checkpoints = super().log_records(split, **kwargs)
        if self.spectra is not None:
            self.spectra.write(self.expdir, self.rows)
        return checkpoints

    def _published_folds(self, utterance: int, stride: Stride, frames: int) -> np.ndarray:
        """Every frame is held out by itself, whatever its neighbours are."""
        name = self.plan.corpus.utterances[utterance].name
        return stream(self.plan.seed, "published", "frames", name, stride).integers(PUBLISHED_FOLDS, size=frames)
