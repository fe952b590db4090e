"""A speech encoder of transformers as an upstream of s3prl."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil, inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from s3prl_plugin.compat.transformers import reason
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import batches, macs, provenance
from s3prl_plugin.states.frame_counts import FrameCount
from s3prl_plugin.states.tapped import TappedUpstream
from s3prl_plugin.states.taps import ASIDE, States, Tap
from s3prl_plugin.states.trial import undisturbed
from s3prl_plugin.strides import SAMPLE_RATE
from s3prl_plugin.upstream.hf import families, generic, kept, loading, options, probing, tuning
from s3prl_plugin.upstream.hf.families import OUT
from s3prl_plugin.upstream.hf.hearing import Hearing
from s3prl_plugin.upstream.hf.observing import Point, observe
from s3prl_plugin.upstream.hf.probing import Layout

SHORT = SAMPLE_RATE // 4  # what fails on less is said to be too short


class UpstreamExpert(TappedUpstream):
    """Waveforms in, every layer's hidden states out, each at its own frame rate.

    An utterance gives the same in any batch: where a longer one beside it would change its states, utterances of
    different lengths are computed apart.

    Args:
        ckpt: a folder as `save_pretrained` writes it, or a name on the hub.
        model_config: a YAML file of options (`-g`); see `options.Options`.
        given: the same options as keyword arguments.

    Attributes:
        taps: the states, in execution order, and the taps beside them, which are for analysis only.
        last: the last state.

    Raises:
        UserError: the model or an option cannot be used; the message says why.
    """

    def __init__(self, ckpt: str, model_config: str | Path | None = None, **given: Any):
        super().__init__()
        self.options = options.read(model_config, given)
        loaded = loading.load(ckpt, self.options.seed if self.options.random_weights else None)
        self.found, self.runs_code = loaded.found, loaded.code
        self.network = loaded.root.eval()
        family = loaded.family
        windowed, mask = (family.window, family.mask) if family is not None else (False, None)
        self._hearing = Hearing(self.network, loaded.extractor, windowed, mask)
        if self._hearing.rate != SAMPLE_RATE:
            said = f"hears {self._hearing.rate} Hz: waveforms are resampled from {SAMPLE_RATE}"
            print(f"[upstream] {loaded.found.name}: {said}", file=sys.stderr)
        self._findings = kept.Findings(None if loaded.code else self._identity())
        points, layouts = self._findings.once("taps", lambda: self._find_taps(loaded), kept.write_taps, kept.read_taps)
        self._order(points, layouts)
        self._frozen: list[nn.Module] = []
        self._prepare(loaded)
        self._layouts = [layouts[point.name] for point in self._points]
        taps = _taps(self._points, self._layouts)
        last = self.options.stop_at or [tap.name for tap in taps if tap.role == "state"][-1]
        self.show(taps, last, self.options.native, self.options.pool_to)
        self._moved: float | None = None
        self.network.to(getattr(torch, self.options.dtype))

    def compute(self, waveforms: list[Tensor], wanted: Sequence[str] | None) -> States:
        """As of any `TappedUpstream`.

        Raises:
            UserError: a waveform is too short or too long for the model.
        """
        for wave in waveforms:
            self._hearing.check_length(len(wave), self.options.longer == "cut")
        per_utterance: list[list[Tensor]] = [[] for _ in waveforms]
        for group in self._groups([len(wave) for wave in waveforms]):
            for i, tensors in zip(group, self._together([waveforms[i] for i in group]), strict=True):
                per_utterance[i] = tensors
        per_tap = list(zip(*per_utterance, strict=True))
        lengths = [torch.tensor([len(x) for x in tap]) for tap in per_tap]
        return States(self.own_taps, list(map(batches.side_by_side, per_tap)), lengths, waveforms)

    def describe(self) -> dict[str, Any]:
        """Where the numbers of this upstream come from: fields of a results row."""
        return {
            "checkpoint_sha256": self.found.digest,
            "checkpoint": self.found.name,
            "config_id": self.found.config_id,
            "model_type": self.found.model_type,
            "waveform_normalisation": self._hearing.normalisation,
            "weights": "random" if self.options.random_weights else "trained",
            "params": sum(p.numel() for p in self.network.parameters()),
            "macs_per_s": self._findings.once("macs", lambda: macs.for_one_second(self), stop_at=self.options.stop_at),
            "options": {**self.options.changed(), **({"trust_remote_code": True} if self.runs_code else {})},
        }

    def facts(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The architecture, and how waveforms are prepared for it; of its training nothing is known."""
        architecture = {
            "kind": f"transformers.{type(self.network).__name__}",
            "taps": len(self.taps),
            "dim": max(tap.dim for tap in self.taps),
            "sampling_rate": self._hearing.rate,
            "prepared_by": self._hearing.prepared_by,
        }
        return architecture, None

    def train(self, mode: bool = True) -> UpstreamExpert:
        """As of any module; what is frozen, and the running moments of batch normalisation, stay as they are."""
        super().train(mode)
        norms = (m for m in self.network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
        for module in [*norms, *self._frozen]:
            module.eval()
        return self

    def find_laws(self) -> list[FrameCount] | None:
        """As of any `TappedUpstream`."""
        stop_at = self.options.stop_at
        return self._findings.once("laws", super().find_laws, kept.write_laws, kept.read_laws, stop_at=stop_at)

    def _identity(self) -> dict[str, Any]:
        """What decides where the taps are, and how many frames they have."""
        return {
            "config": self.found.config_id,
            "network": type(self.network).__qualname__,
            "layers": self.options.paths,
        }

    def _find_taps(self, loaded: loading.Loaded) -> tuple[list[Point], dict[str, Layout]]:
        """The taps, and how the states of those that are passed lie in tensors, in the order of passing."""
        if self.options.paths:
            points = families.named_points(self.network, self.options.paths, loaded.prefix)
        elif loaded.family is not None:
            points = families.points(self.network, loaded.family)
        else:
            points = self._find_points()
        tokens = loaded.family.tokens if loaded.family is not None else 0
        try:
            return points, probing.without_tokens(self._hearing, points, probing.learn(self._hearing, points), tokens)
        except UserError as error:
            raise UserError(f"{self.found.name}: {error}") from None

    def _find_points(self) -> list[Point]:
        """The taps of a network of which nothing is known."""
        try:
            return generic.find(self._hearing)
        except UserError as error:
            raise UserError(f"{self.found.name}: {error}") from None
        except Exception as error:  # whatever a network raises that wants more than its feature extractor gives
            raise UserError(
                f"{self.found.name}: a {self.found.model_type} cannot be called with speech alone ({reason(error)}); "
                "save the part that hears by itself"
            ) from None

    def _order(self, points: Sequence[Point], layouts: Mapping[str, Layout]) -> None:
        """Bring the taps into the order in which they are passed."""
        absent = [point for point in points if point.name not in layouts]
        if absent:
            raise UserError(
                f"{self.found.name}: {absent[0].path} is not passed in this network; name its lists (layers)"
            )
        self._passed = [next(point for point in points if point.name == name) for name in layouts]
        self._points = _seen_through_norm(self._passed)

    def _prepare(self, loaded: loading.Loaded) -> None:
        """Cut, freeze and re-initialise what the options name."""
        freeze_to, stop_at, top = self.options.freeze_to, self.options.stop_at, self.options.reset_top
        if freeze_to is not None:
            self._frozen = tuning.freeze(self._hearing, self._points, freeze_to)
        if stop_at is not None:
            self._passed = tuning.cut(self.network, self._passed, tuning.named(self._points, "stop_at", stop_at))
            self._points = [point for point in self._points if point.name in {each.name for each in self._passed}]
        if freeze_to is not None and freeze_to not in {point.name for point in self._points}:
            raise UserError(f"freeze_to: {freeze_to} lies above stop_at: {stop_at}, where the network is cut")
        if top:
            fresh = loading.fresh(loaded.found, loaded.prefix, self.options.seed)
            tuning.reset_top(self.network, fresh, self._passed, top)

    def _groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Which utterances of a batch are computed together."""
        if len(set(lengths)) == 1 or self._hearing.window is not None or self._mixes():
            return [list(range(len(lengths)))]
        return batches.of_one_length(lengths)

    def _mixes(self) -> bool:
        """Whether utterances of different lengths can be computed together; found out once."""
        if self._moved is None:
            device = next(self.network.parameters()).device
            moved = self._findings.once(
                "moved",
                lambda: self._moved_by_others(device),
                weights=provenance.weights_id(self.network),
                dtype=self.options.dtype,
                device=device.type,
                stop_at=self.options.stop_at,
            )
            self._moved = moved if moved > batches.TOLERANCE or self.laws is not None else inf  # ends are not known
            if self._moved > batches.TOLERANCE:
                print(f"[upstream] {self.found.name}: {batches.said(self._moved)}", file=sys.stderr)
        return self._moved <= batches.TOLERANCE

    def _moved_by_others(self, device: torch.device) -> float:
        with undisturbed(self.network):
            return batches.moved_by_others(self._by_tap, device)

    def _by_tap(self, waveforms: list[Tensor]) -> list[list[Tensor]]:
        """The states of a batch that is computed together, per tap and utterance."""
        return [list(tap) for tap in zip(*self._together(waveforms), strict=True)]

    def _together(self, waveforms: Sequence[Tensor]) -> list[list[Tensor]]:
        """The states of utterances that are computed together: per utterance and tap, its valid frames (T, D)."""
        window = self._hearing.window_samples
        pieces = [list(wave.split(window)) if window is not None else [wave] for wave in waveforms]
        flat = [piece for each in pieces for piece in each]
        lengths = [len(piece) for piece in flat]
        try:
            seen = observe(lambda: self._hearing(self._hearing.resampled(flat)), self.network, self._points)
            parts = [
                [x[i, : self._frames(k, x.shape[1], n, lengths)] for i, n in enumerate(lengths)]
                for k, x in enumerate(layout.frames(seen[point.name][0]).float() for point, layout in self._places())
            ]
        except UserError:
            raise
        except Exception as error:
            if min(lengths) >= SHORT:
                raise
            said = f"an utterance of {min(lengths)} samples is too short for this model ({reason(error)})"
            raise UserError(f"{said}; leave it out or lengthen it") from None
        if min(lengths) < SHORT and not all(len(x) and x.isfinite().all() for tap in parts for x in tap):
            raise UserError(
                f"an utterance of {min(lengths)} samples is too short for this model; leave it out or lengthen it"
            )
        ends = iter(range(len(flat)))
        whole = [[next(ends) for _ in each] for each in pieces]
        return [[torch.cat([tap[i] for i in places]) for tap in parts] for places in whole]

    def _places(self) -> list[tuple[Point, Layout]]:
        return list(zip(self._points, self._layouts, strict=True))

    def _frames(self, tap: int, there: int, samples: int, lengths: Sequence[int]) -> int:
        """The valid frames of an utterance at a tap: those that begin before its end, and that it has alone.

        Args:
            tap: its position.
            there: the frames of the longest utterance.
            samples: of the utterance.
            lengths: of all utterances that are computed together.
        """
        audio = ceil(samples / self._layouts[tap].stride)
        if len(set(lengths)) > 1 and self._moved is not None and self.laws is not None:
            audio = min(audio, self.laws[tap](samples))
        return min(there, audio)


def _seen_through_norm(points: Sequence[Point]) -> list[Point]:
    """A final normalisation stands in place of the last layer; one that is passed before the layers is none."""
    names = [point.name for point in points]
    if OUT not in names:
        return list(points)
    layers = [point for point in points if point.layer is not None]
    norm = points[names.index(OUT)]
    if names.index(OUT) < names.index(layers[-1].name):
        return [point for point in points if point is not norm]
    out = replace(norm, layer=OUT, block=layers[-1].block)
    return [out if point is norm else point for point in points if point is not layers[-1]]


def _taps(points: Sequence[Point], layouts: Sequence[Layout]) -> tuple[Tap, ...]:
    """The taps of points: states are counted first."""
    states = sum(not point.aside for point in points)
    indices = {False: iter(range(states)), True: iter(range(states, len(points)))}
    return tuple(
        Tap(
            index=next(indices[point.aside]),
            name=point.name,
            block=ASIDE if point.aside else point.block,
            layer=point.name if point.layer is None else point.layer,
            stride=layout.stride,
            dim=layout.dim,
            role="output" if point.aside else "state",
        )
        for point, layout in zip(points, layouts, strict=True)
    )
