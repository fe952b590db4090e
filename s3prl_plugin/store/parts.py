"""What an entry of an upstream's result consists of, so that it can be kept piece by piece and put together again.

This plugin's upstreams know this of themselves: their method `parts(key, layer)` gives `Parts`. For any other upstream
the pieces are the tensors as they come, and an utterance is computed alone: what the padding of a batch adds to it in
such an upstream (HuBERT's group normalisation, for example) would be kept with it, and differ from batch to batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from s3prl_plugin.states import batches
from s3prl_plugin.states.taps import SAMPLE_RATE


class Parts(Protocol):
    """The pieces of one entry.

    Attributes:
        key: the entry (`-s`).
        names: of its pieces.
    """

    key: str
    names: tuple[str, ...]

    def compute(self, waveforms: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """Every piece, (T, D), per utterance; the same whatever else is in the batch."""

    def assemble(
        self, utterances: Sequence[Mapping[str, Tensor]], samples: Sequence[int], device: torch.device
    ) -> Tensor | list[Tensor]:
        """The entry for a batch: (B, T, D) in float32, or a list of such.

        Args:
            utterances: per utterance, its pieces in any dtype.
            samples: the length of every waveform.
            device: where the entry shall be.
        """


class ForeignParts:
    """The pieces of an entry of an upstream that is not this plugin's.

    Args:
        upstream: the upstream.
        key: the entry.
        places: the positions in its list; None where it is a tensor.
    """

    def __init__(self, upstream: torch.nn.Module, key: str, places: Sequence[int] | None):
        self.key = key
        self.names = (key,) if places is None else tuple(f"{key}.{i}" for i in places)
        self._upstream = upstream
        self._places = places

    def compute(self, waveforms: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """Every piece, (T, D), per utterance, each computed alone."""
        utterances = []
        for waveform in waveforms:
            entry = _listed(self._upstream([waveform])[self.key])
            pieces = [entry] if self._places is None else [entry[i] for i in self._places]
            utterances.append({name: piece[0] for name, piece in zip(self.names, pieces, strict=True)})
        return utterances

    def assemble(
        self, utterances: Sequence[Mapping[str, Tensor]], samples: Sequence[int], device: torch.device
    ) -> Tensor | list[Tensor]:
        """The entry for a batch; frames past an utterance's end repeat its last one."""
        pieces = [batches.side_by_side([utterance[name] for utterance in utterances]) for name in self.names]
        found = [piece.to(device).float() for piece in pieces]
        return found[0] if len(found) == 1 else found


def parts_of(upstream: torch.nn.Module, key: str, layer: int | None, device: str | torch.device) -> Parts | None:
    """The pieces of an entry.

    Args:
        upstream: any upstream of s3prl's hub.
        key: the entry (`-s`).
        layer: the only one of its list that is wanted (`-l`).
        device: where the upstream lives.

    Returns:
        None where there is no such entry or layer, or its tensors are not (B, T, D).
    """
    own = getattr(upstream, "parts", None)
    if own is not None:
        return own(key, layer)
    with torch.no_grad():
        noise = torch.randn(SAMPLE_RATE, generator=torch.Generator().manual_seed(0))
        entry = _listed(upstream([noise.to(device)]).get(key))
    if isinstance(entry, Tensor):
        return ForeignParts(upstream, key, None) if entry.dim() == 3 else None
    if not isinstance(entry, list) or not all(isinstance(x, Tensor) and x.dim() == 3 for x in entry):
        return None
    places = range(len(entry))
    if layer is not None and len(entry) > 1:  # s3prl's featurizer takes the only one of a list whatever -l says
        if not -len(entry) <= layer < len(entry):
            return None
        places = range(layer % len(entry), layer % len(entry) + 1)
    return ForeignParts(upstream, key, places) if places else None


def _listed(entry: Any) -> Any:
    """An entry as s3prl's featurizer reads it: the values of a dictionary, a list for a tuple."""
    if isinstance(entry, dict):
        return list(entry.values())
    return list(entry) if isinstance(entry, tuple) else entry
