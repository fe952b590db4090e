"""What an upstream's forward passes take, measured while a run makes them anyway."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from s3prl_plugin import ranks
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.states.upstream_facts import Forward

Found = TypeVar("Found")
GROUPS = 10


class ForwardTime:
    """Takes the time of forward passes.

    Args:
        device: where they are computed.
    """

    def __init__(self, device: str | torch.device = "cpu"):
        self.device = torch.device(device)
        self._groups = [[0.0, 0.0] for _ in range(GROUPS)]
        self._batches = 0
        self._batch_size = 0

    def of(self, upstream: Callable[[Sequence[torch.Tensor]], Found], waveforms: Sequence[torch.Tensor]) -> Found:
        """What the upstream returns for a batch, with the time taken.

        Args:
            upstream: to be called.
            waveforms: per utterance, (L,) samples at 16 kHz.
        """
        self._wait()
        began = time.perf_counter()
        found = upstream(waveforms)
        self._wait()
        took = time.perf_counter() - began
        if self._batches:  # libraries warm up in the first
            group = self._groups[self._batches % GROUPS]
            group[0] += sum(len(wave) for wave in waveforms) / SAMPLE_RATE
            group[1] += took
            self._batch_size = max(self._batch_size, len(waveforms))
        self._batches += 1
        return found

    def found(self) -> Forward | None:
        """What was measured; None where there were fewer than two batches."""
        if self._batches < 2:
            return None
        return Forward(
            groups=tuple((round(audio, 3), round(took, 6)) for audio, took in self._groups if audio),
            batches=self._batches - 1,
            batch_size=self._batch_size,
            device=self.device.type,
            device_name=self._name(),
            threads=torch.get_num_threads(),
            processes=ranks.count(),
        )

    def _wait(self) -> None:
        """A GPU computes while Python goes on."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _name(self) -> str:
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return platform.processor() or platform.machine()
