"""Generated keywords in the layout of Speech Commands v0.01, which s3prl's keyword spotting reads.

speech_commands_v0.01/yes/0a1b2c3d_nohash_0.wav        train and dev, told apart by the hash of the speaker's name
speech_commands_v0.01/_background_noise_/pink_noise.wav
speech_commands_test_set_v0.01/yes/...                 test, with the folders _unknown_ and _silence_
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.corpora.generated import spoken_lines
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.generated.recipe import VOICES, SpokenLine
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.states.taps import SAMPLE_RATE

TRAIN, TEST = "speech_commands_v0.01", "speech_commands_test_set_v0.01"
KEYWORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
OTHERS = ("bed", "cat", "house", "tree")  # what is to be told apart from keywords: _unknown_
NOISE, SILENCE, UNKNOWN = "_background_noise_", "_silence_", "_unknown_"
# How the takes of a speaker differ: rate as a factor, pitch in espeak-ng's units. The last one is for the test set.
_TAKES = ((1.0, 0), (0.85, -3), (0.92, 3))
_DEV_VOICES = 3
_NOISES = {"white_noise": 0.0, "pink_noise": 1.0, "brown_noise": 2.0}  # power falls with this power of the frequency
_NOISE_S = 8.0
_TEST_SILENCES = 12


def generate(folder: str | Path, skips: Skips | None = None) -> Path:
    """Generate the corpus: ten keywords and four other words by twelve voices, and noise.

    Args:
        folder: to be made; one that already holds it is kept.
        skips: nothing is left out of generated speech.

    Returns:
        The folder, which holds the training and the test set.

    Raises:
        UserError: espeak-ng is not installed, or the folder holds something else.
    """
    corpus = spoken_lines.speak(list(_lines()))
    return layout.write_once("speech_commands", corpus, folder, lambda to, _: _fill(corpus, to), skips)


def which_set(file_name: str) -> str:
    """Where Speech Commands puts a file: "train", "dev", or "spare" (its former test set, which no one uses).

    Args:
        file_name: as in `0a1b2c3d_nohash_0.wav`; what precedes `_nohash_` decides.

    Reference:
        Warden, "Speech Commands", 2018 (arXiv 1804.03209), section 5.
    """
    most = 2**27 - 1
    hashed = int(hashlib.sha1(file_name.partition("_nohash_")[0].encode()).hexdigest(), 16)
    percentage = (hashed % (most + 1)) * (100 / most)
    return "dev" if percentage < 10 else "spare" if percentage < 20 else "train"


def _lines() -> Iterator[SpokenLine]:
    """Every word by every voice in every take."""
    for speaker, (gender, voice) in VOICES.items():
        for take, (rate, pitch) in enumerate(_TAKES):
            varied = replace(voice, rate=round(voice.rate * rate), pitch=voice.pitch + pitch)
            for word in (*KEYWORDS, *OTHERS):
                yield SpokenLine(f"{speaker}_{word}_{take}", speaker, gender, varied, word)


def _fill(corpus: Corpus, folder: Path) -> None:
    """Put words and noise in their places."""
    names = _speaker_names()
    for utterance in corpus.utterances:
        layout.place(utterance, folder / _place(utterance, names))
    draw = np.random.default_rng(0)
    for name, slope in _NOISES.items():
        layout.save(_noise(slope, _NOISE_S, draw), folder / TRAIN / NOISE / f"{name}.wav")
        for i in range(_TEST_SILENCES // len(_NOISES)):
            layout.save(_noise(slope, 1.0, draw), folder / TEST / SILENCE / f"{name}_{i}.wav")


def _place(utterance: Utterance, names: dict[str, str]) -> Path:
    """Where an utterance goes."""
    speaker, word, take = utterance.name.split("_")
    file = f"{names[speaker]}_nohash_{take}.wav"
    if int(take) < len(_TAKES) - 1:
        return Path(TRAIN, word, file)
    return Path(TEST, word, file) if word in KEYWORDS else Path(TEST, UNKNOWN, f"{word}_{file}")


def _speaker_names() -> dict[str, str]:
    """Eight hexadecimal digits per speaker, which put the last voices into the dev set and the others into train."""
    names = {}
    for i, speaker in enumerate(VOICES):
        wanted = "dev" if i >= len(VOICES) - _DEV_VOICES else "train"
        tried = (hashlib.sha1(f"{speaker} {k}".encode()).hexdigest()[:8] for k in count())
        names[speaker] = next(name for name in tried if which_set(name) == wanted)
    return names


def _noise(slope: float, duration_s: float, draw: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with a power of the frequency, at a tenth of full scale."""
    spectrum = np.fft.rfft(draw.standard_normal(round(duration_s * SAMPLE_RATE)))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** (slope / 2)
    samples = np.fft.irfft(spectrum)
    return 0.1 * samples / np.abs(samples).max()
