"""Corpora and States with a known truth: what the tests of the analyses have in common."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from s3prl_plugin.analysis import mel
from s3prl_plugin.analysis.expert import AnalysisExpert
from s3prl_plugin.analysis.one_pass.loading import Waveforms
from s3prl_plugin.corpora.corpus import Corpus, Segment, Utterance
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.results import Row
from s3prl_plugin.states.taps import SAMPLE_RATE, States, Tap

PHONES = ("aa", "iy", "uw", "s", "t", "m")
WORDS = ("one", "two", "three", "four")


def generator(*names: object) -> np.random.Generator:
    """A random generator for what `names` name."""
    return np.random.default_rng([zlib.crc32(str(n).encode()) for n in names])


def corpus(
    speakers: int = 8,
    per_speaker: int = 4,
    phones_each: int = 24,
    words: bool = True,
    phones: bool = True,
    shared_sentence: bool = False,
    seed: int = 0,
) -> Corpus:
    """Utterances of random phones of 40 to 200 ms, three phones to a word, with silence at both ends."""
    utterances = []
    for s in range(speakers):
        for u in range(per_speaker):
            name = f"spk{s:02d}_utt{u:02d}"
            rng = generator(seed, name)
            edges = 0.1 + np.concatenate([[0], np.cumsum(rng.integers(40, 200, phones_each) / 1000)])
            labels = rng.choice(PHONES, phones_each)
            said = [Segment(str(label), a, b) for label, a, b in zip(labels, edges[:-1], edges[1:], strict=True)]
            ends = [Segment("sil", 0.0, 0.1), Segment("sil", edges[-1], edges[-1] + 0.1)]
            spoken = [
                Segment(str(rng.choice(WORDS)), edges[i], edges[i + 3])
                for i in range(0, phones_each - phones_each % 3, 3)
            ]
            utterances.append(
                Utterance(
                    name=name,
                    speaker=f"spk{s:02d}",
                    audio=Path(f"{name}.wav"),
                    duration_s=float(edges[-1] + 0.1),
                    phones=(ends[0], *said, ends[1]) if phones else (),
                    words=tuple(spoken) if words else (),
                    sentence="the same" if shared_sentence and u == 0 else f"text {name}",
                )
            )
    return Corpus("planted", "generated", tuple(utterances), frozenset({"sil"}))


def waveform(utterance: Utterance) -> torch.Tensor:
    """Noise of the utterance's length, with a loudness that wanders."""
    rng = generator("wave", utterance.name)
    length = round(utterance.duration_s * SAMPLE_RATE)
    loudness = np.exp(np.interp(np.arange(length), np.linspace(0, length, 20), rng.standard_normal(20)))
    return torch.from_numpy((0.05 * loudness * rng.standard_normal(length)).astype(np.float32))


def phone_at(utterance: Utterance, stride: int, frames: int) -> np.ndarray:
    """(T,) the phone at the middle of every frame, as a position in PHONES; -1 where there is none."""
    middle = (np.arange(frames) + 0.5) * stride / SAMPLE_RATE
    found = np.full(frames, -1)
    for segment in utterance.phones:
        if segment.label in PHONES:
            found[(middle >= segment.start_s) & (middle < segment.end_s)] = PHONES.index(segment.label)
    return found


Feature = Callable[[Utterance, Tap, int], np.ndarray]


def noise(utterance: Utterance, tap: Tap, frames: int) -> np.ndarray:
    """(T, D) features that know nothing."""
    return generator("noise", utterance.name, tap.name).standard_normal((frames, tap.dim))


def phonetic(level: float) -> Feature:
    """Features that are a fixed random linear map of the one-hot phone, plus `level` times noise."""

    def feature(utterance: Utterance, tap: Tap, frames: int) -> np.ndarray:
        code = generator("code", tap.dim).standard_normal((len(PHONES) + 1, tap.dim))
        return code[phone_at(utterance, tap.stride, frames)] + level * noise(utterance, tap, frames)

    return feature


def states_of(utterances: Sequence[Utterance], taps: Sequence[Tap], features: Sequence[Feature]) -> States:
    """The States of a batch; frames past an utterance's length are filled with large garbage."""
    tensors, lengths = [], []
    for tap, feature in zip(taps, features, strict=True):
        rows = [feature(u, tap, frames_at(u, tap)) for u in utterances]
        padded = np.full((len(rows), max(map(len, rows)) + 1, tap.dim), 1e6, dtype=np.float32)
        for i, row in enumerate(rows):
            padded[i, : len(row)] = row
        tensors.append(torch.from_numpy(padded))
        lengths.append(torch.tensor([len(row) for row in rows]))
    return States(taps, tensors, lengths, [waveform(u) for u in utterances])


def frames_at(utterance: Utterance, tap: Tap) -> int:
    """Frames as a two-resolution model gives them; a decoder tap may have one more than an encoder tap."""
    finest = (round(utterance.duration_s * SAMPLE_RATE) - 400) // 320 + 1
    frames = -(-finest * 320 // tap.stride)
    return frames + (finest % 2 if (tap.block or "").startswith("dec") else 0)


def batches(
    corpus: Corpus,
    positions: Sequence[int],
    batch_size: int,
    taps: Sequence[Tap],
    features: Sequence[Feature],
    fold: np.ndarray | None = None,
) -> Iterator[tuple[States, list[int]]]:
    """The batches of a pass over utterances whose audio does not exist."""
    fold = np.zeros(len(corpus.utterances)) if fold is None else fold
    for chosen in Waveforms(corpus.utterances, positions, fold, batch_size, 0, Skips()).batches:
        yield states_of([corpus.utterances[p] for p in chosen], taps, features), chosen


def mel_map(utterance: Utterance, tap: Tap, frames: int) -> np.ndarray:
    """(T, D) features that are a fixed random linear map of the mel frames at the tap's rate."""
    at_rate = mel.at_stride(mel.log_mel(waveform(utterance)), tap.stride, frames).numpy()
    rows = at_rate @ generator("mel", tap.name).standard_normal((80, tap.dim))
    return np.concatenate([rows, np.repeat(rows[-1:], frames - len(rows), axis=0)])


def feed(expert: AnalysisExpert, features: Sequence[Feature], batch_size: int = 8, missing: Sequence[int] = ()) -> None:
    """One pass of an analysis over its plan's utterances, less those that are `missing`."""
    positions = [p for p in expert.plan.needed if p not in missing]
    for states, chosen in batches(expert.plan.corpus, positions, batch_size, expert.upstream_taps, features):
        expert("test", states, chosen, records={})


def rows_of(expert: AnalysisExpert) -> dict[tuple[str, ...], Row]:
    """The results of an analysis that are about taps, by (tap, measure, protocol, score)."""
    expert.log_records("test", records={}, logger=None, global_step=0)
    of_taps = [r for r in expert.rows if not r.measure.startswith("grid_")]
    found = {(str(r.tap), r.measure, str(r.protocol), r.score): r for r in of_taps}
    assert len(found) == len(of_taps)
    return found
