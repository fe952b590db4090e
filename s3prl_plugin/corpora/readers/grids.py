"""The phones and words in TextGrids: which tiers hold them, and where the files lie.

A tier is known by its name, in any case: those of Praat's users and the Montreal aligner, of FAVE and the Penn aligner,
WebMAUS, EMU and SPPAS. A name may stand after that of a speaker (`ann - words`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from s3prl_plugin.corpora import folders
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.readers import textgrid
from s3prl_plugin.errors import UserError

TIERS = {
    "phones": ("phones", "phone", "mau", "phonetic", "phonalign", "phoneme", "phonemes"),
    "words": ("words", "word", "ort-mau", "tokensalign"),
}
"""Kind -> the names of tiers that hold it, the first of which that is there is taken."""

Tiers = dict[str, list[Segment]]

UNREADABLE = "alignment not readable"
SUFFIX = ".textgrid"


@dataclass(frozen=True)
class Aligned:
    """Phones and words of an utterance as labelled, and from when to when a TextGrid says that it is, in seconds."""

    phones: list[Segment]
    words: list[Segment]
    span: tuple[float, float] | None


class TierChoice:
    """Takes the tiers of phones and words from TextGrids, and remembers what was there.

    Args:
        phones_tier, words_tier: names that the user gave, in place of the known ones.
        what: has the tiers.
    """

    def __init__(self, phones_tier: str | None = None, words_tier: str | None = None, what: str = "TextGrids"):
        self._what = what
        given = {"phones": str(phones_tier or ""), "words": str(words_tier or "")}  # a tier may be called 1
        self._names = {kind: (_plain(name),) if name else TIERS[kind] for kind, name in given.items()}
        self._given = {kind: name for kind, name in given.items() if name}
        self._grids = 0
        self._without: Counter[str] = Counter()
        self._tiers: Counter[str] = Counter()
        self._of_several = 0

    def read(self, path: Path, speaker: str) -> Aligned:
        """The phones and words of an utterance.

        Args:
            path: the TextGrid.
            speaker: whose tiers are taken where there are those of several.

        Raises:
            textgrid.BadGrid, OSError: it cannot be read.
        """
        grid = textgrid.read(path)
        return Aligned(*self.take(grid.tiers, speaker), (grid.start_s, grid.end_s))

    def take(self, tiers: Tiers, speaker: str) -> tuple[list[Segment], list[Segment]]:
        """The phones and words among the tiers of an utterance.

        Args:
            tiers: name -> segments.
            speaker: whose are taken where there are those of several.
        """
        self._grids += 1
        self._tiers.update(tiers.keys())
        known = {name for names in self._names.values() for name in names}
        speakers = {owner for owner, name in map(_owner_and_name, tiers) if owner and name in known}
        self._of_several += len(speakers) > 1
        taken = {kind: _tier(tiers, names, _plain(speaker), speakers) for kind, names in self._names.items()}
        self._without.update(kind for kind, tier in taken.items() if tier is None)
        return taken["phones"] or [], taken["words"] or []

    def notes(self, source: Path, kinds: Iterable[str] = ("phones", "words"), needed: bool = True) -> list[str]:
        """What a user should know.

        Args:
            source: the corpus, for the message.
            kinds: of labels that were to come from TextGrids.
            needed: there are no labels from elsewhere.

        Raises:
            UserError: no TextGrid has any of the tiers, or none has one that the user named.
        """
        if not self._grids:
            return []
        lacking = [kind for kind in kinds if self._without[kind] == self._grids]
        there = ", ".join(f"{name!r}" for name in sorted(self._tiers)) or "none"
        for kind in lacking:
            if kind in self._given:
                raise UserError(
                    f"{source}: none of its {self._grids} {self._what} has a tier {self._given[kind]!r} ({kind}_tier); "
                    f"the tiers there: {there}"
                )
        if needed and lacking == list(kinds):
            raise UserError(
                f"{source}: none of its {self._grids} {self._what} has a tier of a known name; the tiers there: "
                f"{there}; name them: phones_tier=NAME, words_tier=NAME"
            )
        notes = [
            f"{self._without[kind]} of {self._grids} {self._what} have no tier of {kind} ({kind}_tier=NAME names one); "
            f"the tiers there: {there}"
            for kind in kinds
            if self._without[kind]
        ]
        if self._of_several:
            notes.append(
                f"{self._of_several} {self._what} have tiers of several speakers; of each, those of the utterance's "
                "own speaker are taken"
            )
        return notes


def _tier(tiers: Tiers, names: Iterable[str], speaker: str, speakers: set[str]) -> list[Segment] | None:
    """The tier with the first of some names: nobody's, else that of the only speaker, else of the utterance's."""
    whose = next(iter(speakers)) if len(speakers) == 1 else speaker
    plain: dict[str, list[Segment]] = {}
    for name, tier in tiers.items():
        plain.setdefault(" - ".join(part for part in _owner_and_name(name) if part), tier)
    wanted = [*names, *(f"{whose} - {name}" for name in names)]
    return next((plain[name] for name in wanted if name in plain), None)


def _owner_and_name(tier: str) -> tuple[str, str]:
    """`ann` and `words` of `Ann - words`; no owner where there is none."""
    owner, _, name = _plain(tier).rpartition(" - ")
    return owner.strip(), name.strip()


def _plain(name: str) -> str:
    """A name without regard to case and blanks around."""
    return name.strip().casefold()


class GridFiles:
    """The TextGrids below a folder, found by the name of an utterance or of its audio.

    Args:
        folder: the Montreal aligner writes into folders of speakers within one of its own.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._by_stem: dict[str, list[Path]] = {}
        for where, names in folders.walk(folder):
            for name in names:
                if name.lower().endswith(SUFFIX):
                    self._by_stem.setdefault(name[: -len(SUFFIX)], []).append(where / name)

    def of(self, names: Iterable[str], inside: Iterable[str] = ()) -> Path | None:
        """The TextGrid of an utterance; None where there is none.

        Args:
            names: it may have, in this order.
            inside: folders, relative to this one, of which the TextGrid lies in the first that has one, where several
                have its name.

        Raises:
            textgrid.BadGrid: there are several, and none lies in those folders.
        """
        for name in names:
            found = list({os.path.realpath(path): path for path in self._by_stem.get(name, [])}.values())
            if len(found) > 1:
                for folder in inside:
                    here = [path for path in found if path.parent == self._folder / folder]
                    if here:
                        return here[0]
                raise textgrid.BadGrid("several TextGrids of one name, none of them in the speaker's folder")
            if found:
                return found[0]
        return None


class GridsBeside:
    """The TextGrids that lie beside audio files, their suffix in any case."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, Path]] = {}

    def of(self, audio: Path) -> Path | None:
        """The TextGrid of an audio file; None where there is none."""
        folder = audio.parent
        if folder not in self._folders:
            names = sorted(os.listdir(folder)) if folder.is_dir() else []
            grids = (name for name in names if name.lower().endswith(SUFFIX))
            self._folders[folder] = {name[: -len(SUFFIX)]: folder / name for name in grids}
        return self._folders[folder].get(audio.stem)
