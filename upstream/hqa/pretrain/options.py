"""How an HQA is trained: the sections `model` and `training` of a pre-training's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import MinLen

from s3prl_plugin import config as config_file
from s3prl_plugin.config import Config as File
from s3prl_plugin.config import schema
from s3prl_plugin.config.schema import ConfigSection, Counted, Number, Whole
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.pretrain.schedule import LevelRecipe

SECTIONS = ("model", "training")


@dataclass(frozen=True, kw_only=True)
class ModelOptions(ConfigSection):
    """The section `model`.

    Attributes:
        levels: of the hierarchy; each has half the rate of the one below.
        flat: null, or a level: train in place of the hierarchy the flat VQ-VAE with as many bits as that level.
        hop: samples from one log-mel frame to the next; level 0 has half that rate.
        hidden, codes, code_dim, residual_blocks: see `config.Config`.
    """

    levels: Counted = 5
    flat: Whole | None = None
    hop: Whole = Config.hop
    hidden: Whole = Config.hidden
    codes: Whole = Config.codes
    code_dim: Whole = Config.code_dim
    residual_blocks: Whole = Config.residual_blocks

    def check_together(self) -> None:
        """Refuse sizes that `Config` refuses."""
        _ = self.config

    @property
    def config(self) -> Config:
        """The model's sizes."""
        sizes = {name: value for name, value in asdict(self).items() if name not in ("levels", "flat")}
        hierarchy = Config(halvings=(1,) * self.levels, **sizes)
        return hierarchy if self.flat is None else hierarchy.flat_at(self.flat)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(LevelRecipe):
    """The section `training`: what `schedule.LevelRecipe` has, and

    Attributes:
        steps: of every level, or a list with the steps of each.
        pretraining: what it is trained on, in words, for the checkpoint; by default the corpus as it is named.
        dtype: of the parameters in checkpoints: float32, or float16, which takes half the space.
        features_gb: so much memory is taken to keep log-mel spectrograms from one epoch to the next.
    """

    steps: Counted | Annotated[Sequence[Counted], MinLen(1)] = 10_000
    pretraining: str | None = None
    dtype: Literal["float32", "float16"] = "float32"
    features_gb: Number = 1.0

    def steps_of(self, levels: int) -> list[int]:
        """The steps of each level.

        Raises:
            UserError: a list of another number.
        """
        if isinstance(self.steps, int):
            return [self.steps] * levels
        if len(self.steps) != levels:
            raise UserError(
                f"training.steps: {len(self.steps)} numbers for {levels} levels; give as many, or one for all"
            )
        return list(self.steps)


@dataclass(frozen=True)
class PretrainOptions:
    """Both sections."""

    model: ModelOptions
    training: TrainingOptions

    @property
    def steps(self) -> list[int]:
        """Of each level."""
        return self.training.steps_of(self.model.config.levels)


def read(given: str | Path | Mapping[str, Any] | File) -> PretrainOptions:
    """The options of a training.

    Args:
        given: a file, or the sections.

    Raises:
        UserError: an option is unknown or a value not possible, with file and line where there are such.
    """
    file = config_file.given(given)
    model, training = (schema.read(file, ("model",), ModelOptions), schema.read(file, ("training",), TrainingOptions))
    options = PretrainOptions(model, training)
    try:
        _ = options.steps
    except UserError as error:
        raise file.error(("training", "steps"), str(error)) from None
    return options
