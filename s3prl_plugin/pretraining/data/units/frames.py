"""The frames that are clustered: MFCC, or a tap of an earlier model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

import s3prl_plugin
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.pretraining.data.batches import DurationBatches
from s3prl_plugin.pretraining.data.units import mfcc
from s3prl_plugin.pretraining.data.units.request import Request

MFCC_STRIDE = 320
"""Of the units: MFCC frames come every 160 samples, and every second one gives a frame of 20 ms its unit."""


class UnitFrames:
    """Frames of utterances.

    Args:
        request: which.
        device: where an earlier model runs.

    Attributes:
        stride: samples from one unit to the next.

    Raises:
        UserError: the earlier model cannot be loaded, or has no such tap.
    """

    def __init__(self, request: Request, device: str | torch.device = "cpu"):
        self.request = request
        self.stride = MFCC_STRIDE
        self._states = None
        if request.needs_model:
            assert request.upstream is not None
            s3prl_plugin.register()  # an upstream may be any of s3prl's hub
            self._states = second_upstream.load(request.upstream, request.checkpoint, request.options or {}, device)
            names = [tap.name for tap in self._states.taps]
            if request.features not in names:
                cure = did_you_mean(request.features, names)
                raise UserError(f"units: {self._states.name} has no tap {request.features!r}: {cure}")
            self._tap = names.index(request.features)
            stride = self._states.taps[self._tap].stride
            if not isinstance(stride, int):
                raise UserError(f"units: the frames of {request.features} are no whole number of samples; take another")
            self.stride = stride
        self._device = torch.device(device)

    def of(
        self, utterances: Sequence[Utterance], progress: Callable[[int], object] = lambda done: None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """The frames of every utterance, similar lengths together.

        Args:
            utterances: which.
            progress: told of every so many utterances that are done.

        Yields:
            (position of the utterance, (T, D) float32 frames at `stride`).
        """
        durations = [utterance.duration_s for utterance in utterances]
        most = max(self.request.batch_seconds, *durations, 0.0)
        for positions in DurationBatches(durations, most, self.request.seed) if utterances else ():
            waveforms = [torch.from_numpy(audio.load(utterances[i])) for i in positions]
            yield from zip(positions, self._of_batch(waveforms), strict=True)
            progress(len(positions))

    def _of_batch(self, waveforms: Sequence[torch.Tensor]) -> list[np.ndarray]:
        """Per waveform, (T, D) float32."""
        if self._states is None:
            return [mfcc.mfcc(waveform)[:: MFCC_STRIDE // mfcc.HOP].numpy() for waveform in waveforms]
        states = self._states([waveform.to(self._device) for waveform in waveforms])
        return [states.utterance(self._tap, i).float().cpu().numpy() for i in range(len(waveforms))]
