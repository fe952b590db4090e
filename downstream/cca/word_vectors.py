"""cca_agwe, cca_glove, cca_semantic, cca_syntactic: segment means of words with a table's vectors of the same words.

Two things set these measures apart from those of labels.

- The number of directions that count is the rank of the vectors of the words that are there: the table's dimension, or
  one less than the words where these are fewer, which no layer could exceed. There the vectors span what one-hot labels
  of the same words span, and CCA, which is the same under any invertible map, gives what cca_word gives: any other
  vectors of these words would score the same. Such rows are grey and say so.
- Held-out speakers say the words that were trained on. A layer that tells words apart fits any vectors of them, the
  better the fewer words there are per dimension, so that chance is not 0: it is the mean score with the table's vectors
  exchanged between words. What a table has to say is what a score has above that.

Reference:
    Pasad, Shi & Livescu 2023, "Comparative layer-wise analysis of self-supervised speech models", arXiv 2211.03929.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from s3prl_plugin.analysis.measure import SegmentMeasure
from s3prl_plugin.analysis.planning.labels import label_moments
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sample import Sample
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.analysis.statistics.view_moments import Array, Moments, ViewMoments
from s3prl_plugin.corpora.word_vectors import WordVectors
from s3prl_plugin.downstream.cca.pair import FoldedView, PairOfViews
from s3prl_plugin.downstream.cca.protocols import PUBLISHED_FOLDS, CcaDefault, CcaProtocol
from s3prl_plugin.downstream.cca.split import stratified
from s3prl_plugin.results import Row

MEASURES = ("cca_agwe", "cca_glove", "cca_semantic", "cca_syntactic")
FEWEST_PERMUTATIONS = 5
NAMED = 8  # of the words without a vector, the most frequent ones


class VectorSegments(SegmentMeasure):
    """One table, under one or both protocols.

    Args:
        name: of the measure.
        means: keeps the sampled words.
        table: its vectors of them.
        plan: of the run; its seed decides the published protocol's folds and the permutations.
        protocols: make the rows.
        permutations: of the vectors among the words, whose mean score is the chance of the default protocol's rows.
    """

    def __init__(
        self,
        name: str,
        means: SegmentMeans,
        table: WordVectors,
        plan: Plan,
        protocols: Sequence[CcaProtocol],
        permutations: int,
    ):
        super().__init__(means, "cca")
        self.name = name
        self.table = table
        self.plan = plan
        self.protocols = tuple(protocols)
        self.permutations = permutations
        self.row_fields |= {"tap2": table.path.name}
        self._views: dict[tuple[str, int], FoldedView] = {}

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other; the vectors are whitened once for all taps."""
        rows, label, vectors = self._rows()
        reason = self._lacks_words(len(vectors))
        for k, tap in enumerate(self.means.taps):
            found: list[Row] = []
            for protocol in self.protocols:
                if reason:
                    found += protocol.refusals(tap, self.name, reason, n=len(rows), **self.row_fields)
                    continue
                folds = self._labelled(protocol, self.means.means(k, rows), rows, label, len(vectors))
                pair = self._pair(protocol, folds, vectors)
                if isinstance(protocol, CcaDefault):
                    exchanged = self._exchanged(protocol, folds, vectors, pair.x)
                    made = protocol.rows_of_pair(tap, self.name, pair, exchanged, **self.row_fields)
                else:
                    made = protocol.rows(tap, self.name, pair.folds, **self.row_fields)
                found += [self._judged(row, len(vectors)) for row in made]
            yield found

    def _rows(self) -> tuple[np.ndarray, np.ndarray, Array]:
        """The rows that came by and have a vector, (n,); each one's word, (n,) from 0; the words' vectors, (C, dim)."""
        sample = self.means.sample
        rows, _, _ = self.means.labelled()
        known = np.array([word in self.table.vectors for word in sample.classes], dtype=bool)
        rows = rows[known[sample.label[rows]]] if len(rows) else rows
        words, label = np.unique(sample.label[rows], return_inverse=True)
        vectors = [self.table.vectors[sample.classes[word]] for word in words]
        return rows, label, np.array(vectors).reshape(len(vectors), self.table.dim)

    def _lacks_words(self, words: int) -> str | None:
        """Why there is nothing to compare with, if so."""
        of_labels = self.lacks_labels(len(self.means.sample.classes))
        if of_labels or words >= 2:
            return of_labels
        return (
            f"{self.table.path.name} has {words} of the {len(self.means.sample.classes)} words that are analysed, two "
            "needed; a table of this language, with words spelled as in the corpus, would help"
        )

    def _labelled(
        self, protocol: CcaProtocol, means: np.ndarray, rows: np.ndarray, label: np.ndarray, words: int
    ) -> list[Moments]:
        """Per fold of a protocol, the segment means (x) with one-hot words (y)."""
        if isinstance(protocol, CcaDefault):
            fold, count = self.means.sample.fold[rows], self.plan.folds.count
        else:
            fold, count = stratified(label, PUBLISHED_FOLDS, self.plan.seed), PUBLISHED_FOLDS
        return [label_moments(means[fold == f], label[fold == f], np.arange(words)) for f in range(count)]

    def _pair(
        self,
        protocol: CcaProtocol,
        folds: Sequence[Moments],
        vectors: Array,
        number: int = 0,
        x: FoldedView | None = None,
    ) -> PairOfViews:
        """The segment means with vectors in place of words; whitenings of the vectors serve all taps."""
        mapped = [_in_place_of_words(fold, vectors) for fold in folds]
        y = self._views.setdefault((protocol.name, number), FoldedView([fold.y for fold in mapped]))
        return PairOfViews(mapped, x, y)

    def _exchanged(
        self, protocol: CcaProtocol, folds: Sequence[Moments], vectors: Array, x: FoldedView
    ) -> Iterator[PairOfViews]:
        """The pair with the vectors exchanged between words, in the same way for every tap."""
        for number in range(1, self.permutations + 1):
            draw = stream(self.plan.seed, "permutation", self.name, number)
            yield self._pair(protocol, folds, vectors[draw.permutation(len(vectors))], number, x)

    def _judged(self, row: Row, words: int) -> Row:
        """Grey, where there are too few words for the vectors to matter."""
        if row.value is None or words > self.table.dim + 1:
            return row
        reason = (
            f"{words} words for vectors of {self.table.dim} dimensions: any vectors of these words score the same, as "
            f"cca_word does; more than {self.table.dim + 1} words would tell"
        )
        return replace(row, grey="; ".join(filter(None, (row.grey, reason))))


def coverage(table: WordVectors, sample: Sample) -> str:
    """How many of the sampled words a table has, in one line."""
    tokens = Counter(np.array(sample.classes)[sample.label].tolist() if len(sample) else [])
    missing = [(word, n) for word, n in tokens.most_common() if word not in table.vectors]
    without = sum(n for _, n in missing)
    words, segments = len(tokens) - len(missing), len(sample) - without
    line = (
        f"{table.path.name} ({table.lines} words, {table.dim} dimensions): {words} of {len(tokens)} words and "
        f"{segments} of {len(sample)} segments have a vector"
    )
    if table.in_lower_case:
        line += f"; {len(table.in_lower_case)} words matched in lower case"
    if missing:
        named = ", ".join(f"{word} ({n})" for word, n in missing[:NAMED])
        line += f"; left out: {named}{', ...' if len(missing) > NAMED else ''}"
    return line


def _in_place_of_words(moments: Moments, vectors: Array) -> Moments:
    """The moments of rows and their words' vectors, from those of rows and one-hot words: a linear map."""
    y, offset = moments.y, vectors.mean(axis=0)
    centred = vectors - offset  # scatters do not depend on the offset, but their rounding does
    mean = y.mean @ centred + offset * (y.n > 0)
    return Moments(moments.x, ViewMoments(y.n, mean, centred.T @ y.scatter @ centred), moments.xy @ centred)
