"""What an entry of the upstream's result is made of: a store keeps these taps only, each at its own rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.states import features
from s3prl_plugin.states.taps import SAMPLE_RATE, States, Tap
from s3prl_plugin.store.parts import batch_of
from s3prl_plugin.upstream.mr_hubert.network.config import Config, adapter_frames

if TYPE_CHECKING:
    from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert


class Parts:
    """The taps behind one entry, how to compute them, and how to put the entry together from them.

    Args:
        expert: the upstream.
        key: the entry.
        layer: the only one of its list; None for all of it.
        chosen: the taps, in the entry's order.
    """

    def __init__(self, expert: UpstreamExpert, key: str, layer: int | None, chosen: Sequence[Tap]):
        self.key = key
        self.names = tuple(tap.name for tap in chosen)
        self._expert = expert
        self._layer = layer
        self._stop_at = _last(expert.network.config, self.names)

    @classmethod
    def of(cls, expert: UpstreamExpert, key: str, layer: int | None) -> Parts | None:
        """The parts of an entry; None where there is no such entry or layer."""
        # Which taps an entry is made of shows when every tap holds its own number.
        numbered = [torch.full((1, n, 1), float(i)) for i, n in enumerate(_frames(expert, SAMPLE_RATE))]
        try:
            expert.get_downsample_rates(key)
            found = _chosen(_entries(expert, numbered, SAMPLE_RATE)[key], layer)
        except (UserError, IndexError):
            return None
        chosen = [expert.taps[int(x[0, 0, 0])] for x in ([found] if isinstance(found, Tensor) else found)]
        return cls(expert, key, layer, chosen) if chosen else None

    def compute(self, waveforms: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """Every tap's valid frames, (T, D), per utterance; nothing above the last of these taps is computed.

        An upstream without exact batches gives what it gives to the utterance alone.
        """
        batches = [waveforms] if self._expert.options.exact_batches else [[wav] for wav in waveforms]
        utterances = []
        for batch in batches:
            states = self._expert.states(batch, self._stop_at)
            utterances += [{name: states.utterance(name, i) for name in self.names} for i in range(len(batch))]
        return utterances

    def assemble(
        self, utterances: Sequence[Mapping[str, Tensor]], samples: Sequence[int], device: torch.device
    ) -> Tensor | list[Tensor]:
        """The entry for a batch, as `forward` would have returned it, in float32.

        Args:
            utterances: per utterance, what `compute` gave for it.
            samples: the length of every waveform.
            device: where the entry shall be.

        Returns:
            (B, T, D), or a list of such: rates repeated and cut as in `forward`. Frames past an utterance's end, which
            mean nothing there, repeat its last one.
        """
        longest = max(samples)
        absent = torch.zeros(1, 1, 1, device=device)
        tensors = [
            batch_of([utterance[tap.name] for utterance in utterances], device)
            if tap.name in self.names
            else absent.expand(len(utterances), count, 1)
            for tap, count in zip(self._expert.taps, _frames(self._expert, longest), strict=True)
        ]
        return _chosen(_entries(self._expert, tensors, longest)[self.key], self._layer)


def tap_frames(config: Config, samples: int) -> dict[str, int]:
    """How many frames every tap has for an utterance of so many samples."""
    frames = {}
    count, skips = config.feature_frames(samples), []
    down = len(config.ratios)
    for i, block in enumerate(config.blocks):
        frames.update(dict.fromkeys(config.block_taps(block), count))
        if i < down:
            skips.append(count)
            count = adapter_frames(count, config.ratios[i], config.adapter_kernel)
            continue
        if i > down:
            count = min(count, skips.pop())
        frames[f"res_out{i - down}"] = count
        if i < 2 * down:
            up = config.ratios[2 * down - 1 - i][::-1]
            count = count * up[0] if config.plain_adapters else adapter_frames(count, up, config.adapter_kernel)
    return frames


def _entries(expert: UpstreamExpert, tensors: Sequence[Tensor], samples: int) -> dict[str, Tensor | list[Tensor]]:
    """All entries, from a tensor for every tap."""
    waveform = torch.empty(1, device="meta").expand(samples)  # only its length is asked for
    states = States(expert.taps, tensors, [torch.tensor([0])] * len(tensors), [waveform])
    return features.from_states(states, expert.options.stop_at, expert.options.native)


def _frames(expert: UpstreamExpert, samples: int) -> list[int]:
    """How many frames the upstream's taps have, as they come out of it, for an utterance of so many samples."""
    config = expert.network.config
    frames = tap_frames(config, samples)
    pairs = zip(expert.taps, config.taps(expert.options.stop_at), strict=True)
    return [-(-frames[tap.name] * computed.stride // tap.stride) for tap, computed in pairs]


def _chosen(entry: Tensor | list[Tensor], layer: int | None) -> Tensor | list[Tensor]:
    """What s3prl's featurizer takes of an entry: the only one of a list, the chosen one, or all."""
    if not isinstance(entry, list):
        return entry
    if len(entry) == 1:
        return entry[0]
    return entry if layer is None else entry[layer]


def _last(config: Config, names: Sequence[str]) -> str:
    """The one of these taps that is computed last."""
    return next(name for name in names if set(names) <= {tap.name for tap in config.taps(name)})
