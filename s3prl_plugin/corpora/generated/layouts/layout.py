"""Folders in the layout of a published corpus: written whole, recognised when they are there already."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import soundfile
import yaml

from s3prl_plugin.corpora import audio, fingerprint
from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.files.unfinished import is_free, whole_folder
from s3prl_plugin.states.taps import SAMPLE_RATE

ABOUT = "layout.yaml"


def write_once(
    layout: str, corpus: Corpus, folder: str | Path, fill: Callable[[Path, Skips], None], skips: Skips | None = None
) -> Path:
    """Fill a folder with a corpus in some layout; one that holds the same corpus in the same layout is kept.

    Args:
        layout: its name.
        corpus: what is laid out; its audio decides whether a folder holds the same one.
        folder: to be made.
        fill: writes into an empty folder, which gets its name afterwards, and counts what it leaves out.
        skips: collects what was left out, now or when the folder was filled.

    Returns:
        The folder.

    Raises:
        UserError: the folder holds something else.
    """
    folder = Path(folder)
    about = {"layout": layout, "corpus": corpus.name, "kind": corpus.kind, "digest": digest(corpus.utterances)}
    if is_free(folder):
        left_out = Skips()
        with whole_folder(folder) as temporary:
            fill(temporary, left_out)
            said = {
                **about,
                "left_out": left_out.as_dict(),
                **({"versions": corpus.versions} if corpus.versions else {}),
            }
            (temporary / ABOUT).write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    else:
        left_out = Skips(_left_out(folder, about))
    if skips is not None:
        skips.merge(left_out)
    return folder


def digest(utterances: Iterable[Utterance]) -> str:
    """What tells these utterances' audio from others'; the same for a copy of it.

    Args:
        utterances: in any order.
    """
    utterances = list(utterances)
    return fingerprint.digest(utterances, fingerprint.of_utterances(utterances))


def place(utterance: Utterance, target: Path) -> None:
    """Put an utterance's audio into a layout: linked where it fits as it is, else converted to 16 kHz mono.

    Args:
        target: a .wav or .flac file; folders above it are made.

    Raises:
        BadAudio: the audio cannot be used.
    """
    audio.info(utterance.audio, utterance.channel)  # a bad file is told before anything is made for it
    if utterance.channel is None and utterance.start_s is None and _fits(utterance.audio, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(utterance.audio.resolve(), target)
        except OSError:
            shutil.copyfile(utterance.audio, target)
        return
    save(audio.load(utterance), target)


def save(samples: np.ndarray, target: Path) -> None:
    """Write 16 kHz mono audio with 16 bits; folders above it are made.

    Args:
        samples: (L,), full scale = 1.
        target: a .wav or .flac file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(target, samples, SAMPLE_RATE, subtype="PCM_16")


def by_speaker(corpus: Corpus) -> dict[str, list[Utterance]]:
    """The utterances of every speaker, speakers and utterances sorted by name."""
    speakers: dict[str, list[Utterance]] = {}
    for utterance in sorted(corpus.utterances, key=lambda u: u.name):
        speakers.setdefault(utterance.speaker, []).append(utterance)
    return dict(sorted(speakers.items()))


def _fits(path: Path, target: Path) -> bool:
    """Whether a file can be used as it is."""
    found = soundfile.info(str(path))
    wanted = (target.suffix[1:].upper(), "PCM_16", SAMPLE_RATE, 1)
    return (found.format, found.subtype, found.samplerate, found.channels) == wanted


def _left_out(folder: Path, about: dict[str, str]) -> dict[str, list[str]]:
    """What was left out when this folder was filled; a folder with anything else is refused."""
    try:
        found = yaml.safe_load((folder / ABOUT).read_text(encoding="utf-8"))
        left_out = {str(reason): list(names) for reason, names in found.pop("left_out").items()}
        found.pop("versions", None)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        raise UserError(f"{folder}: not empty, and not a layout written here; choose another folder") from None
    if found != about:
        raise UserError(f"{folder}: holds the layout of another corpus; choose another folder or remove it")
    return left_out
