"""Which segments a measure is computed from: drawn before the pass, from alignments, folds and the seed alone."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from s3prl_plugin.analysis.planning.folds import Folds
from s3prl_plugin.analysis.planning.labels import MIN_FOLDS, MIN_TOKENS, eligible
from s3prl_plugin.analysis.planning.sampling import spread, stream
from s3prl_plugin.analysis.planning.segments import Alignment

MIN_SCORED_SESSIONS = (
    2  # of a speaker: an interval leaves out every session in turn, and no speaker may be lost with it
)


@dataclass(frozen=True)
class Wanted:
    """What a measure asks for.

    Attributes:
        unit: "phone", "word" or "speaker"; silence is never a class.
        per_class: at most so many tokens of a class (None: all).
        classes: only the so many most frequent classes (None: all).
        halves: `per_class` counts for the training folds and for the scored folds separately; see `Folds.trains`.
    """

    unit: str
    per_class: int | None
    classes: int | None = None
    halves: bool = False

    @property
    def name(self) -> str:
        """Says all of it."""
        half = " per half" if self.halves else ""
        return f"{self.unit} segments: {self.per_class or 'all'} of each of {self.classes or 'all'} classes{half}"


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
        trains: (N,) whether it lies in the half of the folds on which clusters are learned; the others are scored.
        speaker: (N,) numbers of the corpus's speakers, sorted by name.
        session: (N,) numbers of the corpus's sessions; see `sessions.session_numbers`.
        row: (all segments,) the row of a segment of `alignment`, -1 where it is not sampled.
        row_fields: what results rows say of its folds, where these are not the plan's.
        dropped: reason -> number of segments that were left out.
        halves: one half is learned from, and the other one scored.
    """

    name: str
    alignment: Alignment
    segment: np.ndarray
    label: np.ndarray
    classes: tuple[str, ...]
    fold: np.ndarray
    trains: np.ndarray
    speaker: np.ndarray
    session: np.ndarray
    row: np.ndarray
    row_fields: dict[str, Any] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    halves: bool = False

    def __len__(self) -> int:
        """The number of rows."""
        return len(self.segment)

    @property
    def learned(self) -> int:
        """The number of rows in the training half."""
        return int(self.trains.sum())

    @property
    def unit(self) -> str:
        """ "phone", "word" or "speaker"."""
        return self.alignment.unit

    def line(self) -> str:
        """One line on what is used and what is not."""
        what = ("utterances", "speakers") if self.unit == "speaker" else ("segments", "classes")
        text = f"{len(self)} {what[0]} of {len(self.classes)} {what[1]}"
        if self.halves:
            text += f", {self.learned} to learn from and {len(self) - self.learned} to score"
        left = ", ".join(f"{count} {reason}" for reason, count in self.dropped.items() if count)
        return f"{text}; not used: {left}" if left else text


@dataclass(frozen=True)
class Drawing:
    """Draws samples of one kind of segment.

    Attributes:
        alignment: all segments.
        silence: labels that are no class.
        folds: of the utterances.
        row_fields: see `Sample`.
        speaker, session: (U,) numbers, of the utterances.
        seed: of the run.
    """

    alignment: Alignment
    silence: Collection[str]
    folds: Folds
    row_fields: dict[str, Any]
    speaker: np.ndarray
    session: np.ndarray
    seed: int

    def draw(self, wanted: Wanted) -> Sample:
        """The segments of one measure.

        A class needs two tokens in each of three folds; a speaker whose clusters are scored also a session to learn
        from and two to be scored on. Of a class with more tokens than wanted, some are drawn at random, as evenly over
        the folds as they allow.

        Args:
            wanted: what is asked for.
        """
        alignment, fold = self.alignment, self.folds.of_utterance[self.alignment.utterance]
        silence = np.isin(np.array(alignment.labels, dtype=str), sorted(self.silence))
        spoken = ~silence[alignment.label] & ~self.folds.left_out[alignment.utterance]
        kept = self._kept(wanted, spoken, fold)
        candidates = np.flatnonzero(spoken & np.isin(alignment.label, kept))
        names = sorted(alignment.labels[c] for c in kept)
        segment = self._chosen(wanted, names, candidates, fold)
        row = np.full(len(alignment), -1)
        row[segment] = np.arange(len(segment))
        number = {label: i for i, label in enumerate(names)}
        utterance = alignment.utterance[segment]
        return Sample(
            name=wanted.name,
            alignment=alignment,
            segment=segment,
            label=np.array([number[alignment.labels[c]] for c in alignment.label[segment]], dtype=np.int64),
            classes=tuple(names),
            fold=fold[segment],
            trains=self.folds.trains(fold[segment]),
            speaker=self.speaker[utterance],
            session=self.session[utterance],
            row=row,
            row_fields=self.row_fields,
            halves=wanted.halves,
            dropped={
                "silence": int(silence[alignment.label].sum()),
                self._why_left_out: int((~silence[alignment.label] & ~spoken).sum()),
                self._why_not_eligible(wanted): int(spoken.sum() - len(candidates)),
                f"above the number wanted per {self._class}": len(candidates) - len(segment),
            },
        )

    def _kept(self, wanted: Wanted, spoken: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """The classes that are used, as positions in the alignment's labels; the most frequent first."""
        label = self.alignment.label[spoken]
        kept = eligible(label, fold[spoken])
        if wanted.unit == "speaker" and wanted.halves:
            session = self.session[self.alignment.utterance[spoken]]
            trains = self.folds.trains(fold[spoken])
            sessions = [_sessions_per_class(label[half], session[half], kept) for half in (trains, ~trains)]
            kept = kept[(sessions[0] >= 1) & (sessions[1] >= MIN_SCORED_SESSIONS)]
        if wanted.classes is not None:
            frequency = np.bincount(label, minlength=len(self.alignment.labels))
            kept = kept[np.argsort(-frequency[kept], kind="stable")][: wanted.classes]
        return kept

    def _chosen(self, wanted: Wanted, names: list[str], candidates: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Positions of the segments that are drawn, increasing."""
        chosen = [np.zeros(0, dtype=np.int64)]
        number = {label: i for i, label in enumerate(self.alignment.labels)}
        for label in names:
            mine = candidates[self.alignment.label[candidates] == number[label]]
            sides = self.folds.trains(fold[mine]) if wanted.halves else np.ones(len(mine), dtype=bool)
            for side in np.unique(sides):
                part = mine[sides == side]
                draw = stream(self.seed, wanted.unit, label, side)
                chosen.append(part[spread(fold[part], wanted.per_class, draw)])
        return np.sort(np.concatenate(chosen))

    @property
    def _class(self) -> str:
        return "speaker" if self.alignment.unit == "speaker" else "class"

    @property
    def _why_left_out(self) -> str:
        return "of texts said in several sessions" if self._class == "speaker" else "of shared texts"

    def _why_not_eligible(self, wanted: Wanted) -> str:
        if self._class == "class":
            return f"of classes without {MIN_TOKENS} tokens in {MIN_FOLDS} folds, or less frequent"
        sessions = f" and {MIN_SCORED_SESSIONS} sessions to score" if wanted.halves else ""
        return f"of speakers without {MIN_TOKENS} utterances in {MIN_FOLDS} folds{sessions}, or with fewer"


def _sessions_per_class(label: np.ndarray, session: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """(C,) how many sessions every one of some classes has."""
    pairs = np.unique(np.stack([label, session]), axis=1)
    return np.array([(pairs[0] == c).sum() for c in classes], dtype=np.int64)
