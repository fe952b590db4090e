"""Small corpora, written by hand, and the TIMIT sample where it is."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def timit_sample() -> Path:
    """The folder of the TIMIT sample; the test is skipped where there is none."""
    shared = Path(os.environ.get("S3PRL_PLUGIN_SHARED", ROOT.parent / "shared"))
    sample = Path(os.environ.get("S3PRL_PLUGIN_TIMIT", shared / "data" / "timit_sample"))
    if not (sample / "utterances.tsv").is_file():
        pytest.skip(f"no TIMIT sample in {sample}; set S3PRL_PLUGIN_TIMIT")
    return sample


@pytest.fixture
def write_audio() -> Callable[..., Path]:
    """Writes noise to a file: path, samples, rate, channels."""

    def write(path: Path, samples: int = 16000, rate: int = 16000, channels: int = 1, **how: str) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(samples).uniform(-0.5, 0.5, (samples, channels))
        soundfile.write(path, noise, rate, **how)
        return path

    return write


@pytest.fixture
def write_manifest(tmp_path: Path, write_audio: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a manifest of one-second utterances a, b, ..., each by its own speaker, and tables given as rows."""

    def write(utterances: str = "ab", phones: Iterable[tuple] = (), words: Iterable[tuple] = ()) -> Path:
        for utt in utterances:
            write_audio(tmp_path / f"{utt}.wav")
        rows = [f"{utt}\t{utt}.wav\tspeaker_{utt}" for utt in utterances]
        (tmp_path / "utterances.tsv").write_text("\n".join(["utt\taudio\tspeaker", *rows]) + "\n")
        for name, segments in (("phones", list(phones)), ("words", list(words))):
            if segments:
                lines = ["\t".join(map(str, segment)) for segment in segments]
                (tmp_path / f"{name}.tsv").write_text("\n".join(["utt\tlabel\tstart_s\tend_s", *lines]) + "\n")
        return tmp_path

    return write
