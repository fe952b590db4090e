"""LibriSpeech: `speaker/chapter/utterance.flac` with `*.trans.txt`, and either of its public alignments.

Alignments lie beside the audio or in a tree of their own: one TextGrid per utterance (Montreal Forced Aligner: words
and phones), or one `*.alignment.txt` per chapter (words alone).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s3prl_plugin.corpora import folders
from s3prl_plugin.corpora.corpus import Corpus, Segment
from s3prl_plugin.corpora.readers import alignment_txt
from s3prl_plugin.corpora.readers.collector import Collector
from s3prl_plugin.corpora.readers.grids import UNREADABLE, Aligned, GridFiles, TierChoice
from s3prl_plugin.corpora.readers.labels import Labels, normalised
from s3prl_plugin.corpora.readers.textgrid import BadGrid
from s3prl_plugin.errors import UserError

NO_ALIGNMENTS = (
    "no alignment lies beside the audio: no phones and no words; name the folder that has them (alignments=)"
)
_CHAPTER = ".alignment.txt"


def read(
    path: str | Path,
    alignments: str | Path | None = None,
    phones_tier: str | None = None,
    words_tier: str | None = None,
    **labels: Any,
) -> Corpus:
    """Read LibriSpeech, or a part of it.

    Args:
        path: the folder above the speakers (dev-clean), or any folder above that.
        alignments: the tree that holds the alignments; by default they lie beside the audio.
        phones_tier, words_tier: names of TextGrids' tiers, in place of the known ones (`grids.TIERS`).
        labels: see `labels.Labels`.

    Returns:
        Utterances named `84-121123-0000`: of speaker 84, whose chapter 121123 is a session. One that has no alignment
        has no phones and no words, and a note counts those; the text is the sentence.

    Raises:
        UserError: no such folder, no LibriSpeech in it, or none of its utterances can be used.
    """
    root = Path(path)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the one that holds LibriSpeech's speakers")
    collector = Collector(root, Labels(**labels))
    tiers = TierChoice(phones_tier, words_tier)
    aligned = _Alignments(root if alignments is None else Path(str(alignments)).expanduser(), tiers)
    unaligned = taken = 0
    for chapter, name, transcript in _utterances(root):
        try:
            found = aligned.of(name, chapter.relative_to(root))
        except BadGrid as bad:
            collector.skip(name, f"{UNREADABLE}: {bad}", chapter)
            continue
        except (UserError, OSError):
            collector.skip(name, UNREADABLE, chapter)
            continue
        unaligned += found is None
        found = found or Aligned([], [], None)
        taken += 1
        wav = chapter / f"{name}.wav"
        audio = wav if wav.is_file() else wav.with_suffix(".flac")
        speaker, _, rest = name.partition("-")
        session = rest.partition("-")[0] or None
        sentence = normalised(transcript)
        collector.add(name, speaker, audio, found.phones, found.words, sentence, session, found.span)
    notes = [f"{unaligned} of {taken} utterances have no alignment"] if 0 < unaligned < taken else []
    if taken and unaligned == taken:
        notes = [NO_ALIGNMENTS]
    part = root.resolve().name
    name = "librispeech" if part.lower().startswith("librispeech") else f"librispeech-{part}"
    return collector.corpus(name, "real", [*notes, *tiers.notes(aligned.folder)])


def _utterances(root: Path) -> Iterator[tuple[Path, str, str]]:
    """Folder, name and transcript of every utterance."""
    for path in folders.find(root, ".trans.txt"):
        try:
            content = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read ({error}); unpack LibriSpeech again") from None
        for line in content.splitlines():
            if line.strip():
                utterance, _, transcript = line.strip().partition(" ")
                yield path.parent, utterance, transcript


class _Alignments:
    """The alignments below a folder, read when an utterance asks."""

    def __init__(self, folder: Path, tiers: TierChoice):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; give the one that holds the alignments")
        self.folder = folder
        self._tiers = tiers
        self._grids = GridFiles(folder)
        self._chapter: tuple[Path | None, dict[str, list[Segment]]] = (None, {})
        chapters = folders.find(folder, _CHAPTER)
        self._chapters = {path.name.removesuffix(_CHAPTER): path for path in chapters}

    def of(self, utterance: str, inside: Path) -> Aligned | None:
        """Phones and words of an utterance, None when it has neither; raises what reading a broken file does."""
        grid = self._grids.of((utterance,), (str(inside),))
        if grid is not None:
            return self._tiers.read(grid, utterance.partition("-")[0])
        chapter = self._chapters.get(utterance.rpartition("-")[0])
        if chapter is None:
            return None
        if self._chapter[0] != chapter:
            self._chapter = (chapter, alignment_txt.read(chapter))
        words = self._chapter[1].get(utterance)
        return None if words is None else Aligned([], words, None)
