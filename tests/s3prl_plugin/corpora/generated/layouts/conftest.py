"""Corpora to be laid out, and s3prl with its shims, which then reads the layouts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora.corpus import Corpus, Segment, Utterance

NATO = "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo"
WORDS = tuple(f"{NATO} sierra tango uniform victor whiskey xray yankee zulu".split())
SAMPLE_RATE = 16000


@pytest.fixture(scope="session")
def registered() -> None:
    """s3prl can be imported."""
    import s3prl_plugin

    s3prl_plugin.register()


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., Corpus]:
    """A corpus of noise bursts: an utterance is 0.1 s of silence, four words of 0.3 s, 0.1 s of silence.

    The words of an utterance follow each other in WORDS; every word is one phone, named after its first letter.
    """

    def speak(speakers: int = 6, each: int = 6, suffix: str = "wav", **changes: object) -> Corpus:
        utterances = []
        for s in range(speakers):
            for u in range(each):
                name = f"spk{s:02d}_{u}"
                draw = np.random.default_rng([s, u])
                samples = np.zeros(round(1.4 * SAMPLE_RATE))
                samples[1600:-1600] = draw.uniform(0.05, 0.3, len(samples) - 3200) * draw.choice((-1, 1))
                path = tmp_path / "audio" / f"{name}.{suffix}"
                path.parent.mkdir(exist_ok=True)
                soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16")
                said = [WORDS[(s + 3 * u + k) % len(WORDS)] for k in range(4)]
                words = tuple(Segment(word, 0.1 + 0.3 * k, 0.4 + 0.3 * k) for k, word in enumerate(said))
                phones = tuple(Segment(w.label[0], w.start_s, w.end_s) for w in words)
                silence = Segment("sil", 0.0, 0.1), Segment("sil", 1.3, 1.4)
                fields = {"words": words, "phones": (silence[0], *phones, silence[1]), **changes}
                utterances.append(Utterance(name, f"spk{s:02d}", path, 1.4, **fields))
        return Corpus("talk", "real", tuple(utterances), silence=frozenset({"sil"}))

    return speak
