"""How an HQA is trained: the sections `model` and `training` of a pre-training's configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s3prl_plugin import config as config_file
from s3prl_plugin.config import Config as File
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.settings import section
from s3prl_plugin.upstream.hqa.checkpoint.load import DTYPES
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.pretrain.schedule import LevelRecipe

SECTIONS = ("model", "training")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The section `model`.

    Attributes:
        levels: of the hierarchy; each has half the rate of the one below.
        flat: null, or a level: train in place of the hierarchy the flat VQ-VAE with as many bits as that level.
        hop: samples from one log-mel frame to the next; level 0 has half that rate.
        hidden, codes, code_dim, residual_blocks: see `config.Config`.
    """

    levels: int = 5
    flat: int | None = None
    hop: int = Config.hop
    hidden: int = Config.hidden
    codes: int = Config.codes
    code_dim: int = Config.code_dim
    residual_blocks: int = Config.residual_blocks

    def __post_init__(self) -> None:
        if type(self.levels) is not int or self.levels < 1:
            raise UserError(f"levels: {self.levels!r} is no whole number from 1 on")
        _ = self.config

    @property
    def config(self) -> Config:
        """The model's sizes."""
        sizes = {name: value for name, value in asdict(self).items() if name not in ("levels", "flat")}
        hierarchy = Config(halvings=(1,) * self.levels, **sizes)
        return hierarchy if self.flat is None else hierarchy.flat_at(self.flat)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions(LevelRecipe):
    """The section `training`: what `schedule.Recipe` has, and

    Attributes:
        steps: of every level, or a list with the steps of each.
        pretraining: what it is trained on, in words, for the checkpoint; by default the corpus as it is named.
        dtype: of the parameters in checkpoints: float32, or float16, which takes half the space.
        features_gb: so much memory is taken to keep log-mel spectrograms from one epoch to the next.
    """

    steps: int | Sequence[int] = 10_000
    pretraining: str | None = None
    dtype: str = "float32"
    features_gb: float = 1.0

    def __post_init__(self) -> None:
        LevelRecipe.__post_init__(self)
        steps = self.steps if isinstance(self.steps, (list, tuple)) else [self.steps]
        if not steps or any(type(each) is not int or each < 1 for each in steps):
            raise UserError(f"steps: {self.steps!r}; give a whole number, or a list of one for each level")
        if self.dtype not in DTYPES:
            raise UserError(f"dtype: {self.dtype!r}; give float32 or float16")
        if type(self.features_gb) not in (int, float) or self.features_gb < 0:
            raise UserError(f"features_gb: {self.features_gb!r} is no number from 0 on")

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
    if isinstance(given, (str, Path)):
        given = config_file.read(given)
    file = given if isinstance(given, File) else File(Path("the configuration"), dict(given), {})
    options = PretrainOptions(section(file, ("model",), ModelOptions), section(file, ("training",), TrainingOptions))
    try:
        _ = options.steps
    except UserError as error:
        raise file.error(("training", "steps"), str(error)) from None
    return options
