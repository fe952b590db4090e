"""Gathers the utterances that a reader finds: checks each, counts what it leaves out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Corpus, Segment, Utterance
from s3prl_plugin.corpora.folders import APPLE_DOUBLE
from s3prl_plugin.corpora.readers.alignment import BadAlignment, checked, earlier, from_zero
from s3prl_plugin.corpora.readers.labels import Found, Labels
from s3prl_plugin.corpora.readers.phone_sets import Folding
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE


class Collector:
    """One corpus in the making.

    Only headers are read: NaN samples and files that are cut off show when audio is loaded, and a run adds them with
    `Corpus.without`.

    Args:
        source: where the corpus lies, for messages.
        labels: the options on labels.
        channel: which channel of its audio is meant; None where all of it is mono.

    Raises:
        UserError: that is no channel.
    """

    def __init__(self, source: Path, labels: Labels, channel: int | None = None):
        if not (channel is None or (isinstance(channel, int) and channel >= 0)):
            raise UserError(f"channel={channel!r}: give a number from 0")
        self.source = source
        self._found = Found(labels)
        self.skips = Skips()
        self._channel = channel
        self._utterances: dict[str, Utterance] = {}
        self._resampled: Counter[int] = Counter()
        self._noted: Counter[str] = Counter()
        self._moved = 0
        self._latest: tuple[Path, int | None, audio.AudioInfo] | None = None
        self._first_fault: str | None = None

    def add(
        self,
        name: str,
        speaker: str,
        path: Path,
        phones: Iterable[Segment] = (),
        words: Iterable[Segment] = (),
        sentence: str | None = None,
        session: str | None = None,
        span: tuple[float, float] | None = None,
        stretch: tuple[float, float] | None = None,
        channel: int | None = None,
    ) -> None:
        """Take one utterance, or count it as skipped when its audio is bad.

        Args:
            name, speaker, path, sentence, session: see `Utterance`.
            phones, words: as labelled, with marks of silence; they are checked when all labels are known.
            span: from when to when a file says that its labels are, in seconds; see `alignment.from_zero`.
            stretch: from when to when the utterance is in its file, in seconds; the labels' times are the file's.
            channel: that is meant, where it is this utterance's own.

        Raises:
            UserError: an utterance of that name is there already.
        """
        if path.name.startswith(APPLE_DOUBLE):
            return
        if name in self._utterances:
            there = self._utterances[name].audio
            if os.path.realpath(there) == os.path.realpath(path):  # found by a link once more
                return
            raise UserError(f"{self.source}: two utterances are called {name!r} ({there}, {path}); rename one")
        channel = self._channel if channel is None else channel
        try:
            header = self._header(path, channel)
            start_s, duration_s = audio.checked_stretch(path, header, stretch)
        except audio.BadAudio as bad:
            self._skip(name, bad.reason, str(bad))
            return
        moved_s = from_zero(span, header.duration_s)
        self._moved += moved_s != 0
        if start_s is not None:
            moved_s = start_s
        self._utterances[name] = Utterance(
            name=name,
            speaker=speaker,
            audio=path,
            duration_s=duration_s,
            phones=tuple(self._found.take("phone", earlier(phones, moved_s))),
            words=tuple(self._found.take("word", earlier(words, moved_s))),
            sentence=sentence,
            channel=channel,
            session=session,
            start_s=start_s,
        )

    def skip(self, name: str, reason: str, where: Path | None = None) -> None:
        """Count an utterance as skipped.

        Args:
            name: of the utterance.
            reason: short and the same for all utterances with this fault.
            where: the file that is at fault.
        """
        self._skip(name, reason, f"{where}: {reason}" if where else reason)

    def corpus(self, name: str, kind: str, notes: Iterable[str] = (), phones_from: Path | None = None) -> Corpus:
        """The corpus of all that was taken.

        Args:
            name, kind: see `Corpus`.
            notes: of the reader.
            phones_from: the file of the phones, for messages; by default the corpus's folder.

        Raises:
            UserError: nothing was taken, or the phones are not of the set that is wanted.
        """
        folding = self._found.folding(phones_from or self.source)
        utterances = [u for key in sorted(self._utterances) if (u := self._checked(self._utterances[key], folding))]
        if not utterances:
            raise UserError(self._why_empty())
        noted = [f"{n} files {note}" for note, n in sorted(self._noted.items())]
        rates = [f"{n} files resampled from {rate} Hz to 16 kHz" for rate, n in sorted(self._resampled.items())]
        moved = [f"the labels of {self._moved} utterances do not begin at 0, and were moved"] if self._moved else []
        return Corpus(
            name=name,
            kind=kind,
            utterances=tuple(utterances),
            silence=folding.silence,
            skipped={reason: tuple(names) for reason, names in self.skips.as_dict().items()},
            notes=(*notes, *folding.notes, *moved, *self._found.notes(folding.silence), *noted, *rates),
            no_words=self._found.no_words,
        )

    def _header(self, path: Path, channel: int | None) -> audio.AudioInfo:
        """A file's header, read once for all utterances in a row that are stretches of it."""
        if self._latest is not None and self._latest[:2] == (path, channel):
            return self._latest[2]
        header = audio.info(path, channel)
        self._latest = (path, channel, header)
        if header.sample_rate != SAMPLE_RATE:
            self._resampled[header.sample_rate] += 1
        if header.note:
            self._noted[header.note] += 1
        return header

    def _checked(self, utterance: Utterance, folding: Folding) -> Utterance | None:
        """An utterance with its phones and words as they are analysed; None, and counted, where they are bad."""
        duration = utterance.duration_s
        try:
            phones = checked(folding.of(utterance.phones), duration, may_overlap=False, silence=folding.silence)
            words = checked(self._found.words(utterance.words), duration, may_overlap=True)
        except BadAlignment as bad:
            self._skip(utterance.name, bad.reason, str(bad))
            return None
        return replace(utterance, phones=phones, words=words)

    def _skip(self, name: str, reason: str, fault: str) -> None:
        self.skips.add(reason, name)
        self._first_fault = self._first_fault or f"{name}: {fault}"

    def _why_empty(self) -> str:
        """The error message of a corpus without utterances."""
        if not self.skips:
            return f"{self.source}: the corpus is empty; give a folder that holds utterances"
        first = self._first_fault or f"{min(self.skips)}"
        return f"{self.source}: none of its {self.skips.total} utterances can be used; the first: {first}"
