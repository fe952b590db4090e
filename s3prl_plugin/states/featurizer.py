"""What an analysis sees of an upstream: all its taps, where s3prl's featurizer gives one weighted sum.

Our upstreams return States. Of any other, the `hidden_states` become taps. s3prl's contract says little about them:
padded tensors, one stride, and lengths that agree to within five frames. So the upstream is asked, once, with noise
of several lengths, for its true strides and frame counts. Where an utterance's states depend on its neighbours in a
batch of unequal lengths (HuBERT's group normalisation sees the padding, for example), lengths are computed apart.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from s3prl_plugin.errors import UserError
from s3prl_plugin.states import batches, frame_counts
from s3prl_plugin.states.frame_counts import FrameCount
from s3prl_plugin.states.taps import SAMPLE_RATE, States, Tap
from s3prl_plugin.strides import Stride, from_float

Upstream = Callable[[Sequence[torch.Tensor]], Mapping[str, Any]]
TOLERABLE_DIFFERENCE = 5  # frames, between tensors and what their stride explains; as in s3prl's own featurizer


class StatesFeaturizer(torch.nn.Module):
    """Takes the place of s3prl's Featurizer when the downstream wants every tap at its own frame rate.

    Args:
        upstream: any upstream of s3prl's hub.
        device: where it lives.

    Attributes:
        taps: what the upstream exposes, learned from noise.
        counts: of an upstream that does not return States, per tap, the law by which it counts frames; None for a tap
            that follows none, whose lengths are then counted as s3prl does.
        output_dim, downsample_rate: of the first tap; s3prl hands them to every downstream.

    Raises:
        UserError: the upstream returns neither `states` nor `hidden_states`, or its stride is not what it reports.
    """

    def __init__(self, upstream: torch.nn.Module, device: str | torch.device = "cpu"):
        super().__init__()
        self.counts: list[FrameCount | None] | None = None
        self.strides: list[Stride] | None = None
        self._mixes: bool | None = None  # whether utterances of several lengths can be computed together
        self._device = device
        upstream.eval()
        with torch.no_grad():
            probe = _noise(SAMPLE_RATE, device)
            features = upstream([probe])
            if "states" not in features:
                self._learn(upstream, device)
            self.taps = self([probe], features).taps
        self.output_dim = self.taps[0].dim
        self.downsample_rate = self.taps[0].stride

    def of(
        self, upstream: Callable[[Sequence[torch.Tensor]], Mapping[str, Any]], waveforms: Sequence[torch.Tensor]
    ) -> States:
        """The States of a batch, in which every utterance is as it is alone.

        Args:
            upstream: the one that this was made for, in evaluation mode.
            waveforms: per utterance, (L,) samples.

        Raises:
            UserError: as `forward`.
        """
        lengths = [len(wave) for wave in waveforms]
        if self.counts is None or len(set(lengths)) == 1 or self._can_mix(upstream):
            return self(waveforms, upstream(waveforms))
        parts: dict[int, tuple[States, int]] = {}
        for group in batches.of_one_length(lengths):
            states = self([waveforms[i] for i in group], upstream([waveforms[i] for i in group]))
            parts |= {i: (states, k) for k, i in enumerate(group)}
        ordered = [parts[i] for i in range(len(waveforms))]
        per_tap = [[states.utterance(tap, k) for states, k in ordered] for tap in range(len(self.taps))]
        frames = [torch.tensor([len(x) for x in tap]) for tap in per_tap]
        return States(self.taps, [pad_sequence(tap, batch_first=True) for tap in per_tap], frames, waveforms)

    def _can_mix(self, upstream: Upstream) -> bool:
        """Whether utterances of several lengths leave each other alone; found out once."""
        if self._mixes is None:

            def by_tap(waveforms: list[torch.Tensor]) -> list[list[torch.Tensor]]:
                states = self(waveforms, upstream(waveforms))
                return [[states.utterance(tap, i) for i in range(len(waveforms))] for tap in range(len(states))]

            with torch.no_grad():
                moved = batches.moved_by_others(by_tap, self._device)
            self._mixes = moved <= batches.TOLERANCE
            if not self._mixes:
                print(f"[upstream] {batches.said(moved)}", file=sys.stderr)
        return self._mixes

    def forward(self, waveforms: Sequence[torch.Tensor], features: Mapping[str, Any]) -> States:
        """The States of a batch, from what the upstream returned for it.

        Args:
            waveforms: per utterance, (L,) samples.
            features: the upstream's dictionary; its own `states`, else its `hidden_states`.

        Raises:
            UserError: the number of frames is not what the upstream's stride explains.
        """
        if "states" in features:
            return features["states"]
        return states_of(_hidden_states(features), self.strides, waveforms, self.counts)

    def _learn(self, upstream: torch.nn.Module, device: str | torch.device) -> None:
        """The true strides and frame counts of an upstream that is not ours."""

        @cache
        def count(samples: int) -> tuple[int, ...]:
            return tuple(layer.shape[1] for layer in _hidden_states(upstream([_noise(samples, device)])))

        self.strides = _true_strides(count, _reported(upstream, len(count(SAMPLE_RATE))))
        self.counts = frame_counts.learn(count, self.strides)
        without = [f"layer{i}" for i, law in enumerate(self.counts) if law is None]
        if without:
            names = ", ".join(without)
            print(f"[upstream] {names}: frames are counted as round(samples / stride), approximately", file=sys.stderr)


def states_of(
    hidden_states: Sequence[torch.Tensor] | torch.Tensor,
    rate: Stride | Sequence[Stride] | None,
    waveforms: Sequence[torch.Tensor],
    counts: Sequence[FrameCount | None] | None = None,
) -> States:
    """States from the `hidden_states` of any s3prl upstream.

    Args:
        hidden_states: per layer, (B, T, D).
        rate: samples from one frame to the next, as the upstream reports it (a list: one per layer); None where it
            reports nothing, in which case it is read off the longest utterance.
        waveforms: per utterance, (L,).
        counts: per layer, how it counts frames; where it is not known, an utterance of L samples has round(L / rate),
            as s3prl's own featurizer has it. Never more than the tensor holds; on the CPU, as in all States.

    Raises:
        UserError: the tensors have another number of frames than the longest waveform explains.
    """
    layers = [hidden_states] if isinstance(hidden_states, torch.Tensor) else list(hidden_states)
    longest = max(len(w) for w in waveforms)
    if rate is None:
        rate = [round(longest / layer.shape[1]) for layer in layers]
    strides = [rate] * len(layers) if isinstance(rate, int | Fraction) else list(rate)
    taps, lengths = [], []
    for i, (layer, stride) in enumerate(zip(layers, strides, strict=True)):
        taps.append(Tap(i, f"layer{i}", None, f"layer{i}", stride, layer.shape[-1]))
        count = (counts and counts[i]) or (lambda samples, stride=stride: round(samples / stride))
        if abs(layer.shape[1] - count(longest)) >= TOLERABLE_DIFFERENCE:
            raise UserError(
                f"layer{i} has {layer.shape[1]} frames for {longest} samples, where its stride of {float(stride):g} "
                f"samples explains {count(longest)}: they cannot be told which sound they belong to"
            )
        frames = [min(max(1, count(len(w))), layer.shape[1]) for w in waveforms]
        lengths.append(torch.tensor(frames))
    return States(taps, layers, lengths, waveforms)


def _noise(samples: int, device: str | torch.device) -> torch.Tensor:
    """The same noise every time; torch's random state stays as it is."""
    return torch.randn(samples, generator=torch.Generator().manual_seed(0)).to(device)


def _hidden_states(features: Mapping[str, Any]) -> list[torch.Tensor]:
    """The layers' states, (B, T, D) each."""
    if "hidden_states" not in features:
        raise UserError(f"this upstream returns {sorted(features)} and no hidden_states: it cannot be analysed")
    found = features["hidden_states"]
    layers = [found] if isinstance(found, torch.Tensor) else list(found)
    for i, layer in enumerate(layers):
        if layer.dim() != 3:
            raise UserError(f"layer{i} of this upstream is {tuple(layer.shape)}, not (batch, frames, features)")
    return layers


def _reported(upstream: torch.nn.Module, layers: int) -> list[Stride] | None:
    """The stride of every layer as the upstream reports it; None where it reports nothing."""
    rates = getattr(upstream, "get_downsample_rates", None)
    if rates is None:
        return None
    rate = rates("hidden_states")
    reported = [rate] * layers if isinstance(rate, int | float) else list(rate)
    if len(reported) != layers:
        raise UserError(f"this upstream reports {len(rate)} strides for its {layers} hidden_states: mend one of them")
    return [from_float(stride) for stride in reported]


def _true_strides(count: frame_counts.Count, reported: list[Stride] | None) -> list[Stride]:
    """The strides as they are, if the upstream can be believed.

    One that reports a single stride for layers of several is taken at its layers' own rates, and that is said; one
    whose layers agree with each other and not with what it reports is refused.
    """
    measured: list[Fraction] = []
    for i, stride in enumerate(frame_counts.measured_strides(count)):
        if stride is None:
            raise UserError(f"layer{i} has as many frames for five seconds as for one: it cannot be analysed in time")
        measured.append(stride)
    if reported is not None and all(_agree(m, r) for m, r in zip(measured, reported, strict=True)):
        return reported
    rates = ", ".join(f"{float(s):g}" for s in dict.fromkeys(measured))
    if any(s.denominator > 1 for s in measured):
        raise UserError(
            f"this upstream's frames are {rates} samples apart, which are no whole numbers, and it does not report so: "
            "mend its get_downsample_rates"
        )
    strides: list[Stride] = [int(s) for s in measured]
    if reported is None:
        return strides
    if len(set(strides)) == 1 or len(set(reported)) > 1:
        said = ", ".join(f"{float(s):g}" for s in dict.fromkeys(reported))
        raise UserError(
            f"this upstream reports a stride of {said} samples, but its frames "
            f"are {rates} apart: mend its get_downsample_rates, else every time in the results is wrong"
        )
    print(
        f"[upstream] reports one stride ({float(reported[0]):g} samples), but its layers have several ({rates}): each "
        "is taken at its own; tasks that sum over layers will not work with it",
        file=sys.stderr,
    )
    return strides


def _agree(measured: Fraction, reported: Stride) -> bool:
    """Whether a measured stride is the reported one, to within one frame over the span that was measured."""
    return bool(abs(frame_counts.SPAN / measured - Fraction(frame_counts.SPAN) / reported) <= 1)
