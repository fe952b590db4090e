"""A part of any corpus: so many utterances, hours or speakers, or those of a list; small parts lie in larger ones."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.errors import UserError


@dataclass(frozen=True)
class Subset:
    """What is wanted of a corpus; first the list, then speakers, then utterances of them in turn.

    What is drawn depends on names and `subset_seed` alone, and on nothing else that a run draws.

    Attributes:
        utterances: at most so many, as evenly over speakers as they allow.
        hours: likewise, as many as last no longer.
        speakers: at most so many.
        include: a file with the names of the only utterances that are meant, one a line.
        subset_seed: of the drawing.

    Raises:
        UserError: a value that cannot be meant.
    """

    utterances: int | None = None
    hours: float | None = None
    speakers: int | None = None
    include: str | None = None
    subset_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("utterances", "speakers", "subset_seed"):
            least, value = int(name != "subset_seed"), getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise UserError(f"{name}={value}: give a whole number from {least} on")
        if self.hours is not None:
            try:
                hours = float(self.hours)
            except (TypeError, ValueError):
                hours = math.nan
            if isinstance(self.hours, bool) or not 0 < hours < math.inf:
                raise UserError(f"hours={self.hours}: give a number above 0, such as 0.5")
            object.__setattr__(self, "hours", hours)

    @property
    def said(self) -> str:
        """The options as they are written; empty where all of a corpus is wanted."""
        given = [(f.name, getattr(self, f.name)) for f in fields(self) if f.name != "subset_seed"]
        parts = [
            f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}" for name, value in given if value
        ]
        return ",".join([*parts, *([f"subset_seed={self.subset_seed}"] if parts and self.subset_seed else [])])

    def of(self, corpus: Corpus) -> Corpus:
        """The part of a corpus, whose name says which part it is.

        Raises:
            UserError: the list cannot be read, or nothing is left.
        """
        if not self.said:
            return corpus
        chosen: list[Utterance] = list(corpus.utterances)
        notes = []
        if self.include is not None:
            chosen, note = _included(chosen, Path(str(self.include)).expanduser())
            notes += note
        if self.speakers is not None:
            ordered = sorted({u.speaker for u in chosen}, key=self._place)
            kept = set(ordered[: self.speakers])
            notes += _fewer("speakers", self.speakers, len(ordered))
            chosen = [u for u in chosen if u.speaker in kept]
        ordered_utterances = self._in_turns(chosen)
        if self.hours is not None:
            notes += _fewer("hours", self.hours, sum(u.duration_s for u in chosen) / 3600)
            ordered_utterances = _lasting(ordered_utterances, 3600 * self.hours)
        if self.utterances is not None:
            notes += _fewer("utterances", self.utterances, len(chosen))
            ordered_utterances = ordered_utterances[: self.utterances]
        if not ordered_utterances:
            shortest = min((u.duration_s for u in chosen), default=0.0)
            raise UserError(f"{corpus.name}: nothing is left of it with {self.said} (shortest: {shortest:.1f} s)")
        taken = tuple(sorted(ordered_utterances, key=lambda u: u.name))
        part = replace(corpus, name=f"{corpus.name}[{self._short}]", utterances=taken)
        minutes, of_minutes = part.duration_s / 60, corpus.duration_s / 60
        notes.insert(
            0,
            f"{self.said}: {len(taken)} of {len(corpus.utterances)} utterances, {len(part.speakers)} of "
            f"{len(corpus.speakers)} speakers, {minutes:.3g} of {of_minutes:.3g} minutes",
        )
        return replace(part, notes=(*corpus.notes, *notes))

    @property
    def _short(self) -> str:
        """`said`, without the folder of the list."""
        return replace(self, include=Path(str(self.include)).name if self.include else None).said

    def _place(self, name: str) -> bytes:
        """Where a name comes in a random order that other names do not change."""
        return hashlib.sha256(f"{self.subset_seed} {name}".encode()).digest()

    def _in_turns(self, utterances: Iterable[Utterance]) -> list[Utterance]:
        """Utterances in random order, one of each speaker in turn."""
        turn: Counter[str] = Counter()
        keyed = []
        for u in sorted(utterances, key=lambda u: self._place(u.name)):
            turn[u.speaker] += 1
            keyed.append(((turn[u.speaker], self._place(u.speaker)), u))
        return [u for _, u in sorted(keyed, key=lambda pair: pair[0])]


OPTIONS = tuple(f.name for f in fields(Subset))


def _lasting(utterances: list[Utterance], seconds: float) -> list[Utterance]:
    """The first utterances that last no longer together."""
    total = 0.0
    for i, u in enumerate(utterances):
        total += u.duration_s
        if total > seconds + 1e-6:
            return utterances[:i]
    return utterances


def _fewer(what: str, wanted: float, there: float) -> list[str]:
    """What is to be said where a corpus has fewer than are wanted."""
    return [f"{what}={wanted:g} was asked for, and there are {there:.3g}: all are taken"] if there < wanted else []


def _included(utterances: list[Utterance], path: Path) -> tuple[list[Utterance], list[str]]:
    """The utterances that a list names, and what is to be said about names that are not there."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise UserError(
            f"include={path}: cannot be read ({error.strerror}); give a file of names, one a line"
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"include={path}: not UTF-8 text; give a file of names, one a line") from None
    names = {line.strip() for line in lines if line.strip()}
    chosen = [u for u in utterances if u.name in names]
    missing = sorted(names - {u.name for u in chosen})
    if not chosen:
        example = utterances[0].name if utterances else ""
        raise UserError(f"include={path}: none of its {len(names)} names is one of the corpus's, such as {example!r}")
    return chosen, [f"{len(missing)} names of {path.name} are not in the corpus ({missing[0]})"] if missing else []
