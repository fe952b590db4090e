"""Audio files as they are: what decodes is what there is, whatever a header says.

libsndfile reads most formats. MP3, whose length it estimates, and FLAC of unknown length, whose end it loses, are
decoded by miniaudio.
"""

from __future__ import annotations

import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import miniaudio
import numpy as np
import soundfile

from s3prl_plugin.files import mpeg

Source = str | os.PathLike[str] | BinaryIO

BLOCK = 1 << 16
"""Samples per channel that are decoded at once: a header that lies asks for no memory."""

LENGTH_UNSAID = "state no length in their header: what decodes is taken"
END_UNMARKED = "are Ogg streams without an end mark, as broken-off ones are: what is there is taken"

_UNKNOWN = 1 << 62  # libsndfile's length of a file whose header states none
_UNKNOWN_BYTES = 0x7F000000  # and what programs write as a size that they cannot know, at least
_SPARSEST = 64  # samples in a byte; only digital silence is smaller, or a header lies


class CannotRead(Exception):
    """A file that is no audio, or not all of it.

    Attributes:
        detail: what is wrong with it.
        cure: what helps.
    """

    def __init__(self, detail: str, cure: str = "replace the file"):
        super().__init__(detail)
        self.detail, self.cure = detail, cure


@dataclass(frozen=True)
class Sound:
    """An audio file, open for reading.

    Attributes:
        frames: samples per channel.
        sample_rate: in Hz.
        channels: how many.
        format, subtype: libsndfile's names.
        note: what a user should know, said of several such files ("are ..."); empty for nothing.
        decode: (first sample, NumPy type) -> blocks of (n, channels) samples from there to the end.
    """

    frames: int
    sample_rate: int
    channels: int
    format: str
    subtype: str
    note: str
    decode: Callable[[int, str], Iterator[np.ndarray]]

    def blocks(self, start: int = 0, most: int = -1, dtype: str = "float32") -> Iterator[np.ndarray]:
        """Samples of the file, block by block; the first one may be empty.

        Args:
            start: how many to leave out.
            most: how many to read at most; all that remain when negative.
            dtype: NumPy's name; only libsndfile's formats give others than float32.

        Yields:
            (n, channels), full scale = 1 for floats.

        Raises:
            CannotRead: decoding fails, or the file ends before its header says.
        """
        left = max(0, self.frames - start)
        left = left if most < 0 else min(most, left)
        yield np.zeros((0, self.channels), dtype)
        at = start
        for block in self.decode(start, dtype) if left else ():
            yield block[:left]
            at += len(block)
            left -= min(left, len(block))
            if not left:
                return
        if left:
            raise CannotRead(f"it ends after {at} of {self.frames} samples")


@contextmanager
def opened(source: Source) -> Iterator[Sound]:
    """Open a file, or an open binary file that can seek.

    Raises:
        CannotRead: it is no audio, or ends before its header says, or its header states what cannot be.
        OSError: it cannot be read.
    """
    head, size = _head_and_size(source)
    if not size:
        raise CannotRead("the file is empty")
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        raise CannotRead("shorten-compressed SPHERE", "decompress it first: sph2pipe -f wav IN OUT")
    if mpeg.is_mpeg(head):
        yield _mpeg(_bytes(source))
        return
    try:
        file = soundfile.SoundFile(os.fspath(source) if isinstance(source, str | os.PathLike) else source)
        if not file.frames:
            file = _with_open_length(file, source)
    except soundfile.LibsndfileError as error:
        cure = "give WAV, FLAC, MP3 or uncompressed NIST SPHERE"
        raise CannotRead(error.error_string.rstrip("."), cure) from None
    with file:
        if file.format == "MP3":
            yield _mpeg(_bytes(source))
        elif file.frames >= _UNKNOWN:
            yield _of_unknown_length(file, _bytes(source))
        else:
            yield _of_libsndfile(file, head, size, source)


def _head_and_size(source: Source) -> tuple[bytes, int]:
    """The first bytes of a file, as far as a tag in front of the sound may reach, and how many it has."""
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            return mpeg.read_head(file), os.fstat(file.fileno()).st_size
    here = source.tell()
    head = mpeg.read_head(source)
    size = source.seek(0, os.SEEK_END) - here
    source.seek(here)
    return head, size


def _bytes(source: Source) -> bytes:
    """All of a file."""
    if isinstance(source, str | os.PathLike):
        return Path(source).read_bytes()
    source.seek(0)
    return source.read()


def _of_libsndfile(file: soundfile.SoundFile, head: bytes, size: int, source: Source) -> Sound:
    """A file whose length libsndfile knows."""
    frames, note = file.frames, ""
    if head.startswith(b"NIST_1A"):
        stated = re.search(rb"^sample_count -i (\d+)", head, re.MULTILINE)
        if stated is not None and int(stated[1]) > frames:
            raise CannotRead("it ends before its header says")
        frames = int(stated[1]) if stated is not None else frames  # what follows is no sound
    elif file.format == "OGG":
        note = _ogg_end(source)
    elif _is_cut_off(file):
        raise CannotRead("it ends before its header says")
    sound = Sound(frames, file.samplerate, file.channels, file.format, file.subtype, note, _libsndfile(file))
    if frames > _SPARSEST * size:
        try:
            deque(sound.blocks(), maxlen=0)
        except CannotRead:
            hours = frames / file.samplerate / 3600
            raise CannotRead(f"its header states {frames} samples ({hours:.3g} hours); there are fewer in it") from None
    return sound


def _libsndfile(file: soundfile.SoundFile) -> Callable[[int, str], Iterator[np.ndarray]]:
    """How libsndfile decodes; GSM 6.10, G.721 and G.723 cannot be sought in, and are read from their start."""

    def decode(start: int, dtype: str) -> Iterator[np.ndarray]:
        try:
            if file.seekable():
                file.seek(start)
                start = 0
            while len(block := file.read(BLOCK, dtype=dtype, always_2d=True)):
                if start < len(block):
                    yield block[start:]
                start = max(0, start - len(block))
        except soundfile.LibsndfileError as error:
            raise CannotRead(error.error_string.rstrip(".") or "decoding failed") from None

    return decode


def _is_cut_off(file: soundfile.SoundFile) -> bool:
    """Whether libsndfile took what is left of a file for the whole: its log has what is stated, and what is there."""
    names, unknown = r"data|SSND|BODY|Data Size", _UNKNOWN_BYTES
    if file.format in ("W64", "RF64"):  # sizes of 64 bits
        names, unknown = r"riff|Riff size", _UNKNOWN
    sizes = re.findall(rf"^ *(?:{names})\s*:\s*(\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    return any(int(there) < int(stated) < unknown for stated, there in sizes)


def _with_open_length(file: soundfile.SoundFile, source: Source) -> soundfile.SoundFile:
    """A WAV or AU whose header states no bytes, as a program leaves it that could not go back: all that follow."""
    content = bytearray(_bytes(source)) if file.format in ("WAV", "WAVEX", "AU") else bytearray()
    place, after = (8, int.from_bytes(content[4:8], "big")) if content[:4] == b".snd" else _empty_data(content)
    stated = int.from_bytes(content[place : place + 4], "big" if file.format == "AU" else "little")
    if not place or len(content) <= after or 0 < stated < _UNKNOWN_BYTES:
        return file
    file.close()
    content[place : place + 4] = b"\xff" * 4
    return soundfile.SoundFile(io.BytesIO(content))


def _empty_data(content: bytes | bytearray) -> tuple[int, int]:
    """Where the size of a WAV's data stands, and where they begin; (0, 0) where there are none.

    A file may well hold no samples, and have other chunks after them.
    """
    at, order = 12, "little" if content[:4] == b"RIFF" else "big"
    while at + 8 <= len(content) and content[at : at + 4] != b"data":
        size = int.from_bytes(content[at + 4 : at + 8], order)  # type: ignore[arg-type]
        at += 8 + size + size % 2
    start = at + 8
    if start >= len(content):
        return 0, 0
    follows = int.from_bytes(content[start + 4 : start + 8], order)  # type: ignore[arg-type]
    is_chunk = re.fullmatch(rb"[ -~]{4}", bytes(content[start : start + 4])) and start + 8 + follows <= len(content)
    return (0, 0) if is_chunk else (at + 4, start)


def _ogg_end(source: Source) -> str:
    """What is to be said about how an Ogg stream ends.

    Raises:
        CannotRead: in the middle of a page.
    """
    longest = 27 + 255 + 255 * 255  # a page: its header, its table, its segments
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * longest))
            tail = file.read()
    else:
        tail = _bytes(source)[-2 * longest :]
    at = tail.rfind(b"OggS\0")
    while at >= 0 and (end := at + 27 + (tail[at + 26] if at + 26 < len(tail) else 256)) <= len(tail):
        if end + sum(tail[at + 27 : end]) <= len(tail):
            return "" if tail[at + 5] & 4 else END_UNMARKED
        break
    raise CannotRead("it ends in the middle of a page")


def _of_unknown_length(file: soundfile.SoundFile, content: bytes) -> Sound:
    """FLAC that was streamed: its header states no length, and libsndfile fails where it ends."""
    decode = _miniaudio(content, file.channels, file.samplerate)
    frames = sum(map(len, decode(0, "float32")))
    return Sound(frames, file.samplerate, file.channels, file.format, file.subtype, LENGTH_UNSAID, decode)


def _mpeg(content: bytes) -> Sound:
    """MP3, with its frames counted where the first one does not say how many there are."""
    content = mpeg.without_tag(content)
    try:
        found = miniaudio.mp3_get_info(content)
    except miniaudio.MiniaudioError:
        raise CannotRead("no MPEG audio frames in it", "give WAV, FLAC or MP3") from None
    note = "" if mpeg.states_delay(content) else mpeg.LATE
    decode = _miniaudio(content, found.nchannels, found.sample_rate)
    return Sound(found.num_frames, found.sample_rate, found.nchannels, "MP3", "MPEG_LAYER_III", note, decode)


def _miniaudio(content: bytes, channels: int, sample_rate: int) -> Callable[[int, str], Iterator[np.ndarray]]:
    """How miniaudio decodes."""

    def decode(start: int, dtype: str) -> Iterator[np.ndarray]:
        kind = miniaudio.SampleFormat.FLOAT32
        try:
            for samples in miniaudio.stream_memory(content, kind, channels, sample_rate, BLOCK):
                block = np.array(samples, dtype=dtype).reshape(-1, channels)
                if start < len(block):
                    yield block[start:]
                start = max(0, start - len(block))
        except miniaudio.MiniaudioError as error:
            raise CannotRead(str(error) or "decoding failed") from None

    return decode
