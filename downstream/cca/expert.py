"""CCA of every tap with the mel spectrogram, with a base tap, with phones and with words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.folds import MAX_FOLDS
from s3prl_plugin.analysis.frame_statistics import FrameStatistics
from s3prl_plugin.analysis.labels import MIN_FOLDS
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.sampling import stream
from s3prl_plugin.analysis.segment_means import SegmentMeans
from s3prl_plugin.downstream.cca.measures import FrameMeasures, LabelledSegments
from s3prl_plugin.downstream.cca.protocols import (
    INTERVALS,
    PUBLISHED_FOLDS,
    CcaProtocol,
    DefaultProtocol,
    PublishedProtocol,
)
from s3prl_plugin.errors import UserError, did_you_mean

PUBLISHED_UTTERANCES = 500
FEWEST_TOKENS = MAX_FOLDS + MIN_FOLDS  # spread over all folds, they still give three folds two each


class DownstreamExpert(AnalysisExpert):
    """`-d cca`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "cca"
    known_measures = ("cca_mel", "cca_intra", "cca_phone", "cca_word")

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """Frame statistics for each protocol, and the sampled segments of each unit.

        Raises:
            UserError: an option cannot be used.
        """
        wanted = self.options.choice("protocol", ("default", "published", "both"))
        intervals = self.options.choice("intervals", INTERVALS)
        protocols: list[CcaProtocol] = []
        if wanted != "published":
            protocols.append(DefaultProtocol(self.make_row, intervals))
        if wanted != "default":
            protocols.append(PublishedProtocol(self.make_row, self.plan.seed))
        built: list[Measure] = []
        if {"cca_mel", "cca_intra"} & set(measures):
            built += [self._frames(measures, protocol) for protocol in protocols]
        for unit in ("phone", "word"):
            if f"cca_{unit}" in measures:
                built.append(self._segments(unit, protocols))
        return built

    def _frames(self, measures: Sequence[str], protocol: CcaProtocol) -> FrameMeasures:
        """cca_mel and cca_intra under one protocol."""
        published = protocol.name == "published"
        limit = self.options.limit("frame_utterances")
        if published:
            limit = min(limit or PUBLISHED_UTTERANCES, PUBLISHED_UTTERANCES)
        statistics = self.gathering.share(
            f"frames of {limit or 'all'} utterances, {protocol.name} folds",
            lambda: FrameStatistics(
                self.taps,
                folds=PUBLISHED_FOLDS if published else self.plan.folds.count,
                fold_of=self._published_folds if published else self.plan.fold_of_frames,
                utterances=self.plan.frame_utterances(limit),
                decimate=published,
                device=self.device,
            ),
        )
        base = self._base() if "cca_intra" in measures else None
        return FrameMeasures(statistics, protocol, "cca_mel" in measures, base)

    def _segments(self, unit: str, protocols: Sequence[CcaProtocol]) -> LabelledSegments:
        """cca_phone or cca_word."""
        tokens = self.options.limit(f"{unit}_tokens", FEWEST_TOKENS)
        types = self.options.limit("word_types") if unit == "word" else None
        sample = self.plan.sample(unit, tokens, types)
        self.introduce(f"cca_{unit}", sample)
        means = self.gathering.share(f"means of {sample.name}", lambda: SegmentMeans(sample, self.taps))
        return LabelledSegments(means, self.plan.seed, protocols)

    def _base(self) -> int:
        """The position of the base tap."""
        name = self.options["base"]
        names = [tap.name for tap in self.taps]
        if name is None:
            return 0
        if name not in names:
            raise UserError(f"cca: downstream_expert.base: no tap is called {name!r}; {did_you_mean(str(name), names)}")
        return names.index(name)

    def _published_folds(self, utterance: int, stride: int, frames: int) -> np.ndarray:
        """Every frame is held out by itself, whatever its neighbours are."""
        name = self.plan.corpus.utterances[utterance].name
        return stream(self.plan.seed, "published", "frames", name, stride).integers(PUBLISHED_FOLDS, size=frames)
