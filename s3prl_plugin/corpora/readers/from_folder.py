"""A folder of recordings that has no table of its utterances yet: what is missing, and the table."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from s3prl_plugin.corpora import folders
from s3prl_plugin.corpora.readers.grids import SUFFIX
from s3prl_plugin.corpora.readers.tsv import write_table
from s3prl_plugin.errors import UserError

TABLE = "utterances.tsv"
AUDIO = (".wav", ".flac", ".sph", ".mp3", ".ogg", ".opus", ".aiff", ".aif", ".aifc", ".au", ".snd", ".w64", ".caf")
TRANSCRIPTS = (".lab", ".txt")
COLUMNS = "utt, audio (relative to the folder), speaker, and optionally sentence, transcript, session"


def missing(folder: Path) -> str | None:
    """What a folder lacks to be a corpus, in one line; None where it holds no audio."""
    audio, grids = _found(folder)
    if not audio:
        return None
    files = f"{len(audio)} audio files" + (f" and {grids} TextGrids" if grids else "")
    first = audio[0]
    speaker = first.parent.name or "SPEAKER"
    how = "" if first.parent.name else " --speaker '^([^_]+)_'"
    return (
        f"{folder}: {files} lie there, and no {TABLE} that names them. It has the columns {COLUMNS}, with single tabs "
        f"between them; a line: {first.stem}<TAB>{first.as_posix()}<TAB>{speaker}. "
        f"`s3prl-plugin ls corpus {folder} --write-manifest{how}` writes it"
    )


def write(folder: Path, speaker: str | None = None) -> str:
    """Write utterances.tsv for the audio in a folder and below it.

    An utterance is named after its file, or after its whole path where names come twice; a `.lab` or `.txt` beside it,
    as the Montreal aligner wants it, is its transcript.

    Args:
        folder: gets the table.
        speaker: a regular expression that finds the speaker in a file's path below the folder: its first group, or all
            of it; by default the speaker is the name of the folder that the file lies in.

    Returns:
        What was written, in one line.

    Raises:
        UserError: there is a table or no audio, or a speaker cannot be told.
    """
    table = folder / TABLE
    if table.exists():
        raise UserError(f"{table}: there already; remove or rename it to have it written anew")
    audio, _ = _found(folder) if folder.is_dir() else ([], 0)
    if not audio:
        raise UserError(f"{folder}: no audio files there; give the folder that holds them")
    taken = {path.with_suffix(""): path for path in reversed(audio)}
    stems = Counter(path.name for path in taken)
    whole = max(stems.values()) > 1
    rows = [
        ("-".join(bare.parts) if whole else bare.name, taken[bare].as_posix(), _speaker(folder, taken[bare], speaker))
        for bare in sorted(taken)
    ]
    said = [_transcript(folder / row[1]) for row in rows]
    header = ["utt", "audio", "speaker", *(["transcript"] if any(said) else [])]
    try:
        write_table(
            table, header, [(*row, *([text] if any(said) else [])) for row, text in zip(rows, said, strict=True)]
        )
    except ValueError:
        raise UserError(f"{folder}: a file's name holds a tab or a line break; rename it") from None
    except OSError as error:
        raise UserError(f"{table}: cannot be written ({error.strerror}); check the folder's permissions") from None
    line = f"wrote {table}: {len(rows)} utterances of {len({row[2] for row in rows})} speakers"
    twice = len(audio) - len(rows)
    return f"{line}; {twice} files that are there in a second format were left out" if twice else line


def _found(folder: Path) -> tuple[list[Path], int]:
    """The audio below a folder, as relative paths, and the number of TextGrids."""
    audio: list[Path] = []
    grids = 0
    for where, names in folders.walk(folder):
        for name in names:
            grids += name.lower().endswith(SUFFIX)
            if name.lower().endswith(AUDIO):
                audio.append((where / name).relative_to(folder))
    return sorted(audio, key=lambda path: (path.with_suffix(""), AUDIO.index(path.suffix.lower()))), grids


def _speaker(folder: Path, path: Path, pattern: str | None) -> str:
    """Whose a file is."""
    if pattern is None:
        if not path.parent.name:
            raise UserError(
                f"{folder / path}: the speaker cannot be told: the file lies in no folder of its speaker; say where "
                "its name has it: --speaker '^([^_]+)_' for ann_01.wav, or --speaker '^' where all are of one"
            )
        return path.parent.name
    try:
        match = re.search(pattern, path.as_posix())
    except re.error as error:
        raise UserError(f"--speaker {pattern!r}: no regular expression ({error}); mend it") from None
    if match is None:
        raise UserError(f"--speaker {pattern!r}: {path.as_posix()!r} has no such thing in it; mend the pattern")
    return (match[1] if match.re.groups else match[0]) or folder.resolve().name


def _transcript(audio: Path) -> str:
    """What stands in a text file beside an audio file."""
    for suffix in TRANSCRIPTS:
        try:
            return " ".join(audio.with_suffix(suffix).read_text(encoding="utf-8-sig").split())
        except (OSError, UnicodeDecodeError):
            continue
    return ""
