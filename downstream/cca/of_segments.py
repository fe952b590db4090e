"""Builds the measures of segments: cca_phone, cca_word, cca_speaker, and words with tables of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from s3prl_plugin import ranks
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.planning.crowding import Crowding
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.planning.segments import SEGMENT_WEIGHTS
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.corpora import word_vectors
from s3prl_plugin.downstream.cca.controlled import CONTROLS
from s3prl_plugin.downstream.cca.measures import CcaSegments
from s3prl_plugin.downstream.cca.protocols import CcaDefault, CcaProtocol
from s3prl_plugin.downstream.cca.word_vectors import FEWEST_PERMUTATIONS, MEASURES, VectorSegments, coverage
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests

if TYPE_CHECKING:
    from s3prl_plugin.downstream.cca.expert import DownstreamExpert

UNITS = ("phone", "word", "speaker")
TOKENS = {"phone": "phone_tokens", "word": "word_tokens", "speaker": "speaker_utterances"}
CLASSES = {"word": "word_types", "speaker": "speakers"}


class OfSegments:
    """The measures of segments of one analysis.

    Args:
        expert: whose options, plan and gathering they are of.
        protocols: make the rows.
    """

    def __init__(self, expert: DownstreamExpert, protocols: Sequence[CcaProtocol]):
        self.expert = expert
        self.options = expert.options
        self.protocols = tuple(protocols)
        self.weights = self.options.chosen("segment_weights", SEGMENT_WEIGHTS)
        self._samples: dict[str, Sample] = {}

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """Those of `measures` that are of segments, and how frame rates blur these.

        Raises:
            UserError: an option or a table of word vectors cannot be used.
        """
        tables = self._tables(measures)
        labelled = [self._labelled(unit, how) for unit in UNITS if f"cca_{unit}" in measures for how in self.weights]
        with_vectors = [each for measure, path in tables.items() for each in self._with_vectors(measure, path)]
        strides = {tap.stride for tap in self.expert.measured}
        crowding = [
            Crowding(sample, strides, self.expert.make_row, how)
            for sample in self._samples.values()
            if sample.unit != "speaker"
            for how in self.weights
        ]
        return [*labelled, *with_vectors, *crowding]

    def _labelled(self, unit: str, weights: str) -> CcaSegments:
        """cca_phone, cca_word or cca_speaker, of segments made one way; the published tool has no cca_speaker."""
        protocols, control = self.protocols, self.options.chosen("control", CONTROLS)
        if unit == "speaker":
            control = []
            protocols = tuple(each for each in protocols if isinstance(each, CcaDefault))
            if not protocols:
                raise UserError("cca: cca_speaker has no published protocol; set protocol to default or both")
        means = self._means(f"cca_{unit}", unit, weights)
        permutations = self.options["permutations"]
        return CcaSegments(means, self.expert.plan, protocols, control, permutations)

    def _with_vectors(self, measure: str, path: str) -> list[VectorSegments]:
        """Words with the vectors of one table, of segments made every way that is wanted."""
        every = [self._means(measure, "word", weights) for weights in self.weights]
        sample = every[0].sample
        table = word_vectors.read(path, sample.classes, progress=ranks.leads())
        self.expert.reads[path] = digests.of_path(Path(path).expanduser())
        self.expert.say(f"{measure}: {coverage(table, sample)}")
        permutations = max(self.options["permutations"], FEWEST_PERMUTATIONS)
        return [
            VectorSegments(measure, means, table, self.expert.plan, self.protocols, permutations) for means in every
        ]

    def _means(self, measure: str, unit: str, weights: str) -> SegmentMeans:
        """The segments of a unit, introduced once."""
        sample = self._sample(unit)
        if unit not in self._samples:
            self.expert.introduce(measure, sample, self.weights[0])
            self._samples[unit] = sample
        self.expert.count(measure, sample)
        return SegmentMeans.shared(self.expert.gathering, sample, self.expert.taps, weights)

    def _sample(self, unit: str) -> Sample:
        tokens = self.options[TOKENS[unit]]
        classes = self.options[CLASSES[unit]] if unit in CLASSES else None
        return self.expert.plan.sample(unit, tokens, classes)

    def _tables(self, measures: Sequence[str]) -> dict[str, str]:
        """The file of every measure of word vectors that is wanted."""
        named = self.options["vectors"]
        for measure in named:
            if measure not in measures:
                raise UserError(
                    f"cca: downstream_expert.vectors names a table for {measure}, which is not among the measures; "
                    "add it to them, or remove the table"
                )
        wanted = [measure for measure in MEASURES if measure in measures]
        for measure in wanted:
            if not named.get(measure):
                raise UserError(
                    f"cca: downstream_expert.vectors names no table for {measure}; write vectors: {{{measure}: FILE}}"
                )
        return {measure: named[measure] for measure in wanted}
