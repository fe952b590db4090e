"""Small speech-like data to pre-train on: every frame is a tone whose pitch is its unit, written as fairseq has it."""

from pathlib import Path

import numpy as np
import soundfile
import yaml

HOP, RATE = 320, 16000


def waveform(units, draw):
    """One waveform of 20 ms per unit, and the rest of the last window."""
    pitches = np.repeat(200.0 + 150.0 * np.asarray(units), HOP)
    pitches = np.append(pitches, np.full(80, pitches[-1]))
    return (0.3 * np.sin(2 * np.pi * np.cumsum(pitches) / RATE) + 0.01 * draw.standard_normal(len(pitches))).astype(
        "f4"
    )


def write(folder: Path, utterances=10, classes=5, seed=0, least=20, most=40):
    """Write train.tsv, train.km, dict.km.txt and the audio; units last 3 to 6 frames. Returns the list's path."""
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows, labels = [str(folder)], []
    for i in range(utterances):
        count = int(draw.integers(least, most))
        units = np.repeat(draw.integers(classes, size=count), draw.integers(3, 7, size=count))[:count]
        samples = waveform(units, draw)
        soundfile.write(folder / f"u{i}.wav", samples, RATE, subtype="FLOAT")
        rows.append(f"u{i}.wav\t{len(samples)}")
        labels.append(" ".join(map(str, units)))
    (folder / "train.tsv").write_text("\n".join(rows) + "\n")
    (folder / "train.km").write_text("\n".join(labels) + "\n")
    (folder / "dict.km.txt").write_text("".join(f"{k} 1\n" for k in range(classes)))
    return folder / "train.tsv"


MODEL = {
    "encoder_layers": 1,
    "encoder_embed_dim": 32,
    "encoder_ffn_embed_dim": 64,
    "encoder_attention_heads": 2,
    "conv_feature_layers": "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2",
    "conv_pos": 16,
    "conv_pos_groups": 4,
}


def experiment(speech: Path, *, model=None, objective=None, runner=None, data=None, **sections):
    """A small pre-training's configuration."""
    return {
        "model": {**MODEL, **(model or {})},
        "objective": {"final_dim": 16, **(objective or {})},
        "runner": {"total_steps": 8, "log_step": 2, "save_step": 3, **(runner or {})},
        "optimizer": {"lr": 1e-3},
        "scheduler": {"num_warmup_steps": 2},
        "pretrain_expert": {
            "datarc": {
                "corpus": str(speech),
                "units": [str(speech.with_suffix(".km"))],
                "batch_seconds": 2.0,
                **(data or {}),
            }
        },
        **sections,
    }


def write_experiment(path: Path, **parts):
    """Write such a configuration; returns its path."""
    path.write_text(yaml.safe_dump(experiment(**parts)))
    return path
