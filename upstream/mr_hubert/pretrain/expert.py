"""Masked unit prediction for HuBERT and MR-HuBERT, in the shape of s3prl's pre-training experts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from s3prl_plugin import ranks
from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data import settings as run_settings
from s3prl_plugin.pretraining.data.datarc import open_loaders
from s3prl_plugin.pretraining.data.pretrain_expert import PretrainExpert
from s3prl_plugin.pretraining.data.reading import ReadAhead
from s3prl_plugin.pretraining.data.settings import Settings, Stage
from s3prl_plugin.pretraining.data.utterances import TrainingBatch
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.pretrain import options as pretrain_options
from s3prl_plugin.upstream.mr_hubert.pretrain import stages, start
from s3prl_plugin.upstream.mr_hubert.pretrain.loss import LossPart, Sums, combined
from s3prl_plugin.upstream.mr_hubert.pretrain.masks import MaskingPlan, plan
from s3prl_plugin.upstream.mr_hubert.pretrain.network import PretrainNetwork


class UpstreamPretrainExpert(PretrainExpert):
    """Trains a network to tell the units of frames that it does not see; see `PretrainExpert`.

    Its sections are `model`, `objective`, `initial` and `stages`; the seed decides the first weights and masks, too.
    """

    SECTIONS = (*pretrain_options.SECTIONS, start.SECTION, stages.SECTION)
    model: PretrainNetwork

    read = staticmethod(pretrain_options.read)

    def build(self, datarc: Mapping[str, Any], upstream_config: str | Path | Mapping[str, Any]) -> None:
        """As of any `PretrainExpert`."""
        self.model = PretrainNetwork(self.options, self._classes(), self.seed)
        start.begin(self.model.network, start.read(upstream_config))
        self._stages = stages.read(upstream_config)
        self._plans: dict[int, MaskingPlan] = {}
        self._counts: Tensor | None = None  # of the update that is under way, over all batches and processes
        self._shares = 1

    @classmethod
    def check(cls, config: Config) -> None:
        """As of any `PretrainExpert`."""
        super().check(config)
        start.read(config)
        asked = stages.read(config)
        try:
            stages.check(asked, cls.read(config).config, run_settings.read(config).runner.total_steps)
        except UserError as error:
            name = str(error).partition(":")[0]
            raise config.error((stages.SECTION, name), f"{stages.SECTION}.{error}") from None

    def stages(self, settings: Settings) -> list[Stage]:
        """Those that the section `stages` asks for; none for a training of a single one."""
        return stages.planned(self._stages, self.model, settings)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.model.mask_emb.device

    def before_step(self, batches: Sequence[TrainingBatch], global_step: int) -> None:
        """Draw the masks of an update's batches, and count what is asked for in those of all processes."""
        self._plans = {id(batch): self._plan(batch, global_step) for batch in batches}
        counts = [torch.tensor([float(len(batches))]), *(each.counts() for each in self._plans.values())]
        shares, *totals = ranks.summed(torch.cat([counts[0].double(), torch.stack(counts[1:]).sum(0)]))
        self._shares, self._counts = int(shares), torch.stack(totals)
        self.model.drop_layers(self.seed, "layers", global_step)

    def forward(
        self, data: TrainingBatch, records: dict[str, list[Any]], global_step: int, log_step: int
    ) -> tuple[Tensor, dict[str, list[Any]]]:
        """The loss of a batch.

        Its mean over the batches of an update, of all processes, is the loss of the update: every sum is divided by
        the count of them all.

        Args:
            data: the batch.
            records: gets the sums that the log is made of.
            global_step: of the update, from 1; it decides the masks.
            log_step: part of s3prl's interface.
        """
        found = self._plans.pop(id(data), None) if self.training else None
        if found is None:
            found = self._plan(data, global_step)
            self._shares, self._counts = 1, found.counts()
        assert self._counts is not None
        device = self.model.mask_emb.device
        sums: Sums = self.model(data.waveforms.to(device), data.lengths, found)
        records["sums"].append(_listed(sums, found.counts()))
        return self._combined(sums, self._counts) * self._shares, records

    def _combined(self, sums: Sums, counts: Tensor) -> Tensor:
        objective = self.options.objective
        return combined(sums, counts, objective.loss, self.options.lambdas, objective.feature_penalty)

    def log_records(self, records: Mapping[str, list[Any]], logger: Any, prefix: str, global_step: int) -> None:
        """Write what was heard since the last time, of all processes together: loss, cross-entropy and accuracy."""
        heads = self.options.heads
        total = ranks.summed(torch.stack(records["sums"]).sum(0).cpu())
        entropies, correct, squares, counts = (
            total[:heads],
            total[heads : 2 * heads],
            total[2 * heads],
            total[-heads - 1 :],
        )
        parts = [LossPart(*each) for each in zip(entropies, correct, strict=True)]
        logger.add_scalar(prefix + "loss", float(self._combined(Sums(parts, squares), counts)), global_step=global_step)
        for name, part, count in zip(self._resolutions(), parts, counts[:-1].clamp(min=1).tolist(), strict=True):
            logger.add_scalar(f"{prefix}loss-{name}", float(part.cross_entropy) / count, global_step=global_step)
            logger.add_scalar(f"{prefix}accuracy-{name}", float(part.correct) / count, global_step=global_step)
        mean_square = float(squares) / max(float(counts[-1]), 1.0)
        logger.add_scalar(f"{prefix}feature-penalty", mean_square, global_step=global_step)

    def export(self, path: Path, step: int) -> None:
        """Write the checkpoint that `mr_hubert_local` (or `hubert_fairseq_local`), s3prl and fairseq read."""
        objective = self.options.objective
        load.save(
            path,
            self.model.running,
            normalize=objective.normalize,
            train_step=step,
            label_rate=objective.label_rate,
            heads=self.model.stored_heads(),
            single_target=objective.use_single_target,
            single_prediction=objective.use_single_prediction,
            model_options=self.options.stored,
            classes=self._classes(),
            objective={
                "loss": objective.loss,
                "lambdas": list(self.options.lambdas),
                "auxiliary_every": objective.auxiliary_every,
                "seed": self.seed,
            },
        )

    def _plan(self, data: TrainingBatch, global_step: int) -> MaskingPlan:
        """What a batch is trained on; in validation always the same, and all of it hidden."""
        options = self.options
        key: tuple[int | str, ...] = (self.seed, "masks", global_step)
        objective = options.objective
        if not self.training:
            key, objective = (self.seed, "valid masks"), replace(objective, shown=0.0)
        return plan(data.names, data.lengths, data.units, options.config, objective, key)

    def _resolutions(self) -> list[str]:
        """A name for each predicted resolution, finest first: 20ms, 40ms; 20ms, 20ms-auxiliary."""
        config = self.options.config
        names = [f"{stride * 1000 / SAMPLE_RATE:g}ms" for stride in config.strides[: self.options.heads]]
        return [name if name not in names[:i] else f"{name}-auxiliary" for i, name in enumerate(names)]

    def open(self, datarc: Mapping[str, Any]) -> tuple[ReadAhead, ReadAhead | None]:
        """As of any `PretrainExpert`."""
        config, objective = self.options.config, self.options.objective
        rates = [objective.label_rate * config.strides[0] / stride for stride in config.strides]
        return open_loaders(
            datarc, strides=config.strides, label_rates=rates, normalize=objective.normalize, seed=self.seed
        )

    def _classes(self) -> list[int]:
        """The number of units, per predicted resolution."""
        classes = list(cast(Iterable[int], self._training.speech.classes))
        heads = self.options.heads
        wanted = 1 if self.options.objective.use_single_target else heads
        if len(classes) < wanted:
            raise UserError(
                f"{len(classes)} sets of units for {wanted}; give pretrain_expert.datarc.units one file for each "
                "resolution, or set objective.use_single_target: true"
            )
        return classes[:1] * heads if wanted == 1 else classes[:heads]


def _listed(sums: Sums, counts: Tensor) -> Tensor:
    """(3 R + 2,) float64: cross-entropies, right answers, squares, counts of resolutions and frames; for the log."""
    kept = [part.cross_entropy for part in sums.parts] + [part.correct for part in sums.parts] + [sums.squares]
    return torch.cat([torch.stack([each.detach().double() for each in kept]), counts.to(kept[0].device)])
