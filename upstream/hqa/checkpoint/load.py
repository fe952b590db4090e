"""Checkpoints of HQA: a file of safetensors, which can hold numbers and text and nothing that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests
from s3prl_plugin.results import replace_file
from s3prl_plugin.states.loaded_weights import check_places
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.model import HQA

FORMAT = "s3prl_plugin.hqa.1"
"""The one key of the file's metadata: with several, their order would differ from file to file."""

CURE = "give a checkpoint that `run_pretrain -u hqa` wrote"
DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read.

    Attributes:
        path: the file.
        config: the model's sizes.
        weights: its parameters and moments, under the model's names.
        train_step: updates of training, over all levels; 0 means random weights.
        pretraining: what it was trained on; None where the file does not say.
    """

    path: Path
    config: Config
    weights: Mapping[str, Tensor] = field(repr=False)
    train_step: int
    pretraining: str | None

    @cached_property
    def sha256(self) -> str:
        """The file's digest; reads all of it the first time."""
        return str(digests.of_path(self.path))

    def model(self) -> HQA:
        """The model with these weights, parameters in float32, in eval mode."""
        with torch.device("meta"):
            model = HQA(self.config)
        wanted = {name: tensor.dtype for name, tensor in model.state_dict().items()}
        weights = {name: tensor.to(wanted[name], copy=True) for name, tensor in self.weights.items()}
        model.load_state_dict(weights, assign=True)
        return model.requires_grad_(True).eval()


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint, and check it against its own configuration.

    Raises:
        UserError: the file is missing, damaged, or of something else; the message says which.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the checkpoint file in it")
    if not path.is_file():
        raise UserError(f"{path}: no such file; check the path of the checkpoint")
    try:
        said, weights = _read(path)
        config = _config(said.get("config"))
        step, pretraining = said.get("train_step"), said.get("pretraining")
        if type(step) is not int or step < 0 or not (pretraining is None or isinstance(pretraining, str)):
            raise UserError("does not say how long it was trained")
        _check(weights, config)
    except UserError as error:
        raise UserError(f"{path}: {error}; {CURE}") from None
    return Checkpoint(path, config, weights, step, pretraining)


def train_step(path: str | Path) -> int:
    """The updates of training that a checkpoint says it has had.

    Raises:
        UserError: as `load`.
    """
    return load(path).train_step


def save(
    path: str | Path, model: HQA, *, train_step: int = 0, pretraining: str | None = None, dtype: str = "float32"
) -> Path:
    """Write a model, whole or not at all.

    Args:
        path: the file.
        model: what to write.
        train_step: updates of training, over all levels; 0 says that the weights are random.
        pretraining: what it was trained on.
        dtype: of the parameters in the file, a key of `DTYPES`; moments stay in float64.

    Returns:
        The file's path.
    """
    from safetensors.torch import save as to_bytes

    weights = {
        name: tensor.detach().cpu().to(DTYPES[dtype] if tensor.dtype == torch.float32 else tensor.dtype).contiguous()
        for name, tensor in model.state_dict().items()
    }
    said = {"config": asdict(model.config), "train_step": train_step, "pretraining": pretraining}
    replace_file(Path(path), to_bytes(weights, metadata={FORMAT: json.dumps(said)}))
    return Path(path)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a file says of itself, and its tensors."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if FORMAT not in metadata:
                raise UserError("holds tensors, but not those of an HQA")
            said = json.loads(metadata[FORMAT])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise UserError(f"is not a safetensors file, or damaged ({reason})") from None
    if not isinstance(said, dict):
        raise UserError("does not say what it is")
    return said, weights


def _config(said: Any) -> Config:
    """The sizes that a file names."""
    known = {field.name for field in fields(Config)}
    if not isinstance(said, dict) or set(said) != known or not isinstance(said["halvings"], list):
        raise UserError("does not name the sizes of its model")
    return Config(**{**said, "halvings": tuple(said["halvings"])})


def _check(weights: Mapping[str, Tensor], config: Config) -> None:
    """Exactly the configured tensors are there, in their shapes, and finite."""
    with torch.device("meta"):
        expected = HQA(config).state_dict()
    check_places(weights, expected)
    for name, tensor in weights.items():
        if not (tensor.is_floating_point() and bool(tensor.isfinite().all())):
            raise UserError(f"{name} holds values that are not finite numbers")


def is_one(path: str | Path) -> bool:
    """Whether a file begins as one of safetensors does; its content is not looked at."""
    with Path(path).open("rb") as file:
        return file.read(9)[8:] == b"{"
