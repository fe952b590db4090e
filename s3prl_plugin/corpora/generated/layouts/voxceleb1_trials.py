"""Any corpus in the layout of VoxCeleb1 with a list of trials, which s3prl's speaker verification reads.

dev/wav/id10001/linda_0003/00001.wav       speakers to train on
test/wav/id10270/michael_0001/00001.wav    other speakers, to be verified
voxceleb1_test_v2.txt                      a trial per line: `1 id10270/.../00001.wav id10270/.../00002.wav`, 1 = same
speakers.tsv                               id10001 -> linda
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.readers.tsv import write_table
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError

TRIALS, SPEAKERS = "voxceleb1_test_v2.txt", "speakers.tsv"
_MOST_TRIALS = 200  # of each kind
_TESTED = 3  # one speaker of so many is kept for the test


def write(corpus: Corpus, folder: str | Path, skips: Skips | None = None) -> Path:
    """Lay a corpus out for speaker verification; no speaker is both trained on and verified.

    Args:
        corpus: six speakers or more, those to be verified with two utterances at least.
        folder: to be made; one that already holds this corpus's layout is kept.
        skips: collects the utterances whose audio turns out to be bad.

    Returns:
        The folder (s3prl's `file_path`); its voxceleb1_test_v2.txt is s3prl's `test_meta_data`.

    Raises:
        UserError: too few speakers or utterances, or the folder holds something else.
    """
    return layout.write_once(
        "voxceleb1_trials", corpus, folder, lambda to, left_out: _fill(corpus, to, left_out), skips
    )


def _fill(corpus: Corpus, folder: Path, left_out: Skips) -> None:
    """Put the audio in its place and write the trials."""
    speakers = layout.by_speaker(corpus)
    if len(speakers) < 2 * _TESTED:
        raise UserError(
            f"{corpus.name}: {len(speakers)} speakers; speaker verification needs {2 * _TESTED} or more, some to train "
            "on and others to verify; give another corpus or leave the task out"
        )
    placed: dict[str, list[str]] = {}
    for i, (speaker, utterances) in enumerate(speakers.items()):
        split = "test" if i % _TESTED == _TESTED - 1 else "dev"
        paths = _place_all(utterances, f"id{10001 + i}", folder / split / "wav", left_out)
        if split == "test":
            placed[speaker] = paths
    (folder / TRIALS).write_text("".join(f"{line}\n" for line in _trials(placed, corpus.name)), encoding="utf-8")
    write_table(folder / SPEAKERS, ("id", "speaker"), [(f"id{10001 + i}", name) for i, name in enumerate(speakers)])


def _place_all(utterances: Sequence[Utterance], speaker: str, folder: Path, left_out: Skips) -> list[str]:
    """Put a speaker's audio in its place; the paths below `wav`."""
    paths = []
    for k, utterance in enumerate(utterances, 1):
        # Trials are separated by spaces: keep letters, digits, - and _.
        session = re.sub(r"[^\w-]", "_", utterance.name, flags=re.ASCII)
        path = f"{speaker}/{session}/{k:05d}.wav"
        try:
            layout.place(utterance, folder / path)
        except audio.BadAudio as bad:
            left_out.add(bad.reason, utterance.name)
        else:
            paths.append(path)
    return paths


def _trials(placed: Mapping[str, Sequence[str]], name: str) -> list[str]:
    """As many pairs by one speaker as by two, drawn from all that there are."""
    draw = random.Random(0)
    same = [pair for paths in placed.values() for pair in combinations(paths, 2)]
    others = [(a, b) for one, two in combinations(placed.values(), 2) for a in one for b in two]
    count = min(len(same), len(others), _MOST_TRIALS)
    if count == 0:
        raise UserError(f"{name}: no speaker to be verified has two readable utterances; give another corpus")
    pairs = [(label, *pair) for label, kind in ((1, same), (0, others)) for pair in sorted(draw.sample(kind, count))]
    return [f"{label} {a} {b}" for label, a, b in pairs]
