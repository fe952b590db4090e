"""Marks of silence and noise: the one place that says which labels are neither a phone nor a word."""

from __future__ import annotations

from collections.abc import Sequence

from s3prl_plugin.errors import UserError

EVERYWHERE = frozenset(["", *["sp", "sil", "spn", "nsn", "#", "_"]])
"""Marks in a tier of words, and of phones; compared without regard to case. TIMIT's own words hold "silence"."""

_PHONES_ONLY = "silb sile ssil pau pause epi h# silence unknown noise vocnoise laugh iver cutoff error exclude"
IN_PHONES = EVERYWHERE | frozenset(_PHONES_ONLY.split())
"""Those of TIMIT, HTK, Kaldi, the Montreal aligner, MAUS and Buckeye. `uh` is a vowel of ARPAbet, and a word."""

_ENCLOSED = ("<>", "[]", "{}", "()", "++")


class Marks:
    """Which labels are marks.

    Args:
        silence: None for those that are known; labels (a list, or a text with commas between them) that take their
            place; labels that all begin with a plus sign (`+x`) are added. They count in tiers of phones and of words.
            The empty label is always a mark.

    Attributes:
        given: the labels that the user named.

    Raises:
        UserError: some labels begin with a plus sign and some do not, or nothing is named.
    """

    def __init__(self, silence: str | Sequence[str] | None = None):
        self.given: tuple[str, ...] = ()
        self._known = True
        if silence is None:
            return
        labels = _listed(silence)
        added = [label for label in labels if label.startswith("+") and not _is_enclosed(label)]
        if not labels or (added and len(added) < len(labels)):
            raise UserError(
                f"silence={silence!r}: name the labels that are silence, as in silence=sil,sp, or those to add to the "
                "known ones, as in silence=+x,+y"
            )
        self._known = bool(added)
        self.given = tuple(label.removeprefix("+") for label in added) or tuple(labels)

    def is_phone(self, label: str) -> bool:
        """Whether a label of a tier of phones names a phone."""
        return not (self._is_given(label) or (self._known and _is_mark(label, IN_PHONES)))

    def is_word(self, label: str) -> bool:
        """Whether a label of a tier of words names a word."""
        return not (self._is_given(label) or (self._known and _is_mark(label, EVERYWHERE)))

    def _is_given(self, label: str) -> bool:
        return not label or label.casefold() in {given.casefold() for given in self.given}


def _is_mark(label: str, known: frozenset[str]) -> bool:
    return label.casefold() in known or _is_enclosed(label)


def _is_enclosed(label: str) -> bool:
    """Whether a label stands in brackets, or between plus signs."""
    return len(label) > 1 and label[0] + label[-1] in _ENCLOSED


def _listed(silence: str | Sequence[str]) -> list[str]:
    """Labels as a list or as a text."""
    if isinstance(silence, str) and silence[:1] + silence[-1:] == "[]":
        silence = silence[1:-1]
    parts = silence.split(",") if isinstance(silence, str) else silence if isinstance(silence, Sequence) else [silence]
    return [label for part in parts if (label := str(part).strip().strip("'\""))]
