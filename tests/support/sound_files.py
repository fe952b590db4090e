"""Audio files as programs leave them whose headers do not tell what is in them, and the same with what they hold."""

from pathlib import Path

import numpy as np
import soundfile

_KBIT = {
    3: [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
    2: [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
}
_HERTZ = {3: [44100, 48000, 32000], 2: [22050, 24000, 16000]}


def tones(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """(n,) float32: quiet, then loud; a tone at another frequency every half second."""
    t = np.arange(int(seconds * rate)) / rate
    hertz = np.random.default_rng(seed).uniform(300, 2500, int(2 * seconds) + 1)[(2 * t).astype(int)]
    return (np.where(t < seconds / 2, 0.003, 0.5) * np.sin(2 * np.pi * hertz * t)).astype("float32")


def write_mp3(path: Path, x: np.ndarray, rate: int, mode: str = "VARIABLE") -> bytes:
    """A whole MP3 with a LAME header, as libsndfile writes it."""
    soundfile.write(path, x, rate, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode=mode, compression_level=0.5)
    return path.read_bytes()


def without_first_frame(content: bytes) -> bytes:
    """An MP3 without the frame that states its length, as cutting and streaming leave it."""
    version = content[1] >> 3 & 3
    kbit, hertz = _KBIT[version][content[2] >> 4], _HERTZ[version][content[2] >> 2 & 3]
    return content[(144 if version == 3 else 72) * kbit * 1000 // hertz + (content[2] >> 1 & 1) :]


def id3(size: int) -> bytes:
    """An ID3v2 tag with a picture of so many bytes, which look like frames here and there."""
    noise = np.random.default_rng(1).integers(0, 256, size, dtype=np.uint8).tobytes()
    return b"ID3\x04\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + noise


def flac_stating(content: bytes, samples: int) -> bytes:
    """A FLAC whose header states another length; 0 stands for unknown, as when it was streamed."""
    changed = bytearray(content)
    changed[21] = changed[21] & 0xF0 | samples >> 32
    changed[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    if not samples:
        changed[26:42] = bytes(16)  # the checksum of the samples, unknown as well
    return bytes(changed)
