"""What upstreams with named taps have in common: what they return, at which rates, and what a store keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from s3prl_plugin.errors import UserError, did_you_mean
from s3prl_plugin.states import batches, features, frame_counts, pooling
from s3prl_plugin.states.frame_counts import FrameCount
from s3prl_plugin.states.taps import SAMPLE_RATE, States, Tap
from s3prl_plugin.states.trial import undisturbed


class TappedUpstream(nn.Module):
    """Waveforms in, the states of named taps out, each at its own frame rate.

    One of this kind calls `show` when it knows its taps, says in `compute` how their states come about, and in
    `shortest` what it can hear.

    Attributes:
        taps: what is observed, under the options.
        exact: an utterance gives the same in any batch.
        shortest: the fewest samples of an utterance.
    """

    taps: tuple[Tap, ...]
    exact = True
    shortest = 1

    def show(self, taps: Sequence[Tap], last: str | None, native: bool, pool_to: str | None) -> None:
        """Say what is observed.

        Args:
            taps: at their own rates.
            last: the name of `last_hidden_state`; that of the last tap when None.
            native: every entry of `hidden_states` stays at its own rate.
            pool_to: the grid that finer taps are brought down to; None for none.

        Raises:
            UserError: a tap's stride does not fit the grid.
        """
        self.own_taps = self.taps = tuple(taps)
        self._pooling = pooling.parse(pool_to) if pool_to else None
        if self._pooling is not None:
            self.taps = pooling.pool_taps(self.taps, self._pooling)
        self.last, self._native = last, native
        self._rates = features.rates(self.taps, last, native)

    def compute(self, waveforms: list[Tensor], wanted: Sequence[str] | None) -> States:
        """The states at the taps' own rates; where batches are exact, an utterance's last frame repeats past its end.

        Args:
            waveforms: per utterance, (L,) float32.
            wanted: the taps that are needed, which may save others above them; all when None.
        """
        raise NotImplementedError

    def forward(self, wavs: Sequence[Tensor]) -> dict[str, Any]:
        """The hidden states of a batch.

        Args:
            wavs: per utterance, (L,) samples at 16 kHz.

        Returns:
            hidden_states: list of (B, T, D): all states at the finest rate, lower rates repeated, cut to the shortest;
                with `native`, each at its own rate.
            hidden_states_20ms, hidden_states_40ms, ...: lists: the states at that rate, cut to the shortest.
            every tap's name: (B, T, D), at its rate.
            outputs: list: the taps beside the states.
            last_hidden_state: the last tap, or the one where the network was cut.
            states: `States`; its lengths are on the CPU.

        Raises:
            UserError: a waveform is too short, not one-dimensional, or holds values that are not finite.
        """
        return self.entries(self.states(wavs))

    def states(self, wavs: Sequence[Tensor], wanted: Sequence[str] | None = None) -> States:
        """The states of a batch, as in `forward`.

        Args:
            wavs: per utterance, (L,) samples at 16 kHz.
            wanted: as of `compute`.

        Raises:
            UserError: as `forward`.
        """
        return self.on_grid(self.compute(checked(wavs, self.shortest), wanted))

    def on_grid(self, states: States) -> States:
        """States brought down to the grid, if there is one."""
        if self._pooling is None:
            return states
        states = pooling.pool(states, self._pooling)
        return batches.held(states) if self.exact else states

    def entries(self, states: States) -> dict[str, Any]:
        """What `forward` returns, made of the states of all taps."""
        return features.from_states(states, self.last, self._native)

    def parts(self, key: str, layer: int | None = None) -> TapParts | None:
        """What an entry of `forward`'s result is made of, for a store of features.

        Args:
            key: of the entry (`-s`).
            layer: the only one of its list that is wanted (`-l`).

        Returns:
            None where there is no such entry or layer.
        """
        return TapParts.of(self, key, layer)

    def get_downsample_rates(self, key: str) -> float | list[float]:
        """Samples from one frame to the next, for any key of `forward`'s result; a list where they differ in it.

        Raises:
            UserError: there is no such key.
        """
        if key not in self._rates:
            raise UserError(f"this upstream has no {key!r}: {did_you_mean(key, self._rates)}")
        return self._rates[key]

    def own_frames(self, samples: int) -> list[int] | None:
        """The frames of every tap at its own rate for an utterance of so many samples; None where that is not known."""
        return None if self.laws is None else [law(samples) for law in self.laws]

    def frames(self, samples: int) -> list[int] | None:
        """The same of the taps under the options."""
        own = self.own_frames(samples)
        if own is None:
            return None
        return [-(-n * tap.stride // seen.stride) for n, tap, seen in zip(own, self.own_taps, self.taps, strict=True)]

    @cached_property
    def laws(self) -> list[FrameCount] | None:
        """By which taps count frames; None where one of them follows none."""
        return self.find_laws()

    def find_laws(self) -> list[FrameCount] | None:
        """The same, learned from utterances."""
        device = next(self.parameters()).device

        def count(samples: int) -> list[int]:
            waveform = torch.zeros(samples, device=device)
            waveform[::7] = 0.1
            return [int(n[0]) for n in self.compute([waveform], None).lengths]

        with undisturbed(self):
            laws = frame_counts.learn(count, [tap.stride for tap in self.own_taps])
        return None if None in laws else [law for law in laws if law is not None]


class TapParts:
    """The taps behind one entry, how to compute them, and how to put the entry together from them.

    Args:
        upstream: the upstream.
        key: the entry.
        layer: the only one of its list; None for all of it.
        names: of the taps, in the entry's order.
    """

    def __init__(self, upstream: TappedUpstream, key: str, layer: int | None, names: Sequence[str]):
        self.key, self.names = key, tuple(names)
        self._upstream, self._layer = upstream, layer

    @classmethod
    def of(cls, upstream: TappedUpstream, key: str, layer: int | None) -> TapParts | None:
        """The parts of an entry; None where there is no such entry or layer."""
        # Which taps an entry is made of shows when every tap holds its own number.
        numbered = [torch.full((1, 1, 1), float(i)) for i in range(len(upstream.taps))]
        try:
            found = _chosen(_assembled(upstream, numbered, 1)[key], layer)
        except (KeyError, IndexError):
            return None
        if not isinstance(found, Tensor | list) or len(found) == 0:
            return None
        names = [upstream.taps[int(x[0, 0, 0])].name for x in ([found] if isinstance(found, Tensor) else found)]
        every = [tap.name for tap in upstream.taps]
        # The frames of absent taps must be known: all are cut to the shortest.
        return cls(upstream, key, layer, names if upstream.frames(SAMPLE_RATE) is not None else every)

    def compute(self, waveforms: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        """Every tap's valid frames, (T, D), per utterance; nothing above the last of these taps need be computed.

        An upstream without exact batches gives what it gives to the utterance alone.
        """
        utterances = []
        for batch in [waveforms] if self._upstream.exact else [[wav] for wav in waveforms]:
            states = self._upstream.states(batch, self.names)
            utterances += [{name: states.utterance(name, i) for name in self.names} for i in range(len(batch))]
        return utterances

    def assemble(
        self, utterances: Sequence[dict[str, Tensor]], samples: Sequence[int], device: torch.device
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
        longest, taps = max(samples), self._upstream.taps
        counts = self._upstream.frames(longest) or [0] * len(taps)  # where they are not known, no tap is absent
        absent = torch.zeros(1, 1, 1, device=device)
        tensors = [
            batches.side_by_side([utterance[tap.name] for utterance in utterances]).to(device).float()
            if tap.name in self.names
            else absent.expand(len(utterances), count, 1)
            for tap, count in zip(taps, counts, strict=True)
        ]
        return _chosen(_assembled(self._upstream, tensors, longest)[self.key], self._layer)


def _assembled(upstream: TappedUpstream, tensors: Sequence[Tensor], samples: int) -> dict[str, Any]:
    """All entries, from a tensor for every tap."""
    waveform = torch.empty(1, device="meta").expand(samples)  # only its length is asked for
    lengths = [torch.tensor([0])] * len(tensors)
    return upstream.entries(States(upstream.taps, tensors, lengths, [waveform]))


def _chosen(entry: Any, layer: int | None) -> Any:
    """What s3prl's featurizer takes of an entry: the only one of a list, the chosen one, or all."""
    if not isinstance(entry, list) or not entry:
        return entry
    return entry[0] if len(entry) == 1 else entry if layer is None else entry[layer]


def checked(wavs: Sequence[Tensor], shortest: int = 1) -> list[Tensor]:
    """The waveforms of a batch in float32.

    Args:
        wavs: per utterance, (L,) samples at 16 kHz.
        shortest: the fewest samples of an utterance.

    Raises:
        UserError: there are none, or one is too short, not one-dimensional, or not finite.
    """
    if not wavs:
        raise UserError("a batch without waveforms; give at least one")
    for i, wav in enumerate(wavs):
        if wav.dim() != 1 or not wav.is_floating_point():
            shape = " x ".join(map(str, wav.shape))
            raise UserError(f"utterance {i} of the batch is {shape} of {wav.dtype}; give one channel of floats")
        if len(wav) < shortest == 1:
            raise UserError(f"utterance {i} of the batch has no samples; leave it out")
        if len(wav) < shortest:
            raise UserError(
                f"utterance {i} of the batch has {len(wav)} samples; one frame takes {shortest} "
                f"({1000 * shortest / SAMPLE_RATE:g} ms): leave it out or lengthen it"
            )
    waveforms = [wav.float() for wav in wavs]
    if not torch.stack([wav.sum() for wav in waveforms]).isfinite().all():
        bad = next((i for i, wav in enumerate(waveforms) if not wav.isfinite().all()), None)
        if bad is not None:
            raise UserError(f"utterance {bad} of the batch holds NaN or infinite samples; leave it out or mend it")
    return waveforms
