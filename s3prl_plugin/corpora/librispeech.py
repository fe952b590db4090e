"""LibriSpeech: `speaker/chapter/utterance.flac` with `*.trans.txt`, and either of its public alignments.

Alignments lie beside the audio or in a tree of their own: one TextGrid per utterance (Montreal Forced Aligner: words
and phones), or one `*.alignment.txt` per chapter (words alone).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from s3prl_plugin.corpora import alignment_txt, folders, phone_sets, textgrid
from s3prl_plugin.corpora.alignments import UNREADABLE
from s3prl_plugin.corpora.collector import Collector
from s3prl_plugin.corpora.corpus import Corpus, Segment
from s3prl_plugin.corpora.texts import is_word, normalised
from s3prl_plugin.errors import UserError

NO_ALIGNMENTS = (
    "no alignment lies beside the audio: no phones and no words; name the folder that has them (alignments=)"
)
Alignment = tuple[list[Segment], list[Segment]]


def read(path: str | Path, alignments: str | Path | None = None, stress: bool = False) -> Corpus:
    """Read LibriSpeech, or a part of it.

    Args:
        path: the folder above the speakers (dev-clean), or any folder above that.
        alignments: the tree that holds the alignments; by default they lie beside the audio.
        stress: keep the stress digits of vowels (AH0 and AH1 are two labels), instead of taking them off.

    Returns:
        Utterances named `84-121123-0000`: of speaker 84, whose chapter 121123 is a session. One that has no alignment
        has no phones and no words, and a note counts those; the text is the sentence.

    Raises:
        UserError: no such folder, no LibriSpeech in it, or none of its utterances can be used.
    """
    root = Path(path)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the one that holds LibriSpeech's speakers")
    aligned = _Alignments(root if alignments is None else Path(alignments).expanduser(), stress)
    collector = Collector(root)
    unaligned = taken = 0
    for chapter, name, transcript in _utterances(root):
        try:
            found = aligned.of(name)
        except (ValueError, OSError):
            collector.skips.add(UNREADABLE, name)
            continue
        phones, words = found or ([], [])
        unaligned += found is None
        taken += 1
        wav = chapter / f"{name}.wav"
        audio = wav if wav.is_file() else wav.with_suffix(".flac")
        speaker, _, rest = name.partition("-")
        session = rest.partition("-")[0] or None
        collector.add(name, speaker, audio, phones, words, normalised(transcript), session)
    notes = [f"{unaligned} of {taken} utterances have no alignment"] if 0 < unaligned < taken else []
    if taken and unaligned == taken:
        notes = [NO_ALIGNMENTS]
    part = root.resolve().name
    name = "librispeech" if part.lower().startswith("librispeech") else f"librispeech-{part}"
    return collector.corpus(name, "real", phone_sets.silence_among(aligned.labels), notes)


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
    """The alignments below a folder, read when an utterance asks; names are unique across LibriSpeech."""

    def __init__(self, folder: Path, stress: bool):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder; give the one that holds the alignments")
        self.labels: set[str] = set()
        self._stress = stress
        self._chapter: tuple[Path | None, dict[str, list[Segment]]] = (None, {})
        self._files: dict[str, Path] = {}
        for where, names in folders.walk(folder):
            for name in names:
                if name.endswith((".TextGrid", ".alignment.txt")):
                    self._files[name] = where / name

    def of(self, utterance: str) -> Alignment | None:
        """Phones and words of an utterance, None when it has neither; ValueError or OSError for a broken file."""
        grid = self._files.get(f"{utterance}.TextGrid")
        if grid is not None:
            return self._of_grid(grid)
        chapter = self._files.get(f"{utterance.rpartition('-')[0]}.alignment.txt")
        if chapter is None:
            return None
        if self._chapter[0] != chapter:
            self._chapter = (chapter, alignment_txt.read(chapter))
        words = self._chapter[1].get(utterance)
        return None if words is None else ([], words)

    def _of_grid(self, path: Path) -> Alignment:
        """Phones and words of a TextGrid."""
        tiers = textgrid.read(path)
        phones = tiers.get("phones", [])
        if not self._stress:
            phones = phone_sets.without_stress(phones)
        self.labels.update(phone.label for phone in phones)
        words = [Segment(w.label.lower(), w.start_s, w.end_s) for w in tiers.get("words", []) if is_word(w.label)]
        return phones, words
