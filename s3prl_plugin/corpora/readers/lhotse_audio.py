"""Where the audio of lhotse's recordings is, and that which lhotse itself has to read."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from s3prl_plugin.files import cache

INSTALL = "pip install 's3prl_plugin[lhotse]'"
TRANSFORMS = ("Resample", "Speed", "Tempo", "Volume")
ADDRESSES = ("http://", "https://", "s3://", "gs://")


class Unusable(Exception):
    """A recording that cannot be read; the message is the reason, the same for all with this fault."""


def audio_of(recording: dict[str, Any], channel: int, folder: Path) -> tuple[Path, int]:
    """The file that holds a channel of a recording, and which of the file's channels it is.

    Args:
        recording: as its manifest has it.
        channel: of the recording.
        folder: of the manifest; paths in it are of the working folder, as lhotse has them, or else of this one.

    Raises:
        Unusable: its audio is a command, or something that only lhotse can read and lhotse is missing or fails.
    """
    try:
        sources = [(str(s["type"]), list(s["channels"]), s["source"]) for s in recording["sources"]]
        transforms = [str(t["name"]) for t in recording.get("transforms") or ()]
    except (KeyError, TypeError):
        raise Unusable("a recording whose sources are not as lhotse writes them") from None
    mine = [source for source in sources if channel in source[1]]
    if not mine:
        raise Unusable(f"no channel {channel} in the recording")
    kind, channels, source = mine[0]
    if any(kind not in ("file", "url") for kind, _, _ in sources):
        raise Unusable(f"audio of type {kind!r}, which is not read (no command of a manifest is run); export files")
    if kind == "file" and not transforms:
        path = Path(str(source)).expanduser()
        return (path if path.is_absolute() or path.is_file() else folder / path), channels.index(channel)
    if any(name not in TRANSFORMS for name in transforms):
        raise Unusable(f"a recording with other transforms than {', '.join(TRANSFORMS)}; export it with them")
    if kind == "url" and not str(source).startswith(ADDRESSES):
        raise Unusable(f"an address that is none of {', '.join(ADDRESSES)}")
    return _decoded(recording), sorted(c for _, listed, _ in sources for c in listed).index(channel)


def _decoded(recording: dict[str, Any]) -> Path:
    """A recording as lhotse decodes it, kept in the cache."""
    folder = cache.folder("lhotse")
    path = folder / f"{hashlib.sha256(json.dumps(recording, sort_keys=True).encode()).hexdigest()[:16]}.wav"
    if path.is_file():
        return path
    try:
        from lhotse import Recording
    except ImportError:
        raise Unusable(f"audio that lhotse has to read, which is not installed: {INSTALL}") from None
    import soundfile

    try:
        loaded = Recording.from_dict(recording)
        samples = loaded.load_audio()
    except Exception as error:  # whatever the library and those that it reads with raise
        raise Unusable(f"audio that lhotse cannot read ({type(error).__name__})") from None
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".wav")
    os.close(handle)
    soundfile.write(temporary, samples.T, loaded.sampling_rate, subtype="FLOAT")
    os.replace(temporary, path)
    return path
