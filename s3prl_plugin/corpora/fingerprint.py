"""What tells audio files from others without reading all of them: their size, their first bytes and eight blocks.

Copies, the same files on another machine and speech that was generated again have the same fingerprints: the time of
modification only tells that a file need not be read again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.results import replace_file

FILE_NAME = "audio.tsv"
ABSENT = "absent"

_BLOCK = 4096
_BLOCKS = 8


class Fingerprint(NamedTuple):
    """Of a file.

    Attributes:
        size: in bytes.
        modified_ns: when it was written.
        digest: of its size and of parts of its content; `ABSENT` where it cannot be read.
    """

    size: int
    modified_ns: int
    digest: str


def of_files(files: Mapping[str, Path], known: Mapping[str, Fingerprint] | None = None) -> dict[str, Fingerprint]:
    """The fingerprint of every file.

    Args:
        files: by a name.
        known: by the same names, from an earlier time; a file of the same size and time is not read again.
    """
    taken: dict[Path, Fingerprint] = {}
    found = {}
    for name, path in files.items():
        if path not in taken:
            taken[path] = _of_file(path, (known or {}).get(name))
        found[name] = taken[path]
    return found


def of_utterances(
    utterances: Iterable[Utterance], known: Mapping[str, Fingerprint] | None = None
) -> dict[str, Fingerprint]:
    """The fingerprint of every utterance's file, by the utterance's name."""
    return of_files({u.name: u.audio for u in utterances}, known)


def digest(utterances: Iterable[Utterance], fingerprints: Mapping[str, Fingerprint]) -> str:
    """A short name of what is heard: who says what in which audio, in whatever order it is given."""
    hashed = hashlib.sha256()
    for u in sorted(utterances, key=lambda u: u.name):
        stretch = (u.start_s, None if u.start_s is None else u.duration_s)
        hashed.update(repr((u.name, u.speaker, u.channel, *stretch, fingerprints[u.name].digest)).encode())
    return hashed.hexdigest()[:16]


def changed(before: Mapping[str, Fingerprint], now: Mapping[str, Fingerprint]) -> list[str]:
    """Names of files that are not what they were, sorted; not those that are there at one time only."""
    return sorted(name for name in before.keys() & now.keys() if before[name].digest != now[name].digest)


def repeated(utterances: Sequence[Utterance], fingerprints: Mapping[str, Fingerprint]) -> str | None:
    """What is to be said about audio that several utterances share, in one line; None where there is none."""
    heard: dict[tuple[object, ...], list[Utterance]] = {}
    for u in utterances:
        heard_in = fingerprints[u.name].digest
        if heard_in != ABSENT:
            heard.setdefault((heard_in, u.channel, u.start_s, round(u.duration_s, 6)), []).append(u)
    groups = [group for group in heard.values() if len(group) > 1]
    if not groups:
        return None
    more = sum(len(group) - 1 for group in groups)
    speakers = sum(len(group) for group in groups if len({u.speaker for u in group}) > 1)
    said = f"{more} of {len(utterances)} utterances repeat the audio of another"
    said += f", {speakers} share it with another speaker" if speakers else ""
    first = ", ".join(u.name for u in groups[0][:3])
    return f"{said} ({first}): folds then share it, and scores are too high; leave the copies out"


def read(path: Path) -> dict[str, Fingerprint]:
    """Fingerprints that `write` wrote; none where there is no such file, or it is damaged."""
    found = {}
    try:
        for line in path.read_text(encoding="utf-8").splitlines()[1:]:
            name, size, modified, digest_ = line.split("\t")
            found[name] = Fingerprint(int(size), int(modified), digest_)
    except (OSError, ValueError):
        return {}
    return found


def write(path: Path, fingerprints: Mapping[str, Fingerprint]) -> None:
    """Keep fingerprints as a table, whole or not at all; a name that a table cannot hold is left out."""
    rows = [f"{name}\t{p.size}\t{p.modified_ns}\t{p.digest}" for name, p in fingerprints.items() if name.isprintable()]
    replace_file(path, "\n".join(["name\tsize\tmodified_ns\tdigest", *rows, ""]).encode())


def several(names: Sequence[str], most: int = 3) -> str:
    """Some names and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _of_file(path: Path, known: Fingerprint | None) -> Fingerprint:
    """The fingerprint of one file; as it is known where its size and time say that it is the same."""
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            size = state.st_size
            if known is not None and known[:2] == (size, state.st_mtime_ns):
                return known
            hashed = hashlib.sha256(str(size).encode())
            hashed.update(_untimed(file.read(_BLOCK)))
            if size <= _BLOCK * (_BLOCKS + 1):
                hashed.update(file.read())
            else:
                for i in range(1, _BLOCKS + 1):  # the last block ends where the file does
                    file.seek((size - _BLOCK) * i // _BLOCKS)
                    hashed.update(file.read(_BLOCK))
            return Fingerprint(size, state.st_mtime_ns, hashed.hexdigest()[:16])
    except OSError:
        return Fingerprint(0, 0, ABSENT)


def _untimed(header: bytes) -> bytes:
    """A header without the second in which it was written, which libsndfile puts into those of float WAV and AIFF."""
    at = header.find(b"PEAK")
    if at < 0 or header[:4] not in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
        return header
    return header[: at + 12] + header[at + 16 :]
