"""Utterances with audio, speaker, phones and words; what every reader returns."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from s3prl_plugin.corpora.skips import Skips


@dataclass(frozen=True, slots=True)
class Segment:
    """A labelled stretch of an utterance, `start_s` <= t < `end_s`, in seconds from its start."""

    label: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", sys.intern(self.label))  # a corpus has millions of segments, and few labels


@dataclass(frozen=True, slots=True)
class Utterance:
    """One utterance; its audio stays on disk until `corpora.audio.read` loads it.

    Attributes:
        name: unique within the corpus.
        speaker: who speaks.
        audio: the file.
        duration_s: of the audio after resampling to 16 kHz.
        phones, words: in time order; empty where the corpus has no alignment.
        sentence: utterances that say the same text share it; None where unknown.
        channel: which channel of the file is meant, counted from 0; None for a mono file.
        session: utterances that a speaker recorded on one occasion share it (a chapter, a video); None where unknown.
            It names a session among the speaker's own: two speakers may use the same name.
        start_s: where in the file the utterance begins, of a file that holds more; None where it is the whole file.
    """

    name: str
    speaker: str
    audio: Path
    duration_s: float
    phones: tuple[Segment, ...] = ()
    words: tuple[Segment, ...] = ()
    sentence: str | None = None
    channel: int | None = None
    session: str | None = None
    start_s: float | None = None


@dataclass(frozen=True)
class Corpus:
    """A set of utterances that can be analysed.

    Attributes:
        name: shown in tables and rows.
        kind: "real" or "generated"; a number from generated speech is never a finding about speech.
        utterances: sorted by name.
        silence: phone labels that are not speech (never a class of a phone measure).
        skipped: reason -> names of utterances that were left out for it; shown at the end of a run.
        notes: lines a user should read once (resampled files, folded labels).
        no_words: labels of silence and noise among the words -> how many were left out.
        versions: of the package whose reader read it, where it is another one; see `registry.origin`.
    """

    name: str
    kind: str
    utterances: tuple[Utterance, ...]
    silence: frozenset[str] = frozenset()
    skipped: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    no_words: dict[str, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def speakers(self) -> Counter[str]:
        """Utterances per speaker."""
        return Counter(u.speaker for u in self.utterances)

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return sum(u.duration_s for u in self.utterances)

    def without(self, skipped: Mapping[str, Iterable[str]]) -> Corpus:
        """The same corpus less the utterances that a run had to leave out, which it counts among `skipped`.

        Args:
            skipped: reason -> names, such as a `Skips` that collected what went wrong while audio was loaded.
        """
        merged = Skips(self.skipped)
        merged.merge(skipped)
        gone = {name for names in skipped.values() for name in names}
        return replace(
            self,
            utterances=tuple(u for u in self.utterances if u.name not in gone),
            skipped={reason: tuple(names) for reason, names in merged.as_dict().items()},
        )
