"""A second model with a planted truth: it knows an utterance by its waveform."""

from __future__ import annotations

from collections.abc import Sequence

import planted
import torch

from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.states.taps import States, Tap


class PlantedModel:
    """Stands in for `SecondUpstream`: gives every utterance the features that are planted for it.

    Attributes:
        calls: how many batches it was asked for.
    """

    def __init__(self, corpus: Corpus, taps: Sequence[Tap], features: Sequence[planted.Feature], name: str = "second"):
        self.name = name
        self.digest = f"digest of {name}"
        self.taps = tuple(taps)
        self.features = features
        self.calls = 0
        self._utterance = {tuple(planted.waveform(u)[:8].tolist()): u for u in corpus.utterances}

    def __call__(self, waveforms: Sequence[torch.Tensor]) -> States:
        self.calls += 1
        utterances = [self._utterance[tuple(wave[:8].tolist())] for wave in waveforms]
        return planted.states_of(utterances, self.taps, self.features)


def latent(name: str, dim: int) -> planted.Feature:
    """(T, dim) noise of a name at 20 ms, averaged to a tap's frame rate: what several taps can have in common."""

    def feature(utterance, tap, frames):
        fine = planted.generator("latent", name, utterance.name).standard_normal((4 * frames * tap.stride // 320, dim))
        return fine[: frames * tap.stride // 320].reshape(frames, tap.stride // 320, dim).mean(axis=1)

    return feature


def mixed(*parts: planted.Feature, seed: object = 0) -> planted.Feature:
    """An invertible linear map of some features side by side, filled up with noise to a tap's dimension."""

    def feature(utterance, tap, frames):
        known = [part(utterance, tap, frames) for part in parts]
        own = planted.generator("own", seed, utterance.name, tap.name).standard_normal((frames, tap.dim))
        rows = planted.np.concatenate([*known, own], axis=1)[:, : tap.dim]
        return rows @ planted.generator("mix", seed, tap.name).standard_normal((tap.dim, tap.dim))

    return feature
