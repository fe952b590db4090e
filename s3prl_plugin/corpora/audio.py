"""Audio files as 16 kHz mono samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import sound_file
from s3prl_plugin.states.taps import SAMPLE_RATE

MIN_SAMPLES = 400
"""The receptive field of the convolutional front end: 25 ms, one frame."""

UNREADABLE = "audio not readable"
SHORT = f"shorter than {MIN_SAMPLES} samples (25 ms)"
STEREO = "more than one channel"
OUTSIDE = "an utterance that is not in its file"
STRETCH_TOLERANCE_S = 0.02
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
    """What a file is.

    Attributes:
        frames: samples per channel at the file's own rate.
        sample_rate: the file's own, in Hz.
        channels: how many.
        note: what a user should know, said of several such files ("are ..."); empty for nothing.
    """

    frames: int
    sample_rate: int
    channels: int
    note: str = ""

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return self.frames / self.sample_rate


def info(path: str | Path, channel: int | None = None) -> AudioInfo:
    """Read a file's header; samples are decoded only where it does not tell how many there are.

    Args:
        path: WAV, FLAC, MP3, NIST SPHERE, or whatever else libsndfile reads.
        channel: the channel that is meant, counted from 0; needed for a file with several.

    Raises:
        BadAudio: missing, empty, unreadable, too short, or several channels and none named.
    """
    path = Path(path)
    with _opened(path) as sound:
        return _checked_header(path, sound, channel)


def read(
    path: str | Path, channel: int | None = None, start_s: float | None = None, duration_s: float = 0.0
) -> np.ndarray:
    """Read a file as the upstreams want it.

    Args:
        path: as for `info`; another sample rate is resampled (soxr, HQ).
        channel: the channel that is meant, counted from 0; needed for a file with several.
        start_s, duration_s: of the stretch that is read; None for the whole file.

    Returns:
        (L,) float32 samples at 16 kHz, full scale = 1.

    Raises:
        BadAudio: as for `info`, or the file is cut off, or it holds NaN or infinite samples.
    """
    path = Path(path)
    with _opened(path) as sound:
        header = _checked_header(path, sound, channel)
        stretch = (
            () if start_s is None else (round(start_s * header.sample_rate), round(duration_s * header.sample_rate))
        )
        samples = np.concatenate([block[:, channel or 0] for block in sound.blocks(*stretch)])
    if not np.isfinite(samples).all():
        where = int(np.flatnonzero(~np.isfinite(samples))[0]) / header.sample_rate
        raise BadAudio(path, NOT_FINITE, f"the first at {where:.3f} s", "replace the file or remove the utterance")
    if header.sample_rate != SAMPLE_RATE:
        samples = soxr.resample(samples, header.sample_rate, SAMPLE_RATE, quality="HQ")
    return np.ascontiguousarray(samples)


def checked_stretch(path: Path, header: AudioInfo, stretch: tuple[float, float] | None) -> tuple[float | None, float]:
    """Where an utterance begins in its file, and how long it is, in seconds.

    Args:
        path: the file, for messages.
        header: of the file.
        stretch: from when to when the utterance is; None for the whole file. An end up to a frame (20 ms) past the
            file's is the file's.

    Raises:
        BadAudio: it is not in the file, or too short.
    """
    if stretch is None:
        return None, header.duration_s
    start, end = stretch
    if not 0 <= start < end <= header.duration_s + STRETCH_TOLERANCE_S:
        detail = f"{start:g} to {end:g} of {header.duration_s:g} s"
        raise BadAudio(path, OUTSIDE, detail, "mend its times or remove the utterance")
    end = min(end, header.duration_s)
    if round((end - start) * SAMPLE_RATE) < MIN_SAMPLES:
        raise BadAudio(path, SHORT, f"{1000 * (end - start):.1f} ms", "remove the utterance: it has not one frame")
    return start, round(end - start, 9)


def load(utterance: Utterance) -> np.ndarray:
    """The samples of an utterance, (L,) float32 at 16 kHz; see `read`."""
    return read(utterance.audio, utterance.channel, utterance.start_s, utterance.duration_s)


@contextmanager
def _opened(path: Path) -> Iterator[sound_file.Sound]:
    """Open a file; what is wrong with it, also while it is decoded, in one line."""
    if not path.is_file():
        what = "it is a folder" if path.is_dir() else "no such file"
        raise BadAudio(path, "audio missing", what, "check the path in the manifest, or remove the utterance")
    try:
        with sound_file.opened(path) as sound:
            yield sound
    except sound_file.CannotRead as error:
        raise BadAudio(path, UNREADABLE, error.detail, error.cure) from None
    except OSError as error:
        raise BadAudio(path, UNREADABLE, error.strerror or "reading failed", "check its permissions") from None


def _checked_header(path: Path, sound: sound_file.Sound, channel: int | None) -> AudioInfo:
    """The header, if audio of that shape can be analysed."""
    header = AudioInfo(sound.frames, sound.sample_rate, sound.channels, sound.note)
    if header.channels > 1 and channel is None:
        raise BadAudio(path, STEREO, str(header.channels), "name one (channel=0) or mix them down first")
    if channel is not None and not 0 <= channel < header.channels:
        last = header.channels - 1
        raise BadAudio(path, f"no channel {channel}", f"it has {header.channels}", f"name one from 0 to {last}")
    if round(header.frames * SAMPLE_RATE / header.sample_rate) < MIN_SAMPLES:
        detail = f"{1000 * header.duration_s:.1f} ms"
        raise BadAudio(path, SHORT, detail, "remove the utterance: it has not one frame")
    return header
