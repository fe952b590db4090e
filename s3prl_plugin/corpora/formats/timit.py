"""TIMIT, as LDC ships it and as NLTK does.

LDC:  TRAIN/DR1/FCJF0/SA1.WAV|.PHN|.WRD|.TXT, upper or lower case, SPHERE or RIFF
NLTK: dr1-fvmh0/sa1.wav|.phn|.wrd|.txt
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s3prl_plugin.corpora import folders
from s3prl_plugin.corpora.corpus import Corpus, Segment
from s3prl_plugin.corpora.readers import phone_sets
from s3prl_plugin.corpora.readers.collector import Collector
from s3prl_plugin.corpora.readers.grids import UNREADABLE
from s3prl_plugin.corpora.readers.labels import Labels
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states.taps import SAMPLE_RATE

PARTS = ("train", "test", "all")
NO_LABELS = "no .phn beside the audio"
_AUDIO = (".wav", ".wav.wav", ".flac")  # some copies keep SPHERE as SA1.WAV and add RIFF as SA1.WAV.wav


def read(path: str | Path, phone_set: str = "39", part: str = "all", **labels: Any) -> Corpus:
    """Read TIMIT.

    Args:
        path: the folder above TRAIN and TEST, or above NLTK's speaker folders, or any folder within.
        phone_set: "39" (Lee and Hon's scoring set, closures and pauses as silence), "48", or "61" (as labelled).
        part: "train", "test" or "all"; NLTK's sample is all of it train.
        labels: see `labels.Labels`.

    Returns:
        Utterances named `fcjf0_sa1`; the sentence is the text's number, so that the two that everybody reads (sa1,
        sa2) are known as the same.

    Raises:
        UserError: no such folder, no TIMIT in it, or none of its utterances can be used.
    """
    root = Path(path)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give the one that holds TIMIT's TRAIN and TEST")
    phone_set = phone_sets.check_choice(phone_set)
    phone_set = {"auto": "39", "as_is": "61"}.get(phone_set, phone_set)
    if part not in PARTS:
        raise UserError(f"part={part!r}: {did_you_mean(part, PARTS)}")

    collector = Collector(root, Labels(phone_set, **labels))
    for folder, stem, files in _utterances(root, part):
        speaker = folder.name.lower().split("-")[-1]
        name = f"{speaker}_{stem}"
        if ".phn" not in files:
            collector.skip(name, NO_LABELS)
            continue
        try:
            phones = _segments(files[".phn"])
            words = _segments(files[".wrd"]) if ".wrd" in files else []
        except ValueError:
            collector.skip(name, UNREADABLE, folder)
            continue
        audio = next(files[suffix] for suffix in _AUDIO if suffix in files)
        collector.add(name, speaker, audio, phones, words, sentence=stem)
    name = "timit" if part == "all" else f"timit-{part}"
    return collector.corpus(name, "real")


def _utterances(root: Path, part: str) -> Iterator[tuple[Path, str, dict[str, Path]]]:
    """Folder, stem and suffix -> file of every utterance with audio, all in lower case but the paths."""
    for folder, names in folders.walk(root):
        if part != "all" and not _belongs(folder, part):
            continue
        files: dict[str, dict[str, Path]] = {}
        for name in names:
            stem, dot, suffix = name.lower().partition(".")
            files.setdefault(stem, {})[dot + suffix] = folder / name
        for stem, found in sorted(files.items()):
            if any(suffix in found for suffix in _AUDIO):
                yield folder, stem, found


def _belongs(folder: Path, part: str) -> bool:
    """Whether a folder lies in TRAIN or in TEST; NLTK's flat folders are of TRAIN."""
    parts = {name.lower() for name in folder.resolve().parts[-3:]}
    return part in parts or (part == "train" and "test" not in parts)


def _segments(path: Path) -> list[Segment]:
    """The lines `start end label` of a .phn or .wrd, in samples at 16 kHz; ValueError when they are not."""
    segments = []
    for line in path.read_text(encoding="latin-1").splitlines():
        if line.strip():
            start, end, label = line.split(maxsplit=2)
            segments.append(Segment(label.strip().lower(), int(start) / SAMPLE_RATE, int(end) / SAMPLE_RATE))
    return segments
