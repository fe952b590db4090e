"""Any corpus as mixtures of two speakers in Kaldi folders, which s3prl's speaker diarization reads.

train/wav.scp, segments, utt2spk, spk2utt, reco2dur, rttm      likewise dev and test
train/wav/mix_0000.wav
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE

MIXTURES = {"train": 40, "dev": 10, "test": 10}
_TURNS = 2  # utterances of each speaker in a mixture
_OVERLAP = (0.1, 0.5)  # how much of a turn the next one speaks over, as a fraction of it
_LOUDEST = 0.9


@dataclass(frozen=True, slots=True)
class Turn:
    """One stretch of speech in a mixture, in seconds from its beginning."""

    speaker: str
    start_s: float
    end_s: float


def write(corpus: Corpus, folder: str | Path, skips: Skips | None = None) -> Path:
    """Mix a corpus for speaker diarization; no speaker is in two splits.

    In every mixture two speakers take turns, and each turn begins before the one before it has ended.

    Args:
        corpus: six speakers or more; where speech begins and ends is taken from phones or words, if there are any.
        folder: to be made; one that already holds this corpus's layout is kept. Its tables name its place.
        skips: collects the utterances whose audio turns out to be bad.

    Returns:
        The folder, which holds train, dev and test.

    Raises:
        UserError: too few speakers, or the folder holds something else.
    """
    place = Path(os.path.abspath(folder))
    return layout.write_once(
        "libri2mix", corpus, folder, lambda to, left_out: _fill(corpus, to, place, left_out), skips
    )


def _fill(corpus: Corpus, folder: Path, place: Path, left_out: Skips) -> None:
    """Mix every split."""
    draw = random.Random(0)
    for split, speakers in _splits(layout.by_speaker(corpus), corpus.name).items():
        mixtures: dict[str, list[Turn]] = {}
        durations: dict[str, float] = {}
        while len(mixtures) < MIXTURES[split]:
            name = f"mix_{len(mixtures):04d}"
            chosen = _draw_turns(speakers, draw)
            try:
                samples, turns = _mix(chosen, corpus.silence, draw)
            except audio.BadAudio as bad:
                _drop(speakers, chosen, bad, left_out, corpus.name)
                continue
            layout.save(samples, folder / split / "wav" / f"{name}.wav")
            mixtures[name], durations[name] = turns, len(samples) / SAMPLE_RATE
        _write_tables(folder / split, place / split / "wav", mixtures, durations)


def _splits(speakers: dict[str, list[Utterance]], name: str) -> dict[str, dict[str, list[Utterance]]]:
    """Two speakers or more for each split."""
    if len(speakers) < 2 * len(MIXTURES):
        raise UserError(
            f"{name}: {len(speakers)} speakers; diarization needs {2 * len(MIXTURES)} or more, two for each of train, "
            "dev and test; give another corpus or leave the task out"
        )
    names = list(speakers)
    each = max(2, len(names) // 6)
    members = {"train": names[: -2 * each], "dev": names[-2 * each : -each], "test": names[-each:]}
    return {split: {name: speakers[name] for name in chosen} for split, chosen in members.items()}


def _draw_turns(speakers: Mapping[str, Sequence[Utterance]], draw: random.Random) -> list[Utterance]:
    """Utterances of two speakers in turn."""
    pair = draw.sample(sorted(speakers), 2)
    return [draw.choice(speakers[speaker]) for _ in range(_TURNS) for speaker in pair]


def _drop(
    speakers: dict[str, list[Utterance]], chosen: Iterable[Utterance], bad: audio.BadAudio, left_out: Skips, name: str
) -> None:
    """Do without the utterances whose audio is bad."""
    for utterance in chosen:
        try:
            audio.load(utterance)
        except audio.BadAudio:
            left_out.add(bad.reason, utterance.name)
            speakers[utterance.speaker] = [u for u in speakers[utterance.speaker] if u is not utterance]
            if not speakers[utterance.speaker]:
                raise UserError(f"{name}: no readable audio of speaker {utterance.speaker}; mend it") from None


def _mix(chosen: Sequence[Utterance], silence: frozenset[str], draw: random.Random) -> tuple[np.ndarray, list[Turn]]:
    """The sum of the utterances, each laid over the end of the one before it, and who speaks when."""
    placed: list[tuple[int, np.ndarray]] = []
    turns: list[Turn] = []
    end = 0
    for utterance in chosen:
        samples = audio.load(utterance)
        shared = draw.uniform(*_OVERLAP) if placed else 0.0
        begin = max(end - round(shared * len(samples)), 0)
        first, last = _speech(utterance, silence)
        turns.append(Turn(utterance.speaker, begin / SAMPLE_RATE + first, begin / SAMPLE_RATE + last))
        placed.append((begin, samples))
        end = max(end, begin + len(samples))
    mixture = np.zeros(end)
    for begin, samples in placed:
        mixture[begin : begin + len(samples)] += samples
    return mixture * min(1.0, _LOUDEST / max(np.abs(mixture).max(), 1e-9)), turns


def _speech(utterance: Utterance, silence: frozenset[str]) -> tuple[float, float]:
    """From where to where an utterance is speech, in seconds."""
    said = [phone for phone in utterance.phones if phone.label not in silence] or list(utterance.words)
    return (said[0].start_s, max(s.end_s for s in said)) if said else (0.0, utterance.duration_s)


def _write_tables(
    folder: Path, audio_folder: Path, mixtures: Mapping[str, Sequence[Turn]], durations: Mapping[str, float]
) -> None:
    """Kaldi's files of one split."""
    lines: dict[str, list[str]] = {name: [] for name in ("wav.scp", "reco2dur", "segments", "utt2spk", "rttm")}
    spoken: dict[str, list[str]] = {}
    for mixture, turns in mixtures.items():
        lines["wav.scp"].append(f"{mixture} {audio_folder / mixture}.wav")
        lines["reco2dur"].append(f"{mixture} {durations[mixture]:.4f}")
        for i, turn in enumerate(turns):
            name = f"{turn.speaker}_{mixture}_{i}"
            lines["segments"].append(f"{name} {mixture} {turn.start_s:.4f} {turn.end_s:.4f}")
            lines["utt2spk"].append(f"{name} {turn.speaker}")
            spoken.setdefault(turn.speaker, []).append(name)
            span = f"{turn.start_s:.4f} {turn.end_s - turn.start_s:.4f}"
            lines["rttm"].append(f"SPEAKER {mixture} 1 {span} <NA> <NA> {turn.speaker} <NA> <NA>")
    lines["spk2utt"] = [f"{speaker} {' '.join(names)}" for speaker, names in spoken.items()]
    for name, content in lines.items():
        (folder / name).write_text("".join(f"{line}\n" for line in content), encoding="utf-8")
