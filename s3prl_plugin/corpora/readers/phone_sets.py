"""Phone label sets: TIMIT's 61 and their folds to 48 and 39, and which labels are not speech."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.readers.marks import Marks
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

_ARPABET_VOWELS = "aa ae ah ao aw ay eh er ey ih iy ow oy uh uw"
_STRESSED = re.compile(rf"({'|'.join(_ARPABET_VOWELS.split())})[012]", re.IGNORECASE)

_POSITION = re.compile(r"(?<=.)_[BIES]$")
_STRESS = re.compile(r"[012]$")

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


def is_timit(labels: Iterable[str]) -> bool:
    """Whether these can only be TIMIT's 61: all among them, and its own mark for the silence at both ends."""
    labels = set(labels)
    return "h#" in labels and labels <= TIMIT_61


_FOLDS: dict[str, Callable[[str], str | None]] = {"39": to_39, "48": to_48, "61": lambda label: label}


def folding_note(labels: Iterable[str], phone_set: str) -> tuple[str, ...]:
    """The line that tells the user what became of TIMIT's 61 labels."""
    labels = set(labels)
    if phone_set == "61" or not labels:
        return ()
    kept = {_FOLDS[phone_set](label) for label in labels} - {None}
    dropped = " (the glottal stop q is left out)" if DROPPED in labels else ""
    return (f"{len(labels)} TIMIT phone labels folded to {len(kept)} of the {phone_set}-label set{dropped}",)


class Folding:
    """The phones of a corpus in the set that is wanted.

    Args:
        labels: all that occur, as labelled.
        phone_set: "auto" folds TIMIT's 61 labels to 39, takes Kaldi's word positions (AH_B, AH_E) and the stress of
            ARPAbet's vowels (AH0, AH1) off, and leaves others as they are; "39", "48", "61" are for TIMIT's labels;
            "as_is" changes nothing.
        stress: keep the digits for stress.
        marks: which labels are not speech.
        source: the file or folder, for messages.

    Attributes:
        silence: the labels of the outcome that are not speech.
        notes: what the user should know.

    Raises:
        UserError: a set of TIMIT's is wanted for other labels.
    """

    def __init__(self, labels: Iterable[str], phone_set: str, stress: bool, marks: Marks, source: Path):
        labels = frozenset(labels)
        self.notes: tuple[str, ...] = ()
        self._becomes: dict[str, str | None] = {label: label for label in labels}
        if phone_set == "auto":
            phone_set = "39" if is_timit(labels) else "auto"
        if phone_set in ("39", "48", "61"):
            stranger = min(labels - TIMIT_61, default=None)
            if stranger is not None:
                raise UserError(
                    f"{source}: {stranger!r} is not one of TIMIT's 61 labels; leave phone_set={phone_set} out"
                )
            self._becomes = {label: _FOLDS[phone_set](label) for label in labels}
            self.notes = folding_note(labels, phone_set)
        elif phone_set == "auto":
            self._take_off(_POSITION, _have_positions(labels, marks), "word positions (_B, _I, _E, _S)")
            have_stress = not stress and _have_stress(self._outcome)
            self._take_off(_STRESS, have_stress, "the digits of stress (0, 1, 2; stress=true keeps them)")
        bare = {label: _POSITION.sub("", label) for label in self._outcome}
        self.silence = frozenset(a for a, b in bare.items() if not (marks.is_phone(a) and marks.is_phone(b)))

    def of(self, segments: Iterable[Segment]) -> list[Segment]:
        """The phones of an utterance; those that have no class in the set are left out."""
        folded = ((segment, self._becomes[segment.label]) for segment in segments)
        return [s if s.label == label else replace(s, label=label) for s, label in folded if label is not None]

    @property
    def _outcome(self) -> frozenset[str]:
        return frozenset(label for label in self._becomes.values() if label is not None)

    def _take_off(self, ending: re.Pattern[str], wanted: bool, what: str) -> None:
        """Take an ending off all labels that have it."""
        if not wanted:
            return
        before = len(self._outcome)
        self._becomes = {label: ending.sub("", now or "") for label, now in self._becomes.items()}
        left = len(self._outcome)
        self.notes += (f"{what} taken off phone labels" + (f": {before} become {left}" if left < before else ""),)


def _have_positions(labels: Iterable[str], marks: Marks) -> bool:
    """Whether all phones among some labels bear Kaldi's mark of their position in a word; silence need not."""
    spoken = [label for label in labels if marks.is_phone(_POSITION.sub("", label))]
    return bool(spoken) and all(_POSITION.search(label) for label in spoken)


def _have_stress(labels: Iterable[str]) -> bool:
    """Whether the digits at the ends of labels are ARPAbet's stress, and not tones, say."""
    with_digit = [label for label in labels if label[-1:].isdigit()]
    return bool(with_digit) and all(_STRESSED.fullmatch(label) for label in with_digit)


def check_choice(phone_set: str) -> str:
    """The name of a phone set, if there is one of that name.

    Raises:
        UserError: there is not.
    """
    phone_set = str(phone_set)
    if phone_set not in CHOICES:
        raise UserError(f"phone_set={phone_set!r}: {did_you_mean(phone_set, CHOICES)}")
    return phone_set
