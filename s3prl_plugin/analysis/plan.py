"""What is decided from a corpus before its audio is heard: folds, and which utterances and segments are used.

A plan depends on the corpus, its options and the seed alone; batch sizes and the order of the pass cannot change it.
All analyses of a run share one plan, so that their numbers are about the same data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from s3prl_plugin.analysis import folds as folding
from s3prl_plugin.analysis.labels import MIN_FOLDS, MIN_TOKENS, eligible
from s3prl_plugin.analysis.sampling import spread, stream
from s3prl_plugin.analysis.segments import Alignment
from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.errors import UserError
from s3prl_plugin.taps import SAMPLE_RATE


@dataclass(frozen=True)
class Sample:
    """The segments of one measure, as rows.

    Attributes:
        name: says how it was drawn.
        alignment: where the segments come from.
        segment: (N,) positions in `alignment`, increasing.
        label: (N,) class numbers, 0 <= label < C.
        classes: (C,) names, sorted.
        fold: (N,) of the segment's utterance.
        speaker: (N,) numbers of the corpus's speakers, sorted by name.
        row: (all segments,) the row of a segment of `alignment`, -1 where it is not sampled.
        dropped: reason -> number of segments that were left out.
    """

    name: str
    alignment: Alignment
    segment: np.ndarray
    label: np.ndarray
    classes: tuple[str, ...]
    fold: np.ndarray
    speaker: np.ndarray
    row: np.ndarray
    dropped: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.segment)

    @property
    def unit(self) -> str:
        """ "phone" or "word"."""
        return self.alignment.unit

    def line(self) -> str:
        """One line on what is used and what is not."""
        text = f"{len(self)} segments of {len(self.classes)} classes"
        left = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items() if count)
        return f"{text}; not used: {left}" if left else text


class Plan:
    """Folds and samples of one corpus, for all analyses of a run.

    Args:
        corpus: what is analysed.
        seed: of the run.
        split_by: what folds keep apart; see `folds.assign`.
        shared_texts: what to do about texts that most speakers say; see `folds.assign`.

    Attributes:
        corpus, seed: as given.
        options: what decided the plan, by name; another analysis must not ask for something else.
        folds: of the corpus's utterances.
        seconds: (U,) of audio.

    Raises:
        UserError: the corpus is too small for three folds.
    """

    def __init__(self, corpus: Corpus, seed: int, split_by: str = "auto", shared_texts: str = "leave_out"):
        self.corpus = corpus
        self.seed = seed
        self.options: dict[str, object] = {"split_by": split_by, "shared_texts": shared_texts}
        try:
            self.folds = folding.assign(corpus.utterances, seed, split_by, shared_texts)
        except UserError as error:
            raise UserError(f"corpus {corpus.name}: {error}") from None
        self.seconds = np.array([u.duration_s for u in corpus.utterances])
        speakers = sorted(corpus.speakers)
        self._speaker = np.array([speakers.index(u.speaker) for u in corpus.utterances])
        self._alignments: dict[str, Alignment] = {}
        self._samples: dict[tuple[object, ...], Sample] = {}
        self._wanted: dict[str, np.ndarray] = {}
        self._needed = np.zeros(len(corpus.utterances), dtype=bool)

    def alignment(self, unit: str) -> Alignment:
        """All phones or all words of the corpus."""
        if unit not in self._alignments:
            self._alignments[unit] = Alignment.of(self.corpus.utterances, unit)
        return self._alignments[unit]

    def frame_utterances(self, limit: int | None) -> np.ndarray:
        """(U,) true for the utterances whose frames are used: all, or `limit` of them spread evenly over the folds."""
        chosen = np.zeros(len(self.corpus.utterances), dtype=bool)
        chosen[spread(self.folds.of_utterance, limit, stream(self.seed, "frames"))] = True
        self._needed |= chosen
        return chosen

    def fold_of_frames(self, utterance: int, stride: int, frames: int) -> np.ndarray:
        """(frames,) the fold of every frame of an utterance: they are held out together."""
        return np.full(frames, self.folds.of_utterance[utterance])

    def sample(self, unit: str, per_class: int | None, classes: int | None = None, halves: bool = False) -> Sample:
        """The segments of one measure.

        A class needs two tokens in each of three folds. Of a class with more tokens than wanted, some are drawn at
        random, as evenly over the folds as they allow.

        Args:
            unit: "phone" or "word"; silence is never a class.
            per_class: at most so many tokens of a class (None: all).
            classes: only the so many most frequent classes (None: all).
            halves: `per_class` counts for the training folds and for the scored folds separately; see `trains`.
        """
        key = (unit, per_class, classes, halves)
        if key not in self._samples:
            self._samples[key] = self._draw(unit, per_class, classes, halves)
            self._wanted.pop(unit, None)
        sample = self._samples[key]
        self._needed[sample.alignment.utterance[sample.segment]] = True
        return sample

    def trains(self, fold: np.ndarray) -> np.ndarray:
        """Whether a fold is of the first half, on which clusters are learned; the other half is scored."""
        return np.asarray(fold) < self.folds.count // 2

    def wanted(self, unit: str, utterance: int) -> np.ndarray:
        """The segments of one utterance that some sample has, as positions in the alignment."""
        if unit not in self._wanted:
            rows = [sample.row >= 0 for sample in self.samples if sample.unit == unit]
            self._wanted[unit] = np.any(rows, axis=0)
        start, stop = self.alignment(unit).offsets[utterance : utterance + 2]
        return start + np.flatnonzero(self._wanted[unit][start:stop])

    @cached_property
    def folds_id(self) -> str:
        """A short name of these folds of this corpus: runs that have it in common can be compared pair by pair."""
        return _digest([[u.name, u.speaker] for u in self.corpus.utterances], self.folds.of_utterance)

    @cached_property
    def content_id(self) -> str:
        """A short name of what is analysed: the utterances with their times and labels, and the folds."""
        parts: list[Any] = [self.folds_id, self.seconds, self.folds.left_out]
        for unit in ("phone", "word"):
            alignment = self.alignment(unit)
            parts += [list(alignment.labels), alignment.label, alignment.utterance, alignment.start, alignment.end]
        return _digest(*parts)

    @property
    def needed(self) -> np.ndarray:
        """Positions of the utterances that some measure asked for."""
        return np.flatnonzero(self._needed)

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Every sample that was drawn so far."""
        return tuple(self._samples.values())

    def summary(self) -> list[str]:
        """What a user should know before the pass, a line each."""
        corpus = self.corpus
        minutes = self.seconds.sum() / 60
        who = f"{len(corpus.utterances)} utterances of {len(corpus.speakers)} speakers, {minutes:.3g} minutes"
        return [f"{corpus.name} ({corpus.kind} speech): {who}", *corpus.notes, *self.folds.notes]

    def crowding(self, sample: Sample, strides: Iterable[int]) -> str:
        """How far every frame rate blurs the segments of a sample into their neighbours, in one line."""
        blur = {stride: sample.alignment.crowding(sample.segment, stride) for stride in sorted(set(strides))}

        def at_rates(which: int) -> str:
            return ", ".join(f"{100 * b[which]:.0f} % at {1000 * s / SAMPLE_RATE:g} ms" for s, b in blur.items())

        line = f"{sample.unit}s that share a frame with a neighbour: {at_rates(0)}"
        if sample.unit == "phone":
            line += f"; middle thirds that reach outside their phone: {at_rates(1)}"
        return line

    def _draw(self, unit: str, per_class: int | None, classes: int | None, halves: bool) -> Sample:
        alignment = self.alignment(unit)
        silence = np.isin(alignment.labels, sorted(self.corpus.silence)) if alignment.labels else np.zeros(0, bool)
        fold = self.folds.of_utterance[alignment.utterance]
        spoken = ~silence[alignment.label] & ~self.folds.left_out[alignment.utterance]
        kept = eligible(alignment.label[spoken], fold[spoken])
        if classes is not None:
            frequency = np.bincount(alignment.label[spoken], minlength=len(alignment.labels))
            kept = kept[np.argsort(-frequency[kept], kind="stable")][:classes]
        names = sorted(alignment.labels[c] for c in kept)
        candidates = np.flatnonzero(spoken & np.isin(alignment.label, kept))
        chosen = []
        for label in names:
            mine = candidates[alignment.label[candidates] == alignment.labels.index(label)]
            sides = self.trains(fold[mine]) if halves else np.ones(len(mine), dtype=bool)
            for side in np.unique(sides):
                part = mine[sides == side]
                chosen.append(part[spread(fold[part], per_class, stream(self.seed, unit, label, side))])
        segment = np.sort(np.concatenate([*chosen, np.zeros(0, dtype=np.int64)]))
        row = np.full(len(alignment), -1)
        row[segment] = np.arange(len(segment))
        number = {label: i for i, label in enumerate(names)}
        name = f"{unit} segments: {per_class or 'all'} of each of {classes or 'all'} classes{' per half' * halves}"
        return Sample(
            name=name,
            alignment=alignment,
            segment=segment,
            label=np.array([number[alignment.labels[c]] for c in alignment.label[segment]], dtype=np.int64),
            classes=tuple(names),
            fold=fold[segment],
            speaker=self._speaker[alignment.utterance[segment]],
            row=row,
            dropped={
                "silence": int(silence[alignment.label].sum()),
                "of shared texts": int((~silence[alignment.label] & ~spoken).sum()),
                f"of classes without {MIN_TOKENS} tokens in {MIN_FOLDS} folds, or less frequent": int(
                    spoken.sum() - len(candidates)
                ),
                "above the number wanted per class": len(candidates) - len(segment),
            },
        )


def _digest(*parts: Any) -> str:
    """Sixteen letters that stand for lists and arrays."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.tobytes() if isinstance(part, np.ndarray) else json.dumps(part).encode())
    return found.hexdigest()[:16]
