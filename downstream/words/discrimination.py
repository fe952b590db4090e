"""awd_word: are tokens of the same word, said by different speakers, nearer to each other than those of other words?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from s3prl_plugin.analysis.information.seeds import interval_fields
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.tokens.distances import TokenFrames, distances
from s3prl_plugin.analysis.tokens.drawing import Candidates
from s3prl_plugin.analysis.tokens.kept import KeptTokens
from s3prl_plugin.downstream.words.average_precision import RankedPairs
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.results import Row

MEASURE, SCORE = "awd_word", "average_precision"
FEWEST_POSITIVES, FEW_POSITIVES = 20, 200


class WordDiscrimination:
    """The rows of all taps, on the tokens that all of them have.

    Args:
        kept: the tokens' frames, or means.
        candidates: all tokens.
        drawn: (n,) which of them are in `kept`, in its order.
        dtw: distances along the cheapest path; else 1 - cosine of the means.
        with_intervals: delete-speaker jackknife.
        make_row: of the analysis.
        device: that computes distances along paths.
    """

    def __init__(
        self,
        kept: KeptTokens,
        candidates: Candidates,
        drawn: np.ndarray,
        dtw: bool,
        with_intervals: bool,
        make_row: RowMaker,
        device: str,
    ):
        self.kept = kept
        self.candidates = candidates
        self.drawn = drawn
        self.dtw = dtw
        self.with_intervals = with_intervals
        self.make_row = make_row
        self.device = device

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.kept.taps)

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        tokens = np.flatnonzero(self.kept.seen & ~self.kept.past_any)
        which = self.drawn[tokens]
        label, speaker = self.candidates.label[which], self.candidates.speaker[which]
        for position, tap in enumerate(self.kept.taps):
            try:
                self._check(label, speaker)
                pairs = RankedPairs(self._distances(position, tokens), label, speaker)
                yield [self.make_row.row(tap, MEASURE, SCORE, headline=True, **self._fields(pairs, speaker))]
            except Refused as refused:
                yield self.make_row.refuse(tap, MEASURE, [SCORE], SCORE, refused.reason)

    def _distances(self, position: int, tokens: np.ndarray) -> np.ndarray:
        """(n, n)."""
        frames, count = self.kept.of(position, tokens)
        if self.dtw:
            every = np.arange(len(tokens))
            discrete = bool(self.kept.taps[position].codes)
            sequences = TokenFrames.of(frames, count, discrete=discrete, device=self.device)
            return next(distances(sequences, [(every, every)]))
        means = frames.astype(np.float64)
        norm = np.linalg.norm(means, axis=1, keepdims=True)
        unit = means / np.where(norm == 0, 1, norm)
        return 1 - unit @ unit.T

    def _fields(self, pairs: RankedPairs, speaker: np.ndarray) -> dict[str, Any]:
        """What the row of one tap says."""
        value, positives = pairs.average_precision, pairs.positives
        fields: dict[str, Any] = {"value": value, "n": len(pairs), "chance": positives / len(pairs)}
        if positives < FEW_POSITIVES:
            fields["grey"] = f"limited by data: {positives} pairs of the same word, {FEW_POSITIVES} wanted"
        if self.with_intervals:
            without = np.array(list(pairs.without_each(np.unique(speaker))))
            if len(without) > 1 and np.isfinite(without).all():
                fields |= interval_fields([intervals.jackknife(value, without)])
        return fields

    def _check(self, label: np.ndarray, speaker: np.ndarray) -> None:
        """Refuse what has no pairs."""
        if not self.candidates.found:
            raise Refused("this corpus has no word times; a corpus with aligned words is needed")
        if len(np.unique(speaker)) < 2:
            raise Refused("one speaker; two or more are needed to compare words across speakers")
        said = np.zeros((label.max() + 1, speaker.max() + 1), dtype=np.int64)
        np.add.at(said, (label, speaker), 1)
        positives = int(((said.sum(axis=1) ** 2 - (said**2).sum(axis=1)) // 2).sum())
        if positives < FEWEST_POSITIVES:
            raise Refused(
                f"{positives} pairs of the same word by different speakers, {FEWEST_POSITIVES} needed; more speech "
                "would help"
            )
