"""Gathers the utterances that a reader finds: checks each, counts what it leaves out."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.alignment import BadAlignment, checked
from s3prl_plugin.corpora.corpus import Corpus, Segment, Utterance
from s3prl_plugin.corpora.folders import APPLE_DOUBLE
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.taps import SAMPLE_RATE


class Collector:
    """One corpus in the making.

    Only headers are read: NaN samples and files that are cut off show when audio is loaded, and a run adds them with
    `Corpus.without`.

    Args:
        source: where the corpus lies, for messages.
        channel: which channel of its audio is meant; None where all of it is mono.
    """

    def __init__(self, source: Path, channel: int | None = None):
        self.source = source
        self.skips = Skips()
        self._channel = channel
        self._utterances: dict[str, Utterance] = {}
        self._resampled: Counter[int] = Counter()
        self._noted: Counter[str] = Counter()
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
    ) -> None:
        """Take one utterance, or count it as skipped when its audio or its labels are bad.

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
        try:
            header = audio.info(path, self._channel)
            utterance = Utterance(
                name=name,
                speaker=speaker,
                audio=path,
                duration_s=header.duration_s,
                phones=checked(phones, header.duration_s, may_overlap=False),
                words=checked(words, header.duration_s, may_overlap=True),
                sentence=sentence,
                channel=self._channel,
                session=session,
            )
        except (audio.BadAudio, BadAlignment) as bad:
            self.skips.add(bad.reason, name)
            self._first_fault = self._first_fault or f"{name}: {bad}"
            return
        self._utterances[name] = utterance
        if header.sample_rate != SAMPLE_RATE:
            self._resampled[header.sample_rate] += 1
        if header.note:
            self._noted[header.note] += 1

    def corpus(self, name: str, kind: str, silence: frozenset[str], notes: Iterable[str] = ()) -> Corpus:
        """The corpus of all that was taken.

        Raises:
            UserError: nothing was.
        """
        if not self._utterances:
            raise UserError(self._why_empty())
        noted = [f"{n} files {note}" for note, n in sorted(self._noted.items())]
        rates = [f"{n} files resampled from {rate} Hz to 16 kHz" for rate, n in sorted(self._resampled.items())]
        return Corpus(
            name=name,
            kind=kind,
            utterances=tuple(self._utterances[key] for key in sorted(self._utterances)),
            silence=silence,
            skipped={reason: tuple(names) for reason, names in self.skips.as_dict().items()},
            notes=(*notes, *noted, *rates),
        )

    def _why_empty(self) -> str:
        """The error message of a corpus without utterances."""
        if not self.skips:
            return f"{self.source}: the corpus is empty; give a folder that holds utterances"
        first = self._first_fault or f"{min(self.skips)}"
        return f"{self.source}: none of its {self.skips.total} utterances can be used; the first: {first}"
