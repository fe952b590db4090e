"""Training of HQA, level after level, in the shape of s3prl's pre-training experts."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from s3prl_plugin import ranks
from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.datarc import open_loaders
from s3prl_plugin.pretraining.data.pretrain_expert import PretrainExpert
from s3prl_plugin.pretraining.data.settings import Settings, Stage, place_of
from s3prl_plugin.pretraining.data.utterances import TrainingBatch
from s3prl_plugin.upstream.hqa.checkpoint import load
from s3prl_plugin.upstream.hqa.network import front_end
from s3prl_plugin.upstream.hqa.network.greedy import LevelTraining
from s3prl_plugin.upstream.hqa.network.model import HQA
from s3prl_plugin.upstream.hqa.pretrain import options
from s3prl_plugin.upstream.hqa.pretrain.schedule import rate_factor

TERMS = ("loss", "reconstruction", "kl", "commitment")


class UpstreamPretrainExpert(PretrainExpert):
    """Trains every level of a hierarchy in a stage of its own, the levels below fixed; or one flat VQ-VAE.

    Its sections are `model` and `training`, whose seed decides all but the order of the data; units are not needed.
    """

    SECTIONS = options.SECTIONS
    model: HQA

    read = staticmethod(options.read)

    def open(self, datarc: Mapping[str, Any]) -> tuple[Any, Any]:
        """As of any `PretrainExpert`."""
        strides = self.options.model.config.strides[-1:]
        return open_loaders(datarc, strides=strides, label_rates=(50.0,), seed=self.seed)

    def build(self, datarc: Mapping[str, Any], upstream_config: str | Path | Mapping[str, Any]) -> None:
        """As of any `PretrainExpert`."""
        config, recipe = self.options.model.config, self.options.training
        self._pretraining = recipe.pretraining or (str(datarc["corpus"]) if "corpus" in datarc else None)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.model = HQA(config)
        self._levels = [
            LevelTraining(self.model, level, steps, recipe) for level, steps in enumerate(self.options.steps)
        ]
        self._stages = [
            Stage(
                name=f"level{each.number}",
                steps=each.steps,
                parameters=list(each.level.parameters()),
                begin=each.prepare,
                optimizer=lambda parameters: torch.optim.RAdam(parameters, recipe.learning_rate),
                rate=rate_factor,
            )
            for each in self._levels
        ]
        self._features = _Features(config.hop, recipe.features_gb)

    @classmethod
    def check(cls, config: Config) -> None:
        """As of any `PretrainExpert`."""
        super().check(config)
        for name in ("optimizer", "scheduler"):
            if name in config.data:
                raise config.error((name,), f"{name}: an HQA has its own; set training.learning_rate")

    def stages(self, settings: Settings) -> list[Stage]:
        """One for every level, from the lowest."""
        return self._stages

    def forward(
        self, data: TrainingBatch, records: dict[str, list[Any]], global_step: int, log_step: int
    ) -> tuple[Tensor, dict[str, list[Any]]]:
        """The loss of a batch, at the level that this update belongs to.

        Args:
            data: the batch.
            records: gets the terms of the loss, for the log.
            global_step: of the update, from 1.
            log_step: part of s3prl's interface.

        Raises:
            UserError: an utterance is too short.
        """
        level, step = place_of(self._stages, max(0, global_step - 1))
        device = next(self.model.parameters()).device
        x, lengths = self._features.batch(data, device)
        found = self._levels[level].loss(x, min(step, self._levels[level].steps - 1), lengths, learn=self.training)
        values = [found.total, found.reconstruction, found.kl, found.commitment]
        for name, value in zip(TERMS, values, strict=True):
            records[name].append(value.detach())
        records["level"].append(torch.tensor(float(level)))
        return found.total, records

    def after_step(self, global_step: int) -> None:
        """Look at the use of codes where it is time to."""
        level, step = place_of(self._stages, global_step - 1)
        self._levels[level].after_step(step)

    def log_records(self, records: Mapping[str, list[Any]], logger: Any, prefix: str, global_step: int) -> None:
        """Write the means since the last time, of all processes together; and how many codes were moved so far."""
        for name in (*TERMS, "level"):
            values = torch.stack(records[name]).double().cpu()
            total, count = ranks.summed(torch.stack([values.sum(), torch.tensor(float(len(values)))]))
            logger.add_scalar(prefix + name, float(total / count), global_step=global_step)
        level, _ = place_of(self._stages, max(0, global_step - 1))
        logger.add_scalar(prefix + "codes-moved", float(self._levels[level].revived), global_step=global_step)

    def add_state_to_save(self, all_states: dict[str, Any]) -> dict[str, Any]:
        """Add the weights, and the use of codes, to a state."""
        use = [(each.use, each.revived) for each in self._levels]
        return super().add_state_to_save({**all_states, "CodeUse": use})

    def load_model(self, all_states: Mapping[str, Any]) -> None:
        """Take the weights, and the use of codes, from a state."""
        super().load_model(all_states)
        for each, (use, revived) in zip(self._levels, all_states["CodeUse"], strict=True):
            each.use, each.revived = use.clone(), revived

    def export(self, path: Path, step: int) -> None:
        """Write the checkpoint that `hqa_local` reads; levels that were not trained yet are random in it."""
        dtype = self.options.training.dtype
        load.save(path, self.model, train_step=step, pretraining=self._pretraining, dtype=dtype)


class _Features:
    """Log-mel spectrograms, kept from one epoch to the next as far as memory allows: they take as long as a step.

    Args:
        hop: of the features.
        gigabytes: of memory.
    """

    def __init__(self, hop: int, gigabytes: float):
        self._hop, self._room = hop, gigabytes * 1e9
        self._kept: dict[tuple[str, int], Tensor] = {}

    def batch(self, data: TrainingBatch, device: torch.device) -> tuple[Tensor, Tensor]:
        """The features of a batch, (B, 80, T), and their lengths, (B,)."""
        features = [
            self._of(name, waveform[:length])
            for name, waveform, length in zip(data.names, data.waveforms, data.lengths, strict=True)
        ]
        lengths = torch.tensor([len(x) for x in features], device=device)
        return pad_sequence(features, batch_first=True).movedim(1, 2).to(device), lengths

    def _of(self, name: str, waveform: Tensor) -> Tensor:
        if len(waveform) < 2 * self._hop:
            raise UserError(f"{name}: {len(waveform)} samples; an HQA needs {2 * self._hop}: set min_sample_size")
        key = name, zlib.crc32(waveform.numpy().tobytes())  # a crop elsewhere is another one
        if key not in self._kept:
            mel = front_end.log_mel(waveform, self._hop)
            if self._room < mel.numel() * mel.element_size():
                return mel
            self._room -= mel.numel() * mel.element_size()
            self._kept[key] = mel
        return self._kept[key]
