"""The quality of units, counted frame by frame and with scikit-learn."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import homogeneity_score

from s3prl_plugin.corpora import Segment, Utterance
from s3prl_plugin.pretraining.data.unit_files import UtteranceUnits
from s3prl_plugin.pretraining.data.units.quality import measure

STRIDE = 320


def corpus(seed=0, utterances=6):
    """Utterances with phones of any length, gaps between them, and units that follow the phones half of the time."""
    rng = np.random.default_rng(seed)
    made, sequences = [], []
    for i in range(utterances):
        time, phones = 0.011, []
        while time < 2:
            length = float(rng.uniform(0.03, 0.2))
            phones.append(Segment(str(rng.choice(["a", "b", "k", "sil"])), time, min(time + length, 2.0)))
            time += length + float(rng.choice([0, 0.05]))
        made.append(Utterance(f"u{i}", "s", Path(f"u{i}.wav"), 2.0, tuple(phones)))
        said = [phone_at(phones, t) for t in range(99)]
        sequences.append(
            np.array([rng.integers(9) if rng.random() < 0.5 else hash_of(label) for label in said], dtype=np.int64)
        )
    return made, sequences


def hash_of(label):
    return {"a": 0, "b": 1, "k": 2, "sil": 3, None: 4}[label]


def phone_at(phones, frame):
    centre = (frame + 0.5) * STRIDE / 16000
    return next((p.label for p in phones if p.start_s <= centre < p.end_s), None)


@pytest.mark.parametrize("speech_only", [False, True])
def test_purities_are_counted(speech_only):
    utterances, sequences = corpus()
    pairs = [
        (label, int(unit))
        for utterance, sequence in zip(utterances, sequences, strict=True)
        for t, unit in enumerate(sequence)
        if (label := phone_at(utterance.phones, t)) is not None and not (speech_only and label == "sil")
    ]
    by_unit, by_phone = Counter(u for _, u in pairs), Counter(p for p, _ in pairs)
    both = Counter(pairs)
    quality = measure(UtteranceUnits.gathered(sequences, 9, STRIDE), utterances, {"sil"})
    found = quality.speech if speech_only else quality.phones
    assert found.n == len(pairs)
    assert found.phone_purity == pytest.approx(sum(max(both[p, u] for p in by_phone) for u in by_unit) / len(pairs))
    assert found.cluster_purity == pytest.approx(sum(max(both[p, u] for u in by_unit) for p in by_phone) / len(pairs))
    assert found.pnmi == pytest.approx(homogeneity_score([p for p, _ in pairs], [u for _, u in pairs]))


def test_usage():
    sequences = [np.array([0, 0, 1, 1, 1, 1]), np.array([1, 3])]
    unphoned = [Utterance(name, "s", Path(name), 0.12) for name in "ab"]
    quality = measure(UtteranceUnits.gathered(sequences, 5, STRIDE), unphoned, ())
    entropy = -sum(p * math.log(p) for p in (2 / 8, 5 / 8, 1 / 8))
    assert (quality.frames, quality.clusters, quality.used) == (8, 5, 3)
    assert quality.perplexity == pytest.approx(math.exp(entropy))
    assert quality.mean_run_s == pytest.approx(8 * 0.02 / 4)
    assert quality.phones is None
    assert quality.speech is None
    assert len(quality.lines()) == 1
