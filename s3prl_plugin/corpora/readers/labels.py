"""What becomes of a corpus's labels, whatever its format: marks of silence, phone sets, words as they are compared."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.readers import phone_sets
from s3prl_plugin.corpora.readers.marks import Marks
from s3prl_plugin.errors import UserError, did_you_mean

WORD_CASES = ("fold", "keep")


@dataclass(frozen=True)
class Labels:
    """The options on labels that every reader takes.

    Attributes:
        phone_set: "auto" (TIMIT's 61 labels are folded to 39, Kaldi's word positions and ARPAbet's stress are taken
            off, others stay), "39", "48", "61" (only for TIMIT's labels), or "as_is".
        stress: keep the stress digits of vowels (AH0 and AH1 are two labels).
        silence: labels that are silence or noise, in place of the known ones, or added to them; see `marks.Marks`.
        word_case: "fold", or "keep": words that differ in case alone are two words.

    Raises:
        UserError: a value that there is not.
    """

    phone_set: str = "auto"
    stress: bool = False
    silence: str | Sequence[str] | None = None
    word_case: str = "fold"
    marks: Marks = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "phone_set", phone_sets.check_choice(self.phone_set))
        if self.word_case not in WORD_CASES:
            raise UserError(f"word_case={self.word_case!r}: {did_you_mean(str(self.word_case), WORD_CASES)}")
        if not isinstance(self.stress, bool):
            raise UserError(f"stress={self.stress!r}: give true or false")
        object.__setattr__(self, "marks", Marks(self.silence))


@dataclass
class Found:
    """The phones and words of a whole corpus as labelled, utterance by utterance; what all of it tells.

    Attributes:
        options: of the reader.
        no_length: labels of segments that end where they begin -> how many were left out.
    """

    options: Labels
    no_length: Counter[str] = field(default_factory=Counter)
    _phones: Counter[str] = field(default_factory=Counter)
    _words: Counter[str] = field(default_factory=Counter)
    _edges: dict[str, Counter[str]] = field(default_factory=lambda: {"phone": Counter(), "word": Counter()})
    _utterances: Counter[str] = field(default_factory=Counter)

    def take(self, kind: str, segments: Iterable[Segment]) -> list[Segment]:
        """Note the labels of an utterance.

        Args:
            kind: "phone" or "word".
            segments: as labelled, in any order.

        Returns:
            Those that have a length, or a time that is not a number.
        """
        kept = []
        for segment in segments:
            if segment.start_s == segment.end_s:
                self.no_length[segment.label] += 1
            else:
                kept.append(segment)
        (self._phones if kind == "phone" else self._words).update(segment.label for segment in kept)
        if kept:
            self._utterances[kind] += 1
            first, last = min(kept, key=lambda s: s.start_s), max(kept, key=lambda s: s.end_s)
            self._edges[kind].update({first.label, last.label})
        return kept

    def folding(self, source: Path) -> phone_sets.Folding:
        """What the phones become.

        Args:
            source: to name in messages.
        """
        options = self.options
        return phone_sets.Folding(self._phones, options.phone_set, options.stress, options.marks, source)

    def words(self, segments: Iterable[Segment]) -> list[Segment]:
        """The words of an utterance, less marks, as they are compared."""
        keep_case = self.options.word_case == "keep"
        said = ((s, compared(s.label, keep_case)) for s in segments if self.options.marks.is_word(s.label))
        return [s if s.label == word else replace(s, label=word) for s, word in said]

    @property
    def no_words(self) -> dict[str, int]:
        """Labels in the tier of words that are marks -> how many were left out, the most frequent first."""
        return {label: n for label, n in self._words.most_common() if not self.options.marks.is_word(label)}

    def notes(self, silence: frozenset[str]) -> list[str]:
        """What a user should know.

        Args:
            silence: the labels of phones that are not speech.
        """
        notes = []
        if self.no_words:
            notes.append(f"left out of the words, as marks of silence or noise: {listed(self.no_words)}")
        if self.no_length:
            counts = dict(self.no_length.most_common())
            notes.append(f"{self.no_length.total()} segments without a length were left out: {listed(counts)}")
        known = {label.casefold() for label in {*self._phones, *self._words, *silence}}
        for label in self.options.marks.given:
            if label.casefold() not in known:
                notes.append(f"silence: {label!r} is no label of this corpus")
        notes += self._edge_note("phone", bool(silence)) + self._edge_note("word", bool(self.no_words))
        return notes

    def _edge_note(self, kind: str, has_marks: bool) -> list[str]:
        """Where there is no mark, and one label begins or ends most utterances: is it one?"""
        number = self._utterances[kind]
        label, n = min(self._edges[kind].items(), key=lambda item: (-item[1], item[0]), default=("", 0))
        if has_marks or number < 2 or 2 * n <= number:
            return []
        return [
            f"no {kind} is a mark of silence, and {label!r} begins or ends {n} of {number} utterances; "
            f"if it is silence, say so: silence=+{label}"
        ]


def listed(counts: Mapping[str, int], most: int = 12) -> str:
    """Labels with their counts, in a line."""
    shown = ", ".join(f"{label or '(empty)'} {n}" for label, n in list(counts.items())[:most])
    return f"{shown} and {len(counts) - most} more" if len(counts) > most else shown


def normalised(text: str) -> str:
    """A transcript in lower case with words and apostrophes alone, so that the same text is the same string.

    >>> normalised("Don't ask me -- to carry  an oily rag!")
    "don't ask me to carry an oily rag"
    """
    text = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text))


def compared(word: str, keep_case: bool = False) -> str:
    """A word as it is compared with others: NFC, without regard to case, and less the punctuation around it.

    Apostrophes stay. What is punctuation alone stays as it is.

    >>> [compared(word) for word in ("Oily,", "ma'am", "'em", "--")]
    ['oily', "ma'am", "'em", '--']
    """
    word = unicodedata.normalize("NFC", word).replace("’", "'")
    if not keep_case:
        word = unicodedata.normalize("NFC", word.casefold())
    kept = [i for i, letter in enumerate(word) if letter == "'" or not unicodedata.category(letter).startswith("P")]
    bare = word[kept[0] : kept[-1] + 1] if kept else ""
    return bare if any(letter != "'" for letter in bare) else word
