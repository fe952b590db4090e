"""Phone label sets: TIMIT's 61 and their folds to 48 and 39, and which labels are not speech."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.errors import UserError, did_you_mean

# 61 -> 48, where the two differ; the glottal stop q has no class.
_TO_48 = {
    "ux": "uw",
    "axr": "er",
    "ax-h": "ax",
    "em": "m",
    "nx": "n",
    "eng": "ng",
    "hv": "hh",
    **dict.fromkeys(("bcl", "dcl", "gcl"), "vcl"),
    **dict.fromkeys(("pcl", "tcl", "kcl"), "cl"),
    **dict.fromkeys(("h#", "pau"), "sil"),
}
# 48 -> 39, where the two differ: pairs that recognisers may confuse, and everything silent.
_TO_39 = {
    "ao": "aa",
    "ax": "ah",
    "ix": "ih",
    "el": "l",
    "en": "n",
    "zh": "sh",
    **dict.fromkeys(("cl", "vcl", "epi"), "sil"),
}
DROPPED = "q"

_VOWELS = "iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h"
_CONSONANTS = "jh ch b d g p t k dx s sh z zh f th v dh m n ng em nx en eng l r w y hh hv el q"
_SILENT = "bcl dcl gcl pcl tcl kcl pau epi h#"
TIMIT_61 = frozenset(f"{_VOWELS} {_CONSONANTS} {_SILENT}".split())

# Compared without regard to case: the marks of TIMIT, Kaldi, the Montreal aligner, MAUS and Buckeye.
_MARKS = "sil sp spn nsn ssil pau epi h# <eps> <sil> [sil] <p:> <p> <nib> <usb> [noise] noise vocnoise laugh iver"
_NOT_SPEECH = frozenset(["", *_MARKS.split()])

_POSITION = re.compile(r"(?<=.)_[BIES]$")

CHOICES = ("auto", "39", "48", "61", "as_is")


def to_48(label: str) -> str | None:
    """One of TIMIT's 61 labels in the 48-label training set; None for the glottal stop.

    Reference: Lee and Hon, "Speaker-independent phone recognition using hidden Markov models", 1989, table I.
    """
    return None if label == DROPPED else _TO_48.get(label, label)


def to_39(label: str) -> str | None:
    """One of TIMIT's 61 labels in the 39-label scoring set, closures and pauses as `sil`; None for the glottal stop.

    Reference: Lee and Hon, 1989, the within-group confusions that are not counted.
    """
    folded = to_48(label)
    return None if folded is None else _TO_39.get(folded, folded)


def is_speech(label: str) -> bool:
    """Whether a label names a phone, and not silence, noise or a gap."""
    return label.casefold() not in _NOT_SPEECH


def silence_among(labels: Iterable[str]) -> frozenset[str]:
    """The labels that are not speech."""
    return frozenset(label for label in labels if not is_speech(label))


def is_timit(labels: Iterable[str]) -> bool:
    """Whether these can only be TIMIT's 61: all among them, and its own mark for the silence at both ends."""
    labels = set(labels)
    return "h#" in labels and labels <= TIMIT_61


def fold(segments: Iterable[Segment], phone_set: str) -> tuple[Segment, ...]:
    """Segments with TIMIT's 61 labels in another set; the glottal stop is left out where it has no class.

    Args:
        segments: of one utterance.
        phone_set: "39", "48", or "61" for no change.
    """
    if phone_set == "61":
        return tuple(segments)
    to = {"39": to_39, "48": to_48}[phone_set]
    folded = ((segment, to(segment.label)) for segment in segments)
    return tuple(replace(segment, label=label) for segment, label in folded if label is not None)


def without_stress(segments: Iterable[Segment]) -> list[Segment]:
    """Segments with ARPAbet labels less the digits for stress: AH0 and AH1 become AH."""
    return [replace(s, label=s.label.rstrip("012") or s.label) for s in segments]


def folded_labels(labels: Iterable[str], phone_set: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """What is left of a set of TIMIT's 61 labels, and the line that tells the user."""
    labels = set(labels)
    kept = frozenset(s.label for s in fold((Segment(label, 0, 1) for label in labels), phone_set))
    if phone_set == "61" or not labels:
        return kept, ()
    dropped = " (the glottal stop q is left out)" if DROPPED in labels else ""
    return kept, (f"{len(labels)} TIMIT phone labels folded to {len(kept)} of the {phone_set}-label set{dropped}",)


class Folding:
    """The phones of a manifest in the set that is wanted.

    Args:
        phones: utterance -> segments as labelled.
        phone_set: "auto" folds TIMIT's 61 labels to 39 and takes Kaldi's word positions (AH_B, AH_E) off, and leaves
            others as they are; "39", "48", "61" are for TIMIT's labels; "as_is" changes nothing.
        source: the file, for messages.

    Attributes:
        silence: the labels of the outcome that are not speech.
        notes: what the user should know.

    Raises:
        UserError: a set of TIMIT's is wanted for other labels.
    """

    def __init__(self, phones: Mapping[str, Sequence[Segment]], phone_set: str, source: Path):
        self._phones = phones
        labels = frozenset(segment.label for segments in phones.values() for segment in segments)
        self._positions = phone_set == "auto" and _have_positions(labels)
        if phone_set == "auto":
            phone_set = "39" if is_timit(labels) else "as_is"
        self._phone_set = phone_set
        self.notes: tuple[str, ...] = ()
        if phone_set != "as_is":
            stranger = min(labels - TIMIT_61, default=None)
            if stranger is not None:
                raise UserError(
                    f"{source}: {stranger!r} is not one of TIMIT's 61 labels; leave phone_set={phone_set} out"
                )
            labels, self.notes = folded_labels(labels, phone_set)
        elif self._positions:
            bare = frozenset(_POSITION.sub("", label) for label in labels)
            self.notes = (f"word positions (_B, _I, _E, _S) taken off: {len(labels)} phone labels become {len(bare)}",)
            labels = bare
        self.silence = silence_among(labels)

    def of(self, utterance: str) -> Sequence[Segment]:
        """The phones of an utterance; none when it has none."""
        segments = self._phones.get(utterance, ())
        if self._positions:
            return [replace(s, label=_POSITION.sub("", s.label)) for s in segments]
        return segments if self._phone_set == "as_is" else fold(segments, self._phone_set)


def _have_positions(labels: Iterable[str]) -> bool:
    """Whether all phones among some labels bear Kaldi's mark of their position in a word; silence need not."""
    spoken = [label for label in labels if is_speech(_POSITION.sub("", label))]
    return bool(spoken) and all(_POSITION.search(label) for label in spoken)


def check_choice(phone_set: str) -> str:
    """The name of a phone set, if there is one of that name.

    Raises:
        UserError: there is not.
    """
    phone_set = str(phone_set)
    if phone_set not in CHOICES:
        raise UserError(f"phone_set={phone_set!r}: {did_you_mean(phone_set, CHOICES)}")
    return phone_set
