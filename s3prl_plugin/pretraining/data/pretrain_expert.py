"""What pre-training experts have in common, in the shape of s3prl's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from s3prl_plugin.config import Config, schema
from s3prl_plugin.pretraining.data.datarc import DataOptions
from s3prl_plugin.pretraining.data.utterances import TrainingBatch


class PretrainExpert(nn.Module, ABC):
    """Data and a model that is trained on it.

    Args:
        datarc: what to train on, see `pretraining.datarc.DataOptions`.
        upstream_config: the sections that the expert names (`SECTIONS`), or a file with them.
        device: where it will be.
        multi_gpu: part of s3prl's interface; several processes are torchrun's matter.
        seed: decides the order of the data, and what else the expert says.
        loaders: batches to train on and to validate on, in place of those that `datarc` describes; the first has a
            `speech` with the number of classes per set of units, where units are needed.

    Raises:
        UserError: an option or the data cannot be used.
    """

    SECTIONS: tuple[str, ...]
    model: nn.Module

    def __init__(
        self,
        datarc: Mapping[str, Any],
        upstream_config: str | Path | Mapping[str, Any],
        device: str = "cpu",
        multi_gpu: bool = False,
        *,
        seed: int = 0,
        loaders: tuple[Any, Any] | None = None,
        **_: Any,
    ):
        super().__init__()
        self.seed = seed
        self.options = self.read(upstream_config)
        self._training, self._held_out = loaders or self.open(datarc)
        self.build(datarc, upstream_config)

    @staticmethod
    @abstractmethod
    def read(given: str | Path | Mapping[str, Any] | Config) -> Any:
        """The options in the expert's sections."""

    @abstractmethod
    def open(self, datarc: Mapping[str, Any]) -> tuple[Any, Any]:
        """The loaders that a configuration describes; the second is None without a part to validate on."""

    @abstractmethod
    def build(self, datarc: Mapping[str, Any], upstream_config: str | Path | Mapping[str, Any]) -> None:
        """Make the model, and whatever else belongs to it."""

    @classmethod
    def check(cls, config: Config) -> None:
        """Refuse what a configuration cannot say, with file and line, before anything is loaded."""
        cls.read(config)
        schema.read(config, ("pretrain_expert", "datarc"), DataOptions)

    def get_train_dataloader(self) -> Any:
        """The batches to train on."""
        return self._training

    def get_valid_dataloader(self) -> Any:
        """The batches to validate on, from their beginning; None without."""
        return self._held_out

    def names(self, data: TrainingBatch) -> Sequence[str]:
        """The utterances of a batch."""
        return data.names

    def add_state_to_save(self, all_states: dict[str, Any]) -> dict[str, Any]:
        """Add the weights to a state."""
        return {**all_states, "Upstream": self.model.state_dict()}

    def load_model(self, all_states: Mapping[str, Any]) -> None:
        """Take the weights from a state."""
        self.model.load_state_dict(all_states["Upstream"])

    def on_before_zero_grad(self) -> None:
        """Nothing: part of s3prl's interface."""
