"""awd_word: are tokens of the same word, said by different speakers, nearer to each other than those of other words?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from s3prl_plugin.analysis.information.seeds import interval_fields
from s3prl_plugin.analysis.measure import Foretold
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.analysis.tokens.distances import TokenFrames, distances, working_bytes
from s3prl_plugin.analysis.tokens.drawing import Candidates
from s3prl_plugin.analysis.tokens.kept import KeptTokens
from s3prl_plugin.downstream.words.average_precision import RankedPairs
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused, Verdict
from s3prl_plugin.results import Row

MEASURE, SCORE = "awd_word", "average_precision"
FEWEST_POSITIVES, FEW_POSITIVES = 20, 200
PAIR_BYTES = 56  # of a pair of tokens, in either direction: its distance, rank, speakers and label
TIMED = 400  # tokens by which the time of all is told


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

    @property
    def scoring_bytes(self) -> int:
        """See `Foretells`."""
        tokens, dim = len(self.drawn), max(tap.dim for tap in self.kept.taps)
        counts = [self.kept.count[tap.stride] for tap in self.kept.taps] if self.dtw else [np.ones(tokens)]
        return PAIR_BYTES * tokens**2 + max(working_bytes(count, dim) for count in counts)

    def foretell(self) -> Foretold:
        """See `Foretells`."""
        label, speaker = self.candidates.label[self.drawn], self.candidates.speaker[self.drawn]
        verdict, positives = Verdict(), 0
        try:
            positives = self._check(label, speaker)
            verdict = Verdict(grey=self._grey(positives))
        except Refused as refused:
            verdict = Verdict(refused=refused.reason)
        says = f"{positives} pairs of the same word, of {len(label)} tokens"
        return Foretold(MEASURE, says, positives, verdict, 0.0 if verdict.refused else self._seconds(label, speaker))

    def _seconds(self, label: np.ndarray, speaker: np.ndarray) -> float:
        """Processor seconds of a tap on this machine, from some tokens, of noise."""
        timed, tap = slice(None, None, -(-len(label) // TIMED)), self.kept.taps[0]
        count = self.kept.count[tap.stride][timed] if self.dtw else np.ones(len(label[timed]), dtype=np.int64)
        frames = np.random.default_rng(0).standard_normal((int(count.sum()), tap.dim), dtype=np.float32)
        begin = time.process_time()
        self._fields(RankedPairs(self._between(frames, count, False), label[timed], speaker[timed]), speaker)
        return (time.process_time() - begin) * (len(label) / len(count)) ** 2

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
        return self._between(*self.kept.of(position, tokens), bool(self.kept.taps[position].codes))

    def _between(self, frames: np.ndarray, count: np.ndarray, discrete: bool) -> np.ndarray:
        """(n, n) of the frames, or means, of n tokens."""
        if self.dtw:
            every = np.arange(len(count))
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
        fields["grey"] = self._grey(positives)
        if self.with_intervals:
            without = np.array(list(pairs.without_each(np.unique(speaker))))
            if len(without) > 1 and np.isfinite(without).all():
                fields |= interval_fields([intervals.jackknife(value, without)])
        return fields

    @staticmethod
    def _grey(positives: int) -> str | None:
        """Why so many pairs barely support a number."""
        few = f"limited by data: {positives} pairs of the same word, {FEW_POSITIVES} wanted"
        return few if positives < FEW_POSITIVES else None

    def _check(self, label: np.ndarray, speaker: np.ndarray) -> int:
        """How many pairs of the same word there are; too few are refused."""
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
        return positives
