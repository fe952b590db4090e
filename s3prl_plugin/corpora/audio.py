"""Audio files as 16 kHz mono samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.errors import UserError
from s3prl_plugin.taps import SAMPLE_RATE

MIN_SAMPLES = 400
"""The receptive field of the convolutional front end: 25 ms, one frame."""

_UNKNOWN_LENGTH = 0x7FFF0000

UNREADABLE = "audio not readable"
SHORT = f"shorter than {MIN_SAMPLES} samples (25 ms)"
STEREO = "more than one channel"
NOT_FINITE = "NaN or infinite samples"


class BadAudio(UserError):
    """One audio file that cannot be used.

    Attributes:
        reason: short and the same for all files with this fault, so that skips can be counted by it.
    """

    def __init__(self, path: Path, reason: str, detail: str, cure: str):
        super().__init__(f"{path}: {reason}{': ' + detail if detail else ''}; {cure}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file's header says.

    Attributes:
        frames: samples per channel at the file's own rate.
        sample_rate: the file's own, in Hz.
        channels: how many.
    """

    frames: int
    sample_rate: int
    channels: int

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.frames / self.sample_rate


def info(path: str | Path, channel: int | None = None) -> AudioInfo:
    """Read a file's header, without decoding its samples.

    Args:
        path: WAV, FLAC, NIST SPHERE, or whatever else libsndfile reads.
        channel: the channel that is meant, counted from 0; needed for a file with several.

    Raises:
        BadAudio: missing, empty, unreadable, too short, or several channels and none named.
    """
    path = Path(path)
    with _open(path) as file:
        return _checked_header(path, file, channel)


def read(path: str | Path, channel: int | None = None) -> np.ndarray:
    """Read a file as the upstreams want it.

    Args:
        path: WAV, FLAC, NIST SPHERE, or whatever else libsndfile reads; another sample rate is resampled (soxr, HQ).
        channel: the channel that is meant, counted from 0; needed for a file with several.

    Returns:
        (L,) float32 samples at 16 kHz, full scale = 1.

    Raises:
        BadAudio: as for `info`, or the file is cut off, or it holds NaN or infinite samples.
    """
    path = Path(path)
    with _open(path) as file:
        header = _checked_header(path, file, channel)
        try:
            samples = file.read(dtype="float32", always_2d=True)[:, channel or 0]
        except soundfile.LibsndfileError as error:
            raise BadAudio(path, UNREADABLE, error.error_string or "decoding failed", "replace the file") from None
    if len(samples) != header.frames:
        detail = f"it ends after {len(samples)} of {header.frames} samples"
        raise BadAudio(path, UNREADABLE, detail, "replace the file")
    if not np.isfinite(samples).all():
        where = int(np.flatnonzero(~np.isfinite(samples))[0]) / header.sample_rate
        raise BadAudio(path, NOT_FINITE, f"the first at {where:.3f} s", "replace the file or remove the utterance")
    if header.sample_rate != SAMPLE_RATE:
        samples = soxr.resample(samples, header.sample_rate, SAMPLE_RATE, quality="HQ")
    return np.ascontiguousarray(samples)


def load(utterance: Utterance) -> np.ndarray:
    """The samples of an utterance, (L,) float32 at 16 kHz; see `read`."""
    return read(utterance.audio, utterance.channel)


def _open(path: Path) -> soundfile.SoundFile:
    """Open a file, or say in one line why not."""
    if not path.is_file():
        what = "it is a folder" if path.is_dir() else "no such file"
        raise BadAudio(path, "audio missing", what, "check the path in the manifest, or remove the utterance")
    if path.stat().st_size == 0:
        raise BadAudio(path, UNREADABLE, "the file is empty", "replace the file")
    with path.open("rb") as raw:
        head = raw.read(1024)
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        raise BadAudio(path, UNREADABLE, "shorten-compressed SPHERE", "decompress it first: sph2pipe -f wav IN OUT")
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        cure = "give WAV, FLAC or uncompressed NIST SPHERE"
        raise BadAudio(path, UNREADABLE, error.error_string.rstrip("."), cure) from None
    if _is_cut_off(head, file):
        file.close()
        raise BadAudio(path, UNREADABLE, "it ends before its header says", "replace the file")
    return file


def _is_cut_off(head: bytes, file: soundfile.SoundFile) -> bool:
    """Whether libsndfile took what is left of a file for the whole."""
    if head.startswith(b"NIST_1A"):
        stated = re.search(rb"^sample_count -i (\d+)", head, re.MULTILINE)
        return stated is not None and int(stated[1]) > file.frames
    data = re.search(r"^data\s*:\s*(\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    # A program that writes into a pipe cannot know the length, and states the largest.
    return data is not None and int(data[2]) < int(data[1]) < _UNKNOWN_LENGTH


def _checked_header(path: Path, file: soundfile.SoundFile, channel: int | None) -> AudioInfo:
    """The header, if audio of that shape can be analysed."""
    header = AudioInfo(file.frames, file.samplerate, file.channels)
    if header.channels > 1 and channel is None:
        raise BadAudio(path, STEREO, str(header.channels), "name one (channel=0) or mix them down first")
    if channel is not None and not 0 <= channel < header.channels:
        last = header.channels - 1
        raise BadAudio(path, f"no channel {channel}", f"it has {header.channels}", f"name one from 0 to {last}")
    if round(header.frames * SAMPLE_RATE / header.sample_rate) < MIN_SAMPLES:
        detail = f"{1000 * header.duration_s:.1f} ms"
        raise BadAudio(path, SHORT, detail, "remove the utterance: it has not one frame")
    return header
