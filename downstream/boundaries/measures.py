"""boundary_phone and boundary_word: the rows of one unit.

Beside F1 and its relatives stand about the most that a frame rate allows (every reference moved to the nearest edge of
a frame) and, as chance, boundaries at random edges of frames, as many in each utterance as the tap's own.

The public layer-wise tool counts many to one, so that crowded boundaries are all right together (random ones at three
times the number of phones: F1 .640, one to one .463), and chooses how peaks are picked on the data that it scores;
numbers of it are higher.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from s3prl_plugin.analysis.chance import chance_fields
from s3prl_plugin.analysis.information.seeds import interval_fields
from s3prl_plugin.analysis.measure import Foretold
from s3prl_plugin.analysis.planning.sampling import stream
from s3prl_plugin.analysis.rows import RowMaker
from s3prl_plugin.downstream.boundaries.curves import Curves
from s3prl_plugin.downstream.boundaries.matching import TOLERANCE, Counts, chosen_elsewhere, matched
from s3prl_plugin.downstream.boundaries.peaks import DISTANCES, SETTINGS, WINDOWS, nearest_edges, peaks, ticks
from s3prl_plugin.inference import intervals
from s3prl_plugin.inference.refusal import Refused, Verdict
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import Tap
from s3prl_plugin.strides import Stride

SCORES = ("f1", "precision", "recall", "over_segmentation", "r_value")
HEADLINE, CEILING = "f1", "ceiling"
FEW_REFERENCES = 200
FEWEST_SPEAKERS = 3
TIMED = 4  # utterances by which the time of all is told

Found = dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]


class Boundaries:
    """The rows of all taps.

    Args:
        unit: "phone" or "word".
        curves: of the utterances that are scored.
        references: position in the corpus -> (R,) samples, sorted.
        length: position in the corpus -> samples of audio.
        speaker: (U,) numbers, of the corpus's utterances.
        fold: (U,) what is held out together; a speaker is in one.
        draws: of random boundaries, whose mean score is chance.
        with_intervals: delete-speaker jackknife.
        lacks: why the corpus has no such boundaries, if so.
        make_row: of the analysis.
    """

    def __init__(
        self,
        unit: str,
        curves: Curves,
        references: Mapping[int, np.ndarray],
        length: Mapping[int, int],
        speaker: np.ndarray,
        fold: np.ndarray,
        draws: int,
        with_intervals: bool,
        lacks: str | None,
        make_row: RowMaker,
    ):
        self.measure = f"boundary_{unit}"
        self.curves = curves
        self.references = references
        self.length = length
        self.speaker, self.fold = speaker, fold
        self.draws = draws
        self.with_intervals = with_intervals
        self.lacks = lacks
        self.make_row = make_row

    def __len__(self) -> int:
        """One list of rows per tap."""
        return len(self.curves.taps)

    @property
    def scoring_bytes(self) -> int:
        """See `Foretells`: time and prominence of peaks, at most one in two frames, by distance and window."""
        finest = min(float(tap.stride) for tap in self.curves.taps)
        return int(sum(self.length.values()) / finest / 2 * 16 * len(DISTANCES) * len(WINDOWS))

    def foretell(self) -> Foretold:
        """See `Foretells`."""
        heard = [p for p, references in self.references.items() if len(references)]
        count = sum(len(self.references[p]) for p in heard)
        refused = self.lacks or self._lacks_speakers(heard)
        verdict = Verdict(refused=refused) if refused else Verdict(grey=_few(count))
        says = f"{count} boundaries in {len(heard)} utterances"
        return Foretold(self.measure, says, count, verdict, 0.0 if refused else self._seconds(heard))

    def _seconds(self, heard: list[int]) -> float:
        """Processor seconds of a tap on this machine, from the peaks of noise in some utterances."""
        timed, stride = heard[:: -(-len(heard) // TIMED)], self.curves.taps[0].stride
        draw = np.random.default_rng(0)
        noise = {p: draw.random((len(DISTANCES), int(self.length[p] / stride)), dtype=np.float32) for p in timed}
        begin = time.process_time()
        found = {p: self._peaks(noise[p], p, stride) for p in timed}
        self._table(timed, np.unique(self.speaker[timed]), found, stride)
        return (time.process_time() - begin) * len(heard) / len(timed)

    def _lacks_speakers(self, heard: list[int]) -> str | None:
        """Why speakers are too few, if so."""
        speakers = len(np.unique(self.speaker[heard]))
        if speakers >= FEWEST_SPEAKERS:
            return None
        return (
            f"{speakers} speakers, {FEWEST_SPEAKERS} needed: how peaks are picked is chosen on others than those that "
            "are scored"
        )

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap after the other."""
        for position, tap in enumerate(self.curves.taps):
            try:
                if self.lacks:
                    raise Refused(self.lacks)
                yield self._rows(position, tap)
            except Refused as refused:
                yield self.make_row.refuse(tap, self.measure, (*SCORES, CEILING), HEADLINE, refused.reason)

    def _rows(self, position: int, tap: Tap) -> list[Row]:
        heard = [p for p in sorted(self.curves.curves) if len(self.references[p])]
        speakers = np.unique(self.speaker[heard])
        if lacks := self._lacks_speakers(heard):
            raise Refused(lacks)
        fold = np.array([self.fold[self.speaker == who][0] for who in speakers])
        found = {p: self._peaks(self.curves.curves[p][position], p, tap.stride) for p in heard}
        table = self._table(heard, speakers, found, tap.stride)
        counts, setting = chosen_elsewhere(table, fold)
        without = []
        if self.with_intervals:
            for who in range(len(speakers)):
                kept = np.arange(len(speakers)) != who
                without.append(chosen_elsewhere(table[:, kept], fold[kept])[0])
        by_chance = self._by_chance(position, heard, speakers, found, setting, tap.stride)
        n = int(counts.references)
        fields: dict[str, Any] = {"n": n, "grey": _few(n)}
        made = []
        for score in SCORES:
            told = {**fields, "headline": score == HEADLINE}
            try:
                value = _of(counts, score)
                if by_chance:
                    told |= chance_fields([_of(each, score) for each in by_chance])
                if len(without) > 1:
                    told |= interval_fields([intervals.jackknife(value, [_of(each, score) for each in without])])
                made.append(self.make_row.row(tap, self.measure, score, value=value, **told))
            except Refused as refused:
                made.append(self.make_row.row(tap, self.measure, score, refused=refused.reason, **fields))
        ceiling = self._ceiling(heard, tap.stride)
        return [*made, self.make_row.row(tap, self.measure, CEILING, value=ceiling, n=n)]

    def _peaks(self, curves: np.ndarray, utterance: int, stride: Stride) -> Found:
        """All peaks of one utterance's curves, (2, T - 1), inside its ends, by distance and window."""
        found: Found = {}
        clock = ticks(stride)
        for distance in range(len(DISTANCES)):
            for window in WINDOWS:
                moments, prominences = peaks(curves[distance], window, stride)
                inside = _inside(moments, self.length[utterance] * clock, TOLERANCE * clock)
                found[distance, window] = moments[inside], prominences[inside]
        return found

    def _table(self, heard: list[int], speakers: np.ndarray, found: Mapping[int, Found], stride: Stride) -> np.ndarray:
        """(S, U, 3): matched, references and hypotheses of every setting and speaker."""
        table = np.zeros((len(SETTINGS), len(speakers), 3))
        clock = ticks(stride)
        for p in heard:
            who = int(np.searchsorted(speakers, self.speaker[p]))
            references = (self.references[p] * clock).tolist()
            for number, (distance, window, prominence) in enumerate(SETTINGS):
                moments, prominences = found[p][distance, window]
                hypotheses = moments[prominences >= prominence].tolist()
                right = matched(references, hypotheses, TOLERANCE * clock)
                table[number, who] += right, len(references), len(hypotheses)
        return table

    def _by_chance(
        self,
        position: int,
        heard: list[int],
        speakers: np.ndarray,
        found: Mapping[int, Found],
        setting: np.ndarray,
        stride: Stride,
    ) -> list[Counts]:
        """Random edges of frames, as many in each utterance as were found there."""
        draw = stream(self.make_row.seed, self.measure, "random boundaries")
        clock, drawn = ticks(stride), np.zeros((self.draws, 3))
        for p in heard:
            distance, window, prominence = SETTINGS[setting[np.searchsorted(speakers, self.speaker[p])]]
            count = int((found[p][distance, window][1] >= prominence).sum())
            frames = self.curves.curves[p][position].shape[1]
            edges = (np.arange(frames) + 1) * 2 * stride.numerator
            edges = edges[_inside(edges, self.length[p] * clock, TOLERANCE * clock)]
            references = (self.references[p] * clock).tolist()
            for number in range(self.draws):
                hypotheses = np.sort(draw.choice(edges, min(count, len(edges)), replace=False)).tolist()
                right = matched(references, hypotheses, TOLERANCE * clock)
                drawn[number] += right, len(references), len(hypotheses)
        return [Counts(*each) for each in drawn.tolist() if each[2]]

    def _ceiling(self, heard: list[int], stride: Stride) -> float:
        """F1 of the references, each moved to the nearest edge of a frame."""
        clock, sums = ticks(stride), np.zeros(3)
        for p in heard:
            edges = nearest_edges(self.references[p], stride).tolist()
            references = (self.references[p] * clock).tolist()
            sums += matched(references, edges, TOLERANCE * clock), len(references), len(edges)
        return Counts(*sums.tolist()).f1


def _few(references: int) -> str | None:
    """Why so many boundaries barely support a number."""
    few = f"limited by data: {references} boundaries, {FEW_REFERENCES} wanted; more speech would help"
    return few if references < FEW_REFERENCES else None


def inner(edges: np.ndarray, length: int) -> np.ndarray:
    """The edges of segments that are boundaries: each once, none within 20 ms of an end of the utterance.

    Args:
        edges: (E,) samples.
        length: of the utterance, in samples.
    """
    edges = np.unique(edges)
    return edges[_inside(edges, length, TOLERANCE)]


def _inside(moments: np.ndarray, length: int, margin: int) -> np.ndarray:
    return (moments > margin) & (moments < length - margin)


def _of(counts: Counts, score: str) -> float:
    value: float = getattr(counts, score)
    return value
