"""Words told apart, and the similarity of words and of sentences, at every tap, at its own frame rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.measure import Measure
from s3prl_plugin.analysis.token_counts import TokenCount
from s3prl_plugin.analysis.tokens.drawing import Candidates, all_strides, candidates
from s3prl_plugin.analysis.tokens.kept import KeptTokens
from s3prl_plugin.config.schema import Counted, Positive, Some, Whole, one_of, whole
from s3prl_plugin.downstream.words import similarity
from s3prl_plugin.downstream.words.discrimination import WordDiscrimination
from s3prl_plugin.downstream.words.rated import RatedSimilarity, Ratings, Sentences, UtteranceMeans, WordVectors
from s3prl_plugin.files import digests
from s3prl_plugin.strides import Stride

INTERVALS = ("full", "none")


class DownstreamExpert(AnalysisExpert):
    """`-d words`; its options are in config.yaml, everything else is that of `AnalysisExpert`."""

    name = "words"
    known_measures = ("awd_word", "wordsim", "sts")
    option_types: ClassVar[Mapping[str, Any]] = {
        "dtw": bool,
        "word_tokens": Counted | None,
        "word_types": whole(2) | None,
        "sampled_words": whole(2) | None,
        "wordsim_ratings": str | Some[str] | None,
        "sts_ratings": str | Some[str] | None,
        "instances": Counted | None,
        "permutations": Whole,
        "frames_at_ms": list[Positive],
        "intervals": one_of(INTERVALS),
    }

    def build(self, measures: Sequence[str]) -> list[Measure]:
        """The tokens of words, and the utterances of rated sentences.

        Raises:
            UserError: an option cannot be used, or a file of ratings is missing or cannot be read.
        """
        self._with_intervals = self.options["intervals"] == "full"
        self._permutations = self.options["permutations"]
        makers = {"awd_word": self._discrimination, "wordsim": self._wordsim, "sts": self._sts}
        return [makers[measure]() for measure in measures]

    def _discrimination(self) -> Measure:
        """awd_word."""
        dtw = self.options["dtw"]
        per_speaker, types = self.options["word_tokens"], self.options["word_types"]
        found = candidates(self.plan, "word", self.options["shared_texts"] == "leave_out", types)
        drawn = np.flatnonzero(found.drawn(per_speaker, found.have_frames(self._strides)))
        limit = self.options["sampled_words"]
        if limit is not None and len(drawn) > limit:
            drawn = np.sort(drawn[np.argsort(found.order[drawn], kind="stable")[:limit]])
        kept = self._kept(f"{per_speaker} of each of {types} words, {limit} in all", found, drawn, pooled=not dtw)
        lost = len(found) - int(found.have_frames(self._strides).sum())
        left_out = {**found.left_out, "without a frame at some rate": lost, "not drawn": len(found) - lost - len(drawn)}
        self.tokens["awd_word"] = TokenCount("awd_word", "tokens", found.found, left_out, len(drawn))
        self.say(f"awd_word: {len(drawn)} of {len(found)} words of {len(found.labels)} types; {lost} without a frame")
        return WordDiscrimination(kept, found, drawn, dtw, self._with_intervals, self.make_row, str(self.device))

    def _wordsim(self) -> Measure:
        """wordsim."""
        lists = self._lists("wordsim_ratings", of_words=True)
        found = candidates(self.plan, "word", leave_out_shared=False)
        lower = [label.lower() for label in found.labels]
        mine = np.isin(np.array(lower, dtype=str), _names(lists))[found.label]
        per_speaker = self.options["instances"]
        drawn = np.flatnonzero(found.drawn(per_speaker, found.have_frames(self._strides) & mine))
        kept = self._kept(f"rated words, {per_speaker} of a speaker, of {_names(lists)}", found, drawn, pooled=True)
        self._say_coverage("wordsim", lists, {lower[i] for i in np.unique(found.label[drawn])})
        return self._rated("wordsim", lists, WordVectors(kept, found, drawn))

    def _sts(self) -> Measure:
        """sts."""
        lists = self._lists("sts_ratings", of_words=False)
        asked = set(_names(lists))
        said: dict[str, list[int]] = {}
        for position, utterance in enumerate(self.plan.corpus.utterances):
            for name in {utterance.name, utterance.sentence} & asked:
                said.setdefault(str(name), []).append(position)
        needed = np.unique([position for positions in said.values() for position in positions]).astype(np.int64)
        self.plan.need(needed)
        means = self.gathering.share(
            f"means of utterances {needed.tolist()}", lambda: UtteranceMeans(needed, self.taps)
        )
        self._say_coverage("sts", lists, set(said))
        return self._rated("sts", lists, Sentences(means, self.plan, said))

    def _rated(self, measure: str, lists: Sequence[Ratings], vectors: WordVectors | Sentences) -> Measure:
        return RatedSimilarity(measure, lists, vectors, self._permutations, self._with_intervals, self.make_row)

    def _kept(self, name: str, found: Candidates, drawn: np.ndarray, pooled: bool) -> KeptTokens:
        """What is kept of some tokens."""
        where = found.utterance[drawn], found.start[drawn], found.end[drawn]
        self.plan.need(where[0])
        rates = ", ".join(map(str, self._strides))
        full = f"{'means' if pooled else 'frames'} of word tokens: {name}, {len(drawn)} at {rates}"
        return self.gathering.share(full, lambda: KeptTokens(self.taps, self.upstream_taps, *where, pooled=pooled))

    def _lists(self, key: str, of_words: bool) -> list[Ratings]:
        """The files that an option names."""
        given = self.options[key]
        if given is None:
            raise self.options.error(
                key, "a file of ratings, or a list of some: people's, to compare similarities with"
            )
        paths = given if isinstance(given, list) else [given]
        found = [Ratings(Path(path).expanduser(), tuple(similarity.read_ratings(path, of_words))) for path in paths]
        names = [each.path.name for each in found]
        if len(set(names)) < len(names):
            raise self.options.error(key, "files of different names, by which rows tell them apart")
        for path in paths:
            self.reads[path] = digests.of_path(Path(path).expanduser())
        return found

    def _say_coverage(self, measure: str, lists: Sequence[Ratings], there: set[str]) -> None:
        """How many pairs of every list are in the corpus."""
        for each in lists:
            covered = sum(a in there and b in there for a, b, _ in each.pairs)
            self.say(f"{measure}: {covered} of {len(each.pairs)} rated pairs of {each.path.name} are in the corpus")

    @property
    def _strides(self) -> tuple[Stride, ...]:
        """Of all taps of the upstream, and those at which tokens must have a frame besides."""
        return all_strides(self.options, "frames_at_ms", self.upstream_taps)


def _names(lists: Sequence[Ratings]) -> list[str]:
    """All that is rated, sorted."""
    return sorted({name for each in lists for a, b, _ in each.pairs for name in (a, b)})
