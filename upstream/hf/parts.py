"""What an entry of the upstream's result is made of: a store keeps these taps only, each at its own rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from s3prl_plugin.states import features
from s3prl_plugin.states.taps import SAMPLE_RATE, States, Tap
from s3prl_plugin.store.parts import batch_of
from s3prl_plugin.upstream.hf.observing import equal_noise

if TYPE_CHECKING:
    from s3prl_plugin.upstream.hf.expert import UpstreamExpert


class Parts:
    """The taps behind one entry, how to compute them, and how to put the entry together from them.

    Args:
        expert: the upstream.
        key: the entry.
        layer: the only one of its list that is wanted; None for all of it.
        taps: behind the entry, in its order.
    """

    def __init__(self, expert: UpstreamExpert, key: str, layer: int | None, taps: Sequence[Tap]):
        if layer is not None and len({tap.stride for tap in taps}) == 1:  # the others have no part in it
            taps, layer = [taps[layer]], None
        self.key = key
        self.names = tuple(tap.name for tap in taps)
        self._expert, self._layer, self._taps = expert, layer, tuple(taps)

    @classmethod
    def of(cls, expert: UpstreamExpert, key: str, layer: int | None) -> Parts | None:
        """The parts of an entry; None where there is no such entry or layer."""
        device = next(expert.network.parameters()).device
        with torch.no_grad():
            states = expert([wave.to(device) for wave in equal_noise(SAMPLE_RATE, 1)])["states"]
        # Which taps an entry is made of shows when every tap holds its own number.
        numbered = [torch.full_like(x[..., :1], float(i)) for i, x in enumerate(states.tensors)]
        entry = _entries(expert, States(states.taps, numbered, states.lengths, states.waveforms)).get(key)
        if key == "states" or entry is None or (isinstance(entry, list) and not entry):
            return None
        listed = [entry] if isinstance(entry, Tensor) else entry
        if len(listed) == 1:
            layer = None  # s3prl's featurizer takes the only one of a list whatever -l says
        elif layer is not None and not -len(listed) <= layer < len(listed):
            return None
        return cls(expert, key, layer, [states.taps[int(x[0, 0, 0])] for x in listed])

    def compute(self, waveforms: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """Every tap's valid frames, (T, D), per utterance."""
        states: States = self._expert(waveforms)["states"]
        return [{name: states.utterance(name, i) for name in self.names} for i in range(len(waveforms))]

    def assemble(
        self, utterances: Sequence[Mapping[str, Tensor]], samples: Sequence[int], device: torch.device
    ) -> Tensor | list[Tensor]:
        """The entry for a batch, as `forward` would have returned it, in float32.

        Args:
            utterances: per utterance, what `compute` gave for it.
            samples: the length of every waveform.
            device: where the entry shall be.
        """
        tensors = [batch_of([utterance[name] for utterance in utterances], device) for name in self.names]
        if not any(tap.role == "state" for tap in self._taps):  # as they are, alone or as a list
            return tensors[0] if len(tensors) == 1 else tensors
        lengths = [torch.tensor([len(utterance[name]) for utterance in utterances]) for name in self.names]
        waveform = torch.empty(1, device="meta").expand(max(samples))  # only its length is asked for
        entry = _entries(self._expert, States(self._taps, tensors, lengths, [waveform]))[self.key]
        if isinstance(entry, Tensor):
            return entry
        return entry[0] if len(entry) == 1 else entry if self._layer is None else entry[self._layer]


def _entries(expert: UpstreamExpert, states: States) -> dict[str, Tensor | list[Tensor]]:
    """All entries that can be made of some taps."""
    names = [tap.name for tap in states.taps]
    last = expert.last if expert.last in names else names[-1]
    return features.from_states(states, last, expert.options.native)
