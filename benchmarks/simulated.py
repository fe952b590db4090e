"""A corpus of any length without audio files: noise, with random phones and words, for benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from s3prl_plugin.analysis.one_pass.loading import Waveforms
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.corpora.corpus import Corpus, Segment, Utterance
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.states.taps import SAMPLE_RATE, States, Tap

SPEAKERS = 40
PHONES, PHONE_S = 40, 0.08
WORDS, PHONES_OF_A_WORD = 600, 4  # so few that an hour fills the samples of segments, which then grow no more
BATCH = 8
EDGE = 400  # samples: what is left of an utterance beyond whole frames


def corpus(hours: float, utterance_s: float) -> Corpus:
    """Utterances of equal length: phones of 80 ms, words of four phones, all equally frequent."""
    draw = np.random.default_rng(0)
    utterances = []
    for number in range(round(hours * 3600 / utterance_s)):
        starts = np.arange(0, utterance_s - PHONE_S, PHONE_S)
        labels = draw.integers(PHONES, size=len(starts))
        words = draw.integers(WORDS, size=len(starts) // PHONES_OF_A_WORD)
        utterances.append(
            Utterance(
                name=f"utterance{number:06d}",
                speaker=f"speaker{number % SPEAKERS:02d}",
                audio=Path("none"),
                duration_s=utterance_s,
                phones=tuple(
                    Segment(f"p{p}", float(s), float(s) + PHONE_S) for p, s in zip(labels, starts, strict=True)
                ),
                words=tuple(
                    Segment(f"w{w}", float(s), float(s) + PHONES_OF_A_WORD * PHONE_S)
                    for w, s in zip(words, starts[::PHONES_OF_A_WORD], strict=False)
                ),
            )
        )
    return Corpus("simulated", "generated", tuple(utterances))


def batches(plan: Plan) -> list[list[int]]:
    """The batches of a pass."""
    utterances, needed, fold = plan.corpus.utterances, plan.needed.tolist(), plan.folds.of_utterance
    return Waveforms(utterances, needed, fold, BATCH, 0, Skips()).batches


def noise(count: int, utterance_s: float, seed: int = 0) -> list[torch.Tensor]:
    """Waveforms, (L,) each."""
    draw = torch.Generator().manual_seed(seed)
    return [0.1 * torch.randn(round(utterance_s * SAMPLE_RATE), generator=draw) for _ in range(count)]


def cheap_states(taps: tuple[Tap, ...], total: int, utterance_s: float) -> Iterator[States]:
    """States of random numbers, as an upstream would give them for batches of noise."""
    waveforms = noise(BATCH, utterance_s)
    draw = torch.Generator().manual_seed(1)
    for _ in range(total):
        frames = [(len(waveforms[0]) - EDGE) // tap.stride for tap in taps]
        tensors = [torch.randn(BATCH, t, tap.dim, generator=draw) for t, tap in zip(frames, taps, strict=True)]
        yield States(taps, tensors, [torch.full((BATCH,), t) for t in frames], waveforms)
