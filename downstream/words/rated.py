"""wordsim and sts: Spearman's correlation of similarities with ratings, a list at a time and over all lists.

A sentence stands for the mean of its frames (`UtteranceMeans`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from s3prl_plugin.analysis.chance import chance_fields
from s3prl_plugin.analysis.information.seeds import interval_fields
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.statistics.tap_rows import TapRows
from s3prl_plugin.analysis.tokens.drawing import Candidates
from s3prl_plugin.analysis.tokens.kept import KeptTokens
from s3prl_plugin.downstream.words import similarity
from s3prl_plugin.downstream.words.similarity import Rated
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap

MACRO, MICRO, ONE = SCORES = ("macro", "micro", "spearman")
FEWEST_PAIRS, FEW_PAIRS = 10, 50


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """A file of rated pairs.

    Attributes:
        path: of it.
        pairs: two names and a number each.
    """

    path: Path
    pairs: tuple[Rated, ...]

    @property
    def values(self) -> np.ndarray:
        """(P,) the numbers."""
        return np.array([rating for _, _, rating in self.pairs])


class WordVectors:
    """A word is the mean of its tokens' mean frames.

    Args:
        kept: the means of the drawn tokens.
        candidates, drawn: which they are, in its order.
    """

    def __init__(self, kept: KeptTokens, candidates: Candidates, drawn: np.ndarray):
        self._kept = kept
        self._tokens = np.arange(len(drawn))
        self._names = [candidates.labels[i] for i in candidates.label[drawn]]
        self.speaker = candidates.speaker[drawn]
        self.taps = kept.taps

    def similarities(self, position: int, pairs: Sequence[Rated], without: int | None) -> np.ndarray:
        """(P,) at a tap, without the tokens of a speaker."""
        there = np.flatnonzero(self._kept.seen & ~self._kept.past_any)
        rows, _ = self._kept.of(position, there)
        names = [self._names[i] for i in there]
        speaker = self.speaker[there]
        kept = np.ones(len(there), dtype=bool) if without is None else speaker != without
        return similarity.of_words(pairs, similarity.mean_vectors(rows, names, kept))


class Sentences:
    """A sentence is every utterance that says it; a name of an utterance is that one.

    Args:
        means: of the utterances.
        plan: of the run.
        said: name in the ratings -> positions in the corpus.
    """

    def __init__(self, means: UtteranceMeans, plan: Plan, said: dict[str, list[int]]):
        self._means = means
        self._said = {name: np.searchsorted(means.utterances, positions).tolist() for name, positions in said.items()}
        self.speaker = plan.speaker_of_utterance[means.utterances]
        self.taps = means.taps

    def similarities(self, position: int, pairs: Sequence[Rated], without: int | None) -> np.ndarray:
        """(P,) at a tap, without the utterances of a speaker."""
        rows = self._means.kept[position].astype(np.float64)
        norm = np.linalg.norm(rows, axis=1, keepdims=True)
        kept = self._means.seen & (self.speaker != without)
        said = {name: [i for i in mine if kept[i]] for name, mine in self._said.items()}
        return similarity.of_utterances(pairs, rows / np.where(norm == 0, 1, norm), said)


class RatedSimilarity:
    """The rows of one measure.

    Args:
        measure: "wordsim" or "sts".
        lists: of rated pairs.
        vectors: what gives similarities.
        permutations: of the ratings, whose mean correlation is chance.
        with_intervals: delete-speaker jackknife.
        make_row: of the analysis.
    """

    def __init__(
        self,
        measure: str,
        lists: Sequence[Ratings],
        vectors: WordVectors | Sentences,
        permutations: int,
        with_intervals: bool,
        make_row: RowMaker,
    ):
        self.measure = measure
        self.lists = tuple(lists)
        self.vectors = vectors
        self.permutations = permutations
        self.with_intervals = with_intervals
        self.make_row = make_row

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.vectors.taps)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        for position, tap in enumerate(self.vectors.taps):
            yield self._rows(position, tap)

    def _rows(self, position: int, tap: Tap) -> list[Row]:
        found = [self.vectors.similarities(position, each.pairs, None) for each in self.lists]
        speakers = np.unique(self.vectors.speaker) if self.with_intervals else np.zeros(0, dtype=int)
        without = [[self.vectors.similarities(position, each.pairs, who) for each in self.lists] for who in speakers]
        enough = [i for i, each in enumerate(found) if (~np.isnan(each)).sum() >= FEWEST_PAIRS]
        made = []
        for score, which, name in (
            (MACRO, enough, None),
            (MICRO, enough, None),
            *((ONE, [i], each.path.name) for i, each in enumerate(self.lists)),
        ):
            fields: dict[str, Any] = {"headline": score == MACRO, "tap2": name}
            pairs = sum(int((~np.isnan(found[i])).sum()) for i in which)
            try:
                self._check(pairs, self.lists if name is None else [self.lists[i] for i in which])
                fields |= {"n": pairs, "grey": _grey(pairs)}
                fields |= self._value(score, which, found, without)
                made.append(self.make_row.row(tap, self.measure, score, **fields))
            except Refused as refused:
                made.append(self.make_row.row(tap, self.measure, score, refused=refused.reason, **fields))
        return made

    def _value(
        self, score: str, which: Sequence[int], found: Sequence[np.ndarray], without: Sequence[Sequence[np.ndarray]]
    ) -> dict[str, Any]:
        """The number of one row, its interval and chance."""
        ratings = [each.values for each in self.lists]

        def over(similarities: Sequence[np.ndarray], rated: Sequence[np.ndarray]) -> float:
            each = np.array([similarity.correlation(similarities[i], rated[i]) for i in which])
            weights = [float((~np.isnan(similarities[i])).sum()) if score == MICRO else 1.0 for i in which]
            return float(np.average(each, weights=weights)) if np.isfinite(each).all() and sum(weights) else np.nan

        value = over(found, ratings)
        if np.isnan(value):
            raise Refused("all ratings or all similarities are alike; there is nothing to correlate")
        draw = stream(self.make_row.seed, self.measure, "ratings")
        drawn = [over(found, [draw.permutation(each) for each in ratings]) for _ in range(self.permutations)]
        fields: dict[str, Any] = {"value": value, **(chance_fields(drawn) if drawn else {"chance": 0.0})}
        replicates = np.array([over(each, ratings) for each in without])
        if len(replicates) > 1 and np.isfinite(replicates).all():
            fields |= interval_fields([intervals.jackknife(value, replicates)])
        return fields

    def _check(self, pairs: int, lists: Sequence[Ratings]) -> None:
        """Refuse a number of few pairs."""
        if pairs < FEWEST_PAIRS:
            asked, names = sum(len(each.pairs) for each in lists), ", ".join(each.path.name for each in lists)
            what = "words" if self.measure == "wordsim" else "sentences or utterances"
            raise Refused(
                f"{pairs} of {asked} rated pairs of {names} have both {what} in the corpus, {FEWEST_PAIRS} needed; a "
                "larger corpus or another list would help"
            )


def _grey(pairs: int) -> str | None:
    if pairs >= FEW_PAIRS:
        return None
    return f"limited by data: {pairs} rated pairs, {FEW_PAIRS} wanted; a larger corpus or list would help"


class UtteranceMeans(TapRows):
    """One row per utterance and tap.

    Args:
        utterances: (N,) positions in the corpus, increasing.
        taps: of the upstream.
    """

    def __init__(self, utterances: np.ndarray, taps: Sequence[Tap]):
        super().__init__(len(utterances), taps, "utterances")
        self.utterances = utterances

    def update(self, batch: Batch) -> None:
        """Take the utterances of a batch."""
        for i, position in enumerate(batch.positions):
            row = int(np.searchsorted(self.utterances, position))
            if row == len(self.utterances) or self.utterances[row] != position or not batch.complete(i):
                continue
            self.seen[row] = True
            for tap, kept in enumerate(self.kept):
                kept[row] = batch.frames(i, tap).double().mean(dim=0).cpu().numpy()
