"""What is decided from a corpus before its audio is heard: folds, and which utterances and segments are used.

A plan depends on the corpus, its options and the seed alone; batch sizes and the order of the pass cannot change it.
All analyses of a run share one plan, so that their numbers are about the same data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from s3prl_plugin.analysis.planning import folds as folding
from s3prl_plugin.analysis.planning import sessions
from s3prl_plugin.analysis.planning.sample import Drawing, Sample, Wanted
from s3prl_plugin.analysis.planning.sampling import spread, stream
from s3prl_plugin.analysis.planning.segments import WHOLE_FRAMES, Alignment
from s3prl_plugin.corpora import fingerprint
from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.corpora.fingerprint import Fingerprint
from s3prl_plugin.errors import UserError
from s3prl_plugin.strides import Stride, ms_text


class Plan:
    """Folds and samples of one corpus, for all analyses of a run.

    Args:
        corpus: what is analysed.
        seed: of the run.
        split_by: what folds keep apart; see `folds.assign`.
        shared_texts: what to do about texts that most speakers say; see `folds.assign`.
        known: fingerprints of the audio from an earlier time, which spare reading it again; see `fingerprint`.

    Attributes:
        corpus, seed, known: as given.
        options: what decided the plan, by name; another analysis must not ask for something else.
        folds: of the corpus's utterances.
        seconds: (U,) of audio.

    Raises:
        UserError: the corpus is too small for three folds.
    """

    def __init__(
        self,
        corpus: Corpus,
        seed: int,
        split_by: str = "auto",
        shared_texts: str = "leave_out",
        known: Mapping[str, Fingerprint] | None = None,
    ):
        self.corpus = corpus
        self.seed = seed
        self.known = dict(known or {})
        self.options: dict[str, object] = {"split_by": split_by, "shared_texts": shared_texts}
        try:
            self.folds = folding.assign(corpus.utterances, seed, split_by, shared_texts)
        except UserError as error:
            raise UserError(f"corpus {corpus.name}: {error}") from None
        self.seconds = np.array([u.duration_s for u in corpus.utterances])
        speakers = sorted(corpus.speakers)
        self._speaker = np.array([speakers.index(u.speaker) for u in corpus.utterances])
        self._session = sessions.session_numbers(corpus.utterances)
        self._alignments: dict[str, Alignment] = {}
        self._samples: dict[Wanted, Sample] = {}
        self._wanted: dict[str, np.ndarray] = {}
        self._needed = np.zeros(len(corpus.utterances), dtype=bool)

    def alignment(self, unit: str) -> Alignment:
        """All phones, all words, or all utterances ("speaker") of the corpus."""
        if unit not in self._alignments:
            self._alignments[unit] = Alignment.of(self.corpus.utterances, unit, self.corpus.silence)
        return self._alignments[unit]

    def forget_segments(self) -> None:
        """Let go of the corpus's phones and words as objects, of which the alignments hold all in far less memory."""
        for unit in ("phone", "word", "speaker"):
            self.alignment(unit)
        bare = tuple(replace(utterance, phones=(), words=()) for utterance in self.corpus.utterances)
        self.corpus = replace(self.corpus, utterances=bare)

    def frame_utterances(self, limit: int | None) -> np.ndarray:
        """(U,) true for the utterances whose frames are used: all, or `limit` of them spread evenly over the folds."""
        chosen = np.zeros(len(self.corpus.utterances), dtype=bool)
        chosen[spread(self.folds.of_utterance, limit, stream(self.seed, "frames"))] = True
        self.need(chosen)
        return chosen

    def need(self, utterances: np.ndarray) -> None:
        """Have the pass hear these utterances, (U,) true or as positions."""
        self._needed[utterances] = True

    def fold_of_frames(self, utterance: int, stride: Stride, frames: int) -> np.ndarray:
        """(frames,) the fold of every frame of an utterance: they are held out together."""
        return np.full(frames, self.folds.of_utterance[utterance])

    def sample(self, unit: str, per_class: int | None, classes: int | None = None, halves: bool = False) -> Sample:
        """The segments of one measure; see `sample.Wanted` and `sample.Drawing.draw`."""
        wanted = Wanted(unit, per_class, classes, halves)
        if wanted not in self._samples:
            self._samples[wanted] = self._drawing(unit).draw(wanted)
            self._wanted.pop(unit, None)
        sample = self._samples[wanted]
        self._needed[sample.alignment.utterance[sample.segment]] = True
        return sample

    def trains(self, fold: np.ndarray) -> np.ndarray:
        """Whether a fold is of the half on which clusters are learned; see `Folds.trains`."""
        return self.folds.trains(fold)

    def wanted(self, unit: str, utterance: int) -> np.ndarray:
        """The segments of one utterance that some sample has, as positions in the alignment."""
        if unit not in self._wanted:
            rows = [sample.row >= 0 for sample in self.samples if sample.unit == unit]
            self._wanted[unit] = np.any(rows, axis=0)
        start, stop = self.alignment(unit).offsets[utterance : utterance + 2]
        return start + np.flatnonzero(self._wanted[unit][start:stop])

    @property
    def speaker_of_utterance(self) -> np.ndarray:
        """(U,) numbers of the corpus's speakers, sorted by name."""
        return self._speaker

    @cached_property
    def folds_id(self) -> str:
        """A short name of these folds of this corpus: runs that have it in common can be compared pair by pair."""
        return _digest(self.audio_id, self.folds.of_utterance)

    @cached_property
    def fingerprints(self) -> dict[str, Fingerprint]:
        """What tells the audio of every utterance from other audio."""
        return fingerprint.of_utterances(self.corpus.utterances, self.known)

    @cached_property
    def audio_id(self) -> str:
        """A short name of who says what in which audio, the same for a copy of the corpus."""
        return fingerprint.digest(self.corpus.utterances, self.fingerprints)

    @cached_property
    def session_folds(self) -> folding.Folds:
        """The folds of measures whose label is the speaker: sessions apart, speakers in all of them."""
        return sessions.assign(self.corpus.utterances, self.seed, str(self.options["shared_texts"]))

    @cached_property
    def content_id(self) -> str:
        """A short name of what is analysed: the utterances with their times and labels, and the folds."""
        parts: list[Any] = [self.folds_id, self.seconds, self.folds.left_out, self._session]
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
        repeated = fingerprint.repeated(corpus.utterances, self.fingerprints)
        notes = [*corpus.notes, *([repeated] if repeated else []), *self.folds.notes]
        return [f"{corpus.name} ({corpus.kind} speech): {who}", *notes]

    def crowding(self, sample: Sample, strides: Iterable[Stride], weights: str = WHOLE_FRAMES) -> str:
        """How far every frame rate blurs the segments of a sample into their neighbours, in one line."""
        strides = sorted(set(strides))
        blur = {stride: sample.alignment.crowding(sample.segment, stride, weights) for stride in strides}

        def at_rates(which: int) -> str:
            return ", ".join(f"{100 * b[which]:.0f} % at {ms_text(s)} ms" for s, b in blur.items())

        line = f"{sample.unit}s that share a frame with a neighbour: {at_rates(0)}"
        if sample.unit == "phone":
            line += f"; middle thirds that reach outside their phone: {at_rates(1)}"
        return line

    def _drawing(self, unit: str) -> Drawing:
        """What draws the samples of a kind of segment."""
        by_session = unit == "speaker"
        folds = self.session_folds if by_session else self.folds
        fields = {
            "folds": folds.count,
            "split_by": folds.split_by,
            "folds_id": _digest(self.audio_id, folds.of_utterance),
        }
        return Drawing(
            alignment=self.alignment(unit),
            silence=self.corpus.silence if unit == "phone" else (),
            folds=folds,
            row_fields=fields if by_session else {},
            speaker=self._speaker,
            session=self._session,
            seed=self.seed,
        )


def _digest(*parts: Any) -> str:
    """Sixteen letters that stand for lists and arrays."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.tobytes() if isinstance(part, np.ndarray) else json.dumps(part).encode())
    return found.hexdigest()[:16]
