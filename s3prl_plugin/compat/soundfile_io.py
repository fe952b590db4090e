"""torchaudio's `load`, `info` and `save`, on libsndfile and what stands in for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3prl_plugin.errors import UserError

if TYPE_CHECKING:
    from s3prl_plugin.files.sound_file import Sound, Source

# libsndfile's names of how samples are stored: torchaudio's name, bits
_ENCODINGS = {
    "PCM_S8": ("PCM_S", 8),
    "PCM_U8": ("PCM_U", 8),
    "PCM_16": ("PCM_S", 16),
    "PCM_24": ("PCM_S", 24),
    "PCM_32": ("PCM_S", 32),
    "FLOAT": ("PCM_F", 32),
    "DOUBLE": ("PCM_F", 64),
    "ULAW": ("ULAW", 8),
    "ALAW": ("ALAW", 8),
    "VORBIS": ("VORBIS", 0),
    "OPUS": ("OPUS", 0),
    "MPEG_LAYER_III": ("MP3", 0),
}
# how a WAV file's samples are read when they are not to be normalised
_NATIVE = {"PCM_16": "int16", "PCM_24": "int32", "PCM_32": "int32", "FLOAT": "float32", "DOUBLE": "float64"}
# how samples are stored by default, by their type
_SUBTYPES = {
    "torch.uint8": "PCM_U8",
    "torch.int16": "PCM_16",
    "torch.int32": "PCM_32",
    "torch.float32": "FLOAT",
    "torch.float64": "DOUBLE",
}


@dataclass(frozen=True, slots=True)
class AudioMetaData:
    """What an audio file's header says.

    Attributes:
        sample_rate: in Hz.
        num_frames: samples per channel.
        num_channels: 1 for mono.
        bits_per_sample: 0 where the format has no such number.
        encoding: torchaudio's name: PCM_S, PCM_U, PCM_F, FLAC, MP3, VORBIS, ULAW, ALAW, OPUS or UNKNOWN.
    """

    sample_rate: int
    num_frames: int
    num_channels: int
    bits_per_sample: int
    encoding: str


def load(
    uri: Source,
    frame_offset: int = 0,
    num_frames: int = -1,
    normalize: bool = True,
    channels_first: bool = True,
    format: str | None = None,
    buffer_size: int = 4096,
    backend: str | None = None,
) -> tuple[Any, int]:
    """Read audio as torchaudio.load does.

    Args:
        uri: a path, or a binary file that can seek.
        frame_offset: samples to skip.
        num_frames: samples to read at most; -1 for all that remain.
        normalize: True gives float32 in [-1, 1]; False gives a WAV file's samples in the type in which it stores
            them (24 bits in int32); files of other formats are always float32.
        channels_first: (channels, samples) instead of (samples, channels).
        format, buffer_size, backend: accepted and not needed.

    Returns:
        The samples, and their rate in Hz.

    Raises:
        UserError: there is no such file, or it is no audio, or cut off.
        ValueError: a negative offset, or no number of samples.
    """
    import numpy as np
    import torch

    if frame_offset < 0:
        raise ValueError(f"frame_offset is {frame_offset}: it counts samples from the beginning")
    if num_frames == 0 or num_frames < -1:
        raise ValueError(f"num_frames is {num_frames}: give a number of samples, or -1 for all of them")
    with _opened(uri) as file:
        if normalize or file.format not in ("WAV", "WAVEX"):
            stored, dtype = None, "float32"
        else:
            stored = file.subtype
            dtype = _NATIVE.get(stored, "int16" if stored == "PCM_U8" else "float32")
        samples = np.concatenate(list(file.blocks(frame_offset, num_frames, dtype)))
        rate = file.sample_rate
    if stored == "PCM_U8":  # libsndfile has no unsigned type: it gives 256 times the sample's distance from 128
        samples = (samples // 256 + 128).astype("uint8")
    if channels_first:
        samples = samples.T.copy()
    return torch.from_numpy(samples), rate


def info(uri: Source, format: str | None = None, buffer_size: int = 4096, backend: str | None = None) -> AudioMetaData:
    """Read an audio file's header as torchaudio.info does.

    Args:
        uri: a path, or a binary file that can seek.
        format, buffer_size, backend: accepted and not needed.

    Raises:
        UserError: there is no such file, or it is no audio, or cut off.
    """
    with _opened(uri) as file:
        encoding, bits = _ENCODINGS.get(file.subtype, ("UNKNOWN", 0))
        if file.format == "FLAC":
            encoding = "FLAC"
        return AudioMetaData(file.sample_rate, file.frames, file.channels, bits, encoding)


def save(
    uri: Source,
    src: Any,
    sample_rate: int,
    channels_first: bool = True,
    format: str | None = None,
    encoding: str | None = None,
    bits_per_sample: int | None = None,
    buffer_size: int = 4096,
    backend: str | None = None,
    compression: float | int | None = None,
) -> None:
    """Write audio as torchaudio.save does.

    Args:
        uri: a path whose ending names the format, or a binary file.
        src: (channels, samples), or (samples, channels) without `channels_first`; float32 is stored as such in WAV,
            integers with their number of bits; FLAC has 16 bits by default.
        sample_rate: in Hz.
        channels_first: see `src`.
        format: in place of the path's ending.
        encoding: PCM_S, PCM_U, PCM_F, ULAW or ALAW.
        bits_per_sample: 8, 16, 24, 32 or 64.
        buffer_size, backend, compression: accepted and not needed.

    Raises:
        UserError: the format cannot hold such samples, or the file cannot be written.
        ValueError: the samples have not two dimensions.
    """
    import soundfile

    if src.ndim != 2:
        raise ValueError(f"samples of shape {tuple(src.shape)}: two dimensions are needed, channels and samples")
    ending = Path(os.fspath(uri)).suffix[1:] if isinstance(uri, str | os.PathLike) else ""
    kind = (format or ending).upper()
    subtype = _subtype(kind, str(src.dtype), encoding, bits_per_sample)
    samples = src.detach().cpu().numpy()
    if subtype == "PCM_U8" and samples.dtype == "uint8":  # the type that libsndfile lacks: see `load`
        samples = (samples.astype("int16") - 128) * 256
    try:
        soundfile.write(uri, samples.T if channels_first else samples, sample_rate, subtype=subtype, format=kind)
    except (OSError, TypeError, ValueError, soundfile.LibsndfileError) as error:
        raise UserError(f"{uri}: cannot be written as {kind or 'audio'} ({_reason(error)})") from None


def _subtype(kind: str, dtype: str, encoding: str | None, bits: int | None) -> str | None:
    """libsndfile's name for how the samples are to be stored; None for the format's own."""
    if encoding in ("ULAW", "ALAW"):
        return encoding
    if encoding is not None or bits is not None:
        # 8 bits are unsigned in WAV, whatever was asked for; floating point starts at 32.
        wanted = (encoding or ("PCM_U" if bits == 8 and kind == "WAV" else "PCM_S"), bits)
        for name, (known, size) in _ENCODINGS.items():
            if known == wanted[0] and size == (wanted[1] or (32 if known == "PCM_F" else 16)):
                return name
        raise UserError(f"encoding {encoding}, bits_per_sample {bits}: there is no such way to store samples")
    if kind in ("WAV", "WAVEX"):
        return _SUBTYPES.get(dtype)
    return "PCM_16" if kind == "FLAC" else None


@contextmanager
def _opened(uri: Source) -> Iterator[Sound]:
    """The file, open for reading; its errors in one line."""
    from s3prl_plugin.files import sound_file

    if isinstance(uri, str | os.PathLike) and not Path(uri).is_file():
        raise UserError(f"{uri}: no such audio file; check the path, and the corpus's folder in the config")
    try:
        with sound_file.opened(uri) as sound:
            yield sound
    except sound_file.CannotRead as error:
        raise UserError(f"{uri}: cannot be read as audio ({error.detail}); {error.cure}") from None


def _reason(error: Exception) -> str:
    """The library's own words, without the path that it repeats."""
    return getattr(error, "error_string", str(error)).strip().rstrip(".")
