"""Training steps beside the reading of their audio: does the data side keep up with the smallest model there is?"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.ratios import Measuring, Ratio, alternate, of_times
from s3prl_plugin.corpora import Utterance
from s3prl_plugin.pretraining.data.batches import DurationBatches
from s3prl_plugin.pretraining.data.reading import ReadAhead
from s3prl_plugin.pretraining.data.utterances import Cropping, Speech, TrainingBatch
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert import small

BAR = 2.0  # one thread reads twice as fast as one thread trains; the larger the model, the more
LONGEST_S = 8.0
FILES, BATCH_S = 48, 32.0
FORMATS = {"WAV": "PCM_16", "FLAC": "PCM_16"}


def measure(settings: Measuring) -> Iterator[Ratio]:
    """Read the audio of an epoch, and train on it, in turns.

    The network is a hundredth of a base model in size, so that steps are as short as any in practice. Half of the
    audio is longer than a crop, and all of it is decoded.

    Args:
        settings: how to measure.

    Yields:
        Per file format, the time of the steps over that of the reading.
    """
    count = 8 if settings.quick else FILES
    for name, subtype in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            speech = Speech(_noise(Path(folder), count, name, subtype), (), Cropping(max_samples=4 * SAMPLE_RATE))
            reader = ReadAhead(speech, DurationBatches(speech.durations_s, BATCH_S), threads=0)
            batches = list(reader)
            train = _Training(batches, settings.device)
            seconds = alternate({"train": train, "read": partial(list, reader)}, settings.rounds)
        audio_s = sum(batch.duration_s for batch in batches)
        read_s = min(seconds["read"])
        note = f"{audio_s:.0f} s of audio: read at {audio_s / read_s:.0f} s, trained on at "
        note += f"{audio_s / min(seconds['train']):.0f} s of audio per second"
        bar = None if settings.quick else BAR
        yield of_times(f"training beside reading {name}", seconds["train"], seconds["read"], bar, note)


def _noise(folder: Path, count: int, name: str, subtype: str) -> list[Utterance]:
    """Files of noise of 1 to 8 seconds, which FLAC has as much work with as with any sound."""
    draw = np.random.default_rng(0)
    made = []
    for i, seconds in enumerate(np.linspace(1.0, LONGEST_S, count)):
        path = folder / f"{i}.{name.lower()}"
        samples = int(seconds * SAMPLE_RATE)
        soundfile.write(path, 0.1 * draw.standard_normal(samples), SAMPLE_RATE, subtype=subtype, format=name)
        made.append(Utterance(path.stem, "noise", path, samples / SAMPLE_RATE))
    return made


class _Training:
    """An epoch of forward and backward passes of a small network; the loss does not matter here."""

    def __init__(self, batches: list[TrainingBatch], device: str):
        self._batches, self._device = batches, device
        self._network = small.random_network(small.small_config(dim=96)).to(device).train()

    def __call__(self) -> None:
        for batch in self._batches:
            states = self._network(batch.waveforms.to(self._device), batch.lengths)
            states[-1].x.square().mean().backward()
            self._network.zero_grad(set_to_none=True)
        if self._device != "cpu":
            torch.cuda.synchronize()
