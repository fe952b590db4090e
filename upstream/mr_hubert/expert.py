"""HuBERT and MR-HuBERT as an upstream of s3prl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from s3prl_plugin import download
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import batches, waveform_normalisation
from s3prl_plugin.states.tapped import TappedUpstream
from s3prl_plugin.states.taps import SAMPLE_RATE, States
from s3prl_plugin.upstream.mr_hubert import facts, fine_tuning, options
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.network.costs import macs_per_second
from s3prl_plugin.upstream.mr_hubert.network.frames import length_groups
from s3prl_plugin.upstream.mr_hubert.network.model import State

# What one more group of a batch costs, in samples of audio that could be computed meanwhile.
GROUP_OVERHEAD = {"cpu": SAMPLE_RATE // 4, "cuda": 30 * SAMPLE_RATE}


class UpstreamExpert(TappedUpstream):
    """Waveforms in, every layer's hidden states out, each at its own frame rate; see `forward`.

    Its `outputs` are the model's output per resolution, lowest rate first.

    Args:
        ckpt: a checkpoint of fairseq, or one that s3prl converted.
        model_config: a YAML file of options (`-g`); see `options.Options`.
        given: the same options as keyword arguments.

    Raises:
        UserError: the checkpoint or an option cannot be used; the message says why.
    """

    def __init__(self, ckpt: str | Path, model_config: str | Path | None = None, **given: Any):
        super().__init__()
        self.options = options.read(model_config, given)
        try:
            loaded = load.load(ckpt)
        except UserError as error:
            raise UserError(f"{error}{download.cure(ckpt)}") from None
        if self.options.feature_grad_mult is not None:
            config = replace(loaded.config, feature_grad_mult=float(self.options.feature_grad_mult))
            loaded = replace(loaded, config=config)
        self.network = loaded.network()
        self.checkpoint = replace(loaded, weights={})  # they are in the network now
        self._prepare()
        self.network.to(getattr(torch, self.options.dtype))
        self.exact, self.shortest = self.options.exact_batches, loaded.config.min_samples
        stop_at = self.options.stop_at
        self.show(loaded.config.taps(stop_at), stop_at, self.options.native, self.options.pool_to)

    def compute(self, waveforms: list[Tensor], wanted: Sequence[str] | None) -> States:
        """As of any `TappedUpstream`."""
        config, stop_at = self.network.config, self.options.stop_at
        if wanted is not None:
            stop_at = next(name for name in wanted if set(wanted) <= {tap.name for tap in config.taps(name)})
        found = self._run(waveforms, stop_at)
        lengths = [torch.tensor(state.lengths) for state in found]
        states = States(config.taps(stop_at), [s.x for s in found], lengths, waveforms)
        return batches.held(states) if self.exact else states

    def own_frames(self, samples: int) -> list[int]:
        """As of any `TappedUpstream`."""
        frames = self.network.config.tap_frames(samples)
        return [frames[tap.name] for tap in self.own_taps]

    def describe(self) -> dict[str, Any]:
        """Where the numbers of this upstream come from: fields of a results row."""
        random = self.options.random_weights or self.checkpoint.train_step == 0
        config = self.network.config
        return {
            "checkpoint_sha256": self.checkpoint.sha256,
            "waveform_normalisation": waveform_normalisation.of_layer_norm(self.checkpoint.normalize),
            "weights": "random" if random else "trained",
            "train_step": 0 if random else self.checkpoint.train_step,
            "params": sum(p.numel() for p in self.network.parameters()),
            "macs_per_s": macs_per_second(config, self.options.stop_at, duration_s=1.0),
            "options": self.options.changed(),
        }

    def facts(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The architecture, and how it was trained; None where random weights took the place of the checkpoint's."""
        architecture = facts.architecture(self.checkpoint.config)
        return architecture, None if self.options.random_weights else facts.training(self.checkpoint)

    def _prepare(self) -> None:
        """Cut, freeze and re-initialise what the options name; torch's random state stays as it is."""
        stop_at, freeze_to = self.options.stop_at, self.options.freeze_to
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.seed)
            if self.options.random_weights:  # before anything is cut, so that what is left has the whole one's weights
                self.network.reset_parameters()
            if freeze_to is not None:
                fine_tuning.freeze(self.network, freeze_to)
                if stop_at is not None and freeze_to not in {tap.name for tap in self.network.config.taps(stop_at)}:
                    raise UserError(f"freeze_to: {freeze_to} lies above stop_at: {stop_at}, where the network is cut")
            if stop_at is not None:
                fine_tuning.cut(self.network, stop_at)
            fine_tuning.reset_top(self.network, self.options.reset_top)

    def _run(self, waveforms: list[Tensor], stop_at: str | None) -> list[State]:
        """The network's states; an exact batch of unequal lengths is computed in groups of similar ones."""
        if self.checkpoint.normalize:
            waveforms = [F.layer_norm(wav, wav.shape) for wav in waveforms]
        lengths = [len(wav) for wav in waveforms]
        groups = [list(range(len(lengths)))]
        if self.options.exact_batches:
            overhead = GROUP_OVERHEAD.get(waveforms[0].device.type, GROUP_OVERHEAD["cuda"])
            groups = length_groups(lengths, overhead)
        parts = [self._run_group([waveforms[i] for i in group], stop_at) for group in groups]
        return parts[0] if len(parts) == 1 else _merge(parts, groups)

    def _run_group(self, waveforms: list[Tensor], stop_at: str | None) -> list[State]:
        """The network's states for waveforms that are padded to the longest of them."""
        padded = pad_sequence(waveforms, batch_first=True).to(self.network.layer_norm.weight.dtype)
        lengths = [len(wav) for wav in waveforms]
        found = self.network(padded, lengths, exact=self.options.exact_batches, stop_at=stop_at)
        return [state._replace(x=state.x.float()) for state in found]


def _merge(parts: list[list[State]], groups: list[list[int]]) -> list[State]:
    """The states of a whole batch from those of its groups, the first of which holds the longest utterance."""
    size = sum(map(len, groups))
    merged = []
    for pieces in zip(*parts, strict=True):
        longest = pieces[0].x
        x = longest.new_zeros(size, *longest.shape[1:])
        lengths = [0] * size
        for piece, group in zip(pieces, groups, strict=True):
            x[group, : piece.x.shape[1]] = piece.x
            for position, length in zip(group, piece.lengths, strict=True):
                lengths[position] = length
        merged.append(State(pieces[0].name, x, lengths))
    return merged
