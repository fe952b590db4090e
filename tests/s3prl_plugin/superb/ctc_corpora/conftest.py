"""s3prl's text encoders, and a small LibriSpeech."""

from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture(scope="session")
def encoder():
    """s3prl's load_text_encoder."""
    import s3prl_plugin

    s3prl_plugin.register()
    from s3prl.downstream.ctc.text import load_text_encoder

    return load_text_encoder


@pytest.fixture
def libri(tmp_path: Path) -> Path:
    """LibriSpeech with one split and three utterances."""
    chapter = tmp_path / "LibriSpeech" / "dev-clean" / "84" / "121123"
    chapter.mkdir(parents=True)
    for i in range(3):
        soundfile.write(chapter / f"84-121123-000{i}.flac", np.zeros(16000 + i), 16000)
    (chapter / "84-121123.trans.txt").write_text(
        "84-121123-0000 GO DO\n84-121123-0001 DO\n84-121123-0002 GO DO GO\n", encoding="utf-8"
    )
    return tmp_path / "LibriSpeech"
