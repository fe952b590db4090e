"""What decoding a tap's codes leaves of the log-mel spectrogram: sums of squared errors, per speaker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.sampling import spread, stream
from s3prl_plugin.states.taps import DecodableStates


class Distortion:
    """Squared errors of decoded spectrograms, in dB^2, and their spread around the mean spectrum.

    Args:
        plan: of the run; the utterances that are decoded are marked as needed.
        positions: of the discrete taps.
        limit: of utterances, from the folds that are scored.

    Attributes:
        positions: as given.
        decodes: whether the model decoded anything.
        errors: (taps, speakers) sums of squared errors.
        frames: (speakers,) frames they are sums over.
        moments: (3, bands) of all frames heard: how many, their sum, their squares' sum.
    """

    def __init__(self, plan: Plan, positions: Sequence[int], limit: int):
        self.positions = tuple(positions)
        self._speaker = plan.speaker_of_utterance
        scored = np.flatnonzero(~plan.trains(plan.folds.of_utterance))
        draw = stream(plan.seed, "decoded")
        self._decoded = np.zeros(len(plan.corpus.utterances), dtype=bool)
        self._decoded[scored[spread(plan.folds.of_utterance[scored], limit, draw)]] = True
        plan.need(self._decoded)
        speakers = int(self._speaker.max(initial=-1)) + 1
        self.errors = torch.zeros(len(self.positions), speakers, dtype=torch.float64)
        self.frames = torch.zeros(speakers, dtype=torch.float64)
        self.moments = torch.zeros(3, 0, dtype=torch.float64)

    @property
    def decodes(self) -> bool:
        """Whether anything was decoded."""
        return bool(self.frames.any())

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory."""
        return 8 * (self.errors.numel() + self.frames.numel())

    def describe(self) -> str:
        """Which utterances."""
        return f"{int(self._decoded.sum())} utterances decoded at {len(self.positions)} taps"

    def update(self, batch: Batch) -> None:
        """Decode the utterances of a batch that are wanted."""
        if not isinstance(batch.states, DecodableStates):
            return
        for i, position in enumerate(batch.positions):
            if not self._decoded[position]:
                continue
            speaker = int(self._speaker[position])
            for row, tap in enumerate(self.positions):
                heard, decoded = (x.double().cpu() for x in batch.states.decoded(tap, i))
                self.errors[row, speaker] += ((heard - decoded) ** 2).mean(dim=1).sum()
            self.frames[speaker] += len(heard)
            sums = torch.stack([torch.full_like(heard[0], len(heard)), heard.sum(0), (heard**2).sum(0)])
            self.moments = sums + self.moments if self.moments.numel() else sums

    def mean_spectrum_error(self) -> float:
        """Root mean square error, in dB, of always saying the mean spectrum."""
        count, total, squares = self.moments
        return float((squares / count - (total / count) ** 2).mean().clamp(min=0).sqrt())

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on."""
        return {"errors": self.errors, "frames": self.frames, "moments": self.moments}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.errors, self.frames, self.moments = (state[name].clone() for name in ("errors", "frames", "moments"))

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the saved sums of other batches."""
        self.errors = self.errors + state["errors"]
        self.frames = self.frames + state["frames"]
        other = state["moments"]
        self.moments = (
            self.moments + other if self.moments.numel() and other.numel() else torch.cat([self.moments, other], 1)
        )
