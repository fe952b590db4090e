"""A hierarchy of quantised autoencoders as an upstream of s3prl."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.states import waveform_normalisation
from s3prl_plugin.states.batches import side_by_side
from s3prl_plugin.states.tapped import TappedUpstream, checked
from s3prl_plugin.states.taps import DecodableStates, States
from s3prl_plugin.upstream.hqa import options
from s3prl_plugin.upstream.hqa.checkpoint import load
from s3prl_plugin.upstream.hqa.network import front_end
from s3prl_plugin.upstream.hqa.network.model import HQA, Choice, Sampling, most_probable


class Heard(NamedTuple):
    """One utterance at all levels.

    Attributes:
        mel: (T, 80) its features.
        tensors: per tap, (T_tap, D).
        codes: per level, (T_level,).
        choose: how they were chosen.
    """

    mel: Tensor
    tensors: list[Tensor]
    codes: list[Tensor]
    choose: Choice


class UpstreamExpert(TappedUpstream):
    """Waveforms in; every level's continuous vectors and their codes' vectors out, each at its own rate.

    Every utterance is computed alone, whatever batch it comes in: codes are decisions, and the rounding of a padded
    batch could tip one.

    Args:
        ckpt: a checkpoint that `run_pretrain -u hqa` wrote.
        model_config: a YAML file of options (`-g`); see `options.Options`.
        given: the same options as keyword arguments.

    Attributes:
        bits_per_s: per level, codes per second times log2 K; what codes take on a corpus, `-d rate` measures.

    Raises:
        UserError: the checkpoint or an option cannot be used; the message says why.
    """

    def __init__(self, ckpt: str | Path, model_config: str | Path | None = None, **given: Any):
        super().__init__()
        self.options = options.read(model_config, given)
        loaded = load.load(ckpt)
        if loaded.config.dims != 1:
            raise UserError(f"{ckpt}: a model of images; an upstream needs one of speech")
        self.model = loaded.model()
        self.config = loaded.config
        self.checkpoint = replace(loaded, weights={})  # they are in the model now
        if self.options.random_weights:
            self._randomise()
        self.bits_per_s = self.config.bits_per_s
        self.shortest = 2 * self.config.hop
        self.show(self.config.taps(), None, self.options.native, self.options.pool_to)

    def forward(self, wavs: Sequence[Tensor]) -> dict[str, Any]:
        """As of any `TappedUpstream`, and the codes; the states can be decoded.

        Returns:
            codes: per level, (B, T) integers; past an utterance's end they repeat its last one.
        """
        states, heard = self._heard(checked(wavs, self.shortest))
        codes = [side_by_side(level) for level in zip(*(each.codes for each in heard), strict=True)]
        return {**self.entries(self.on_grid(states)), "codes": codes}

    def compute(self, waveforms: list[Tensor], wanted: Sequence[str] | None) -> States:
        """As of any `TappedUpstream`."""
        return self._heard(waveforms)[0]

    def get_downsample_rates(self, key: str) -> float | list[float]:
        """As of any `TappedUpstream`; of `codes`, per level."""
        return list(self.config.strides) if key == "codes" else super().get_downsample_rates(key)

    def describe(self) -> dict[str, Any]:
        """Where the numbers of this upstream come from: fields of a results row."""
        random = self.options.random_weights or self.checkpoint.train_step == 0
        return {
            "checkpoint_sha256": self.checkpoint.sha256,
            "waveform_normalisation": waveform_normalisation.NONE,
            "weights": "random" if random else "trained",
            "train_step": 0 if random else self.checkpoint.train_step,
            "params": sum(p.numel() for p in self.model.parameters()),
            "pretraining": None if random else self.checkpoint.pretraining,
            "options": self.options.changed(),
        }

    def decoded(self, heard: Heard, level: int) -> tuple[Tensor, Tensor]:
        """An utterance's features, and what is left of them after the codes of a level; both (T, 80) in decibels."""
        with torch.no_grad():
            codes = heard.codes[level][None]
            mel = self.model.decode(level, codes, (len(heard.mel),), heard.choose)
        return front_end.DECIBEL * heard.mel, front_end.DECIBEL * mel[0].T

    def _heard(self, waveforms: Sequence[Tensor]) -> tuple[States, list[Heard]]:
        """The states of a batch, and its utterances."""
        heard = [self._hear(wav) for wav in waveforms]
        per_tap = list(zip(*(each.tensors for each in heard), strict=True))
        lengths = [torch.tensor([len(x) for x in tap]) for tap in per_tap]
        decoder = _Decoder(self, heard)
        return DecodableStates(self.own_taps, list(map(side_by_side, per_tap)), lengths, waveforms, decoder), heard

    def _hear(self, waveform: Tensor) -> Heard:
        """One utterance at all levels."""
        mel = front_end.log_mel(waveform, self.config.hop)
        choose = self._choice(waveform)
        tensors, codes = [], []
        for level, (z, _) in enumerate(self.model.encode(mel.T[None])):
            chosen = choose(level, self.model.log_posterior(level, z))
            codes.append(chosen[0])
            tensors += [z[0].T, self.model.level(level).quantiser.look_up(chosen)[0].T]
        return Heard(mel, tensors, codes, choose)

    def _choice(self, waveform: Tensor) -> Choice:
        """How an utterance's codes are chosen: by the seed and its own samples, so alike in any batch and order."""
        if self.options.choice == "most_probable" or self.config.quantiser == "nearest":
            return most_probable
        return Sampling(self.options.seed, zlib.crc32(waveform.detach().cpu().numpy().tobytes()))

    def _randomise(self) -> None:
        """Random parameters; torch's random state stays as it is."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.seed)
            drawn = dict(HQA(self.config).named_parameters())
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(drawn[name])


class _Decoder:
    """Decodes the codes of a batch, on demand; see `taps.DecodableStates`."""

    def __init__(self, expert: UpstreamExpert, heard: Sequence[Heard]):
        self.expert, self.heard = expert, heard

    def __call__(self, tap: int, i: int) -> tuple[Tensor, Tensor]:
        """Of utterance `i`, after the codes of the level of a tap."""
        return self.expert.decoded(self.heard[i], tap // 2)
