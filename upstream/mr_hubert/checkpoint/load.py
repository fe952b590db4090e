"""Checkpoints of HuBERT and MR-HuBERT: fairseq's own files, fine-tuned or not, and those that s3prl converted.

HuBERT also as torchaudio and minimal-hubert save it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.files import digests
from s3prl_plugin.files.expressions import brief
from s3prl_plugin.results import replace_file
from s3prl_plugin.states.loaded_weights import check_places
from s3prl_plugin.upstream.mr_hubert.checkpoint import fairseq_config, foreign_names, stored_names, torch_file
from s3prl_plugin.upstream.mr_hubert.checkpoint.stored_names import FINE_TUNED
from s3prl_plugin.upstream.mr_hubert.network.config import Config
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

CURE = "give a checkpoint of HuBERT or MR-HuBERT as fairseq or s3prl wrote it"
SAFE_WEIGHTS = "model.safetensors"  # of a folder that minimal-hubert's save_pretrained writes

# The parameters of the network itself; everything else (prediction heads, mask embedding) serves pre-training only.
_NETWORK = re.compile(
    r"(feature_extractor|layer_norm|post_extract_proj|encoders|middle_encoder|decoders|(down|up)sample_modules)\."
)
OBJECTIVE = "s3prl_plugin_objective"  # in a checkpoint's extra_state, which fairseq hands on as it is
_HEAD = re.compile(r"final_proj(s\.\d+)?\.weight")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read, its weights still on disk.

    Attributes:
        path: the file.
        config: the network's sizes.
        weights: the network's parameters under the network's names.
        normalize: every waveform is layer-normalised over its own samples first.
        train_step: updates of pre-training; 0 means random weights; None where the file does not say.
        heads: prediction heads; with one, no auxiliary loss at the lower rates (for a multi-resolution network).
        single_target: one label file for all rates.
        single_prediction: loss at the finest rate only.
        label_rate: target labels per second.
        objective: how this plugin's own pre-training weighed its losses; empty for other checkpoints.
    """

    path: Path
    config: Config
    weights: Mapping[str, Tensor] = field(repr=False)
    normalize: bool
    train_step: int | None
    heads: int
    single_target: bool
    single_prediction: bool
    label_rate: float | None
    objective: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def sha256(self) -> str:
        """The file's digest; reads all of it the first time."""
        return str(digests.of_path(self.path))

    def network(self) -> MRHuBERT:
        """The network with these weights, in float32."""
        with torch.device("meta"):
            network = MRHuBERT(self.config)
        # Copied, so that nothing changes when the file does.
        weights = {name: tensor.to(torch.float32, copy=True) for name, tensor in self.weights.items()}
        network.load_state_dict(weights, assign=True)
        return network.requires_grad_(True)


def load(path: str | Path) -> Checkpoint:
    """Read a checkpoint; nothing in it is run, and it is checked against its own configuration.

    Args:
        path: a file of fairseq, one that s3prl converted from it, or one of torchaudio's or minimal-hubert's, whose
            folders are read, too.

    Raises:
        UserError: the file is missing, damaged, of another model or hostile; the message says which.
    """
    path = _file(Path(path))
    content = _content(path)
    try:
        model, task, state, train_step = _parts(content)
        config = fairseq_config.read(model)
        weights = _weights(state, plain=model["_name"] == fairseq_config.PLAIN)
        # A tensor can claim any shape with a stride of 0; what is really there lies in the file.
        if sum(tensor.numel() * tensor.element_size() for tensor in weights.values()) > path.stat().st_size:
            raise UserError("its tensors are larger than the file")
        weights = stored_names.unfolded(weights)
        _check(weights, config)
        return Checkpoint(
            path=path,
            config=config,
            weights=weights,
            normalize=fairseq_config.flag(task, "normalize"),
            train_step=train_step,
            heads=sum(1 for name in state if _HEAD.fullmatch(name)),
            single_target=fairseq_config.flag(model, "use_single_target"),
            single_prediction=fairseq_config.flag(model, "use_single_prediction"),
            label_rate=fairseq_config.label_rate(model, task),
            objective=_objective(content),
        )
    except UserError as error:
        raise UserError(f"{path}: {error}; {CURE}") from None


def train_step(path: str | Path) -> int | None:
    """The updates of pre-training that a checkpoint says it has had; None where it does not say.

    Raises:
        UserError: the file is missing, damaged, of another model or hostile.
    """
    content = _content(_file(Path(path)))
    try:
        return _parts(content)[3]
    except UserError as error:
        raise UserError(f"{path}: {error}; {CURE}") from None


def entry_for(path: str | Path) -> str | None:
    """The entry that loads a file; None where it is no checkpoint of HuBERT or MR-HuBERT."""
    try:
        content = _content(_file(Path(path)))
        if foreign_names.parts(content) is not None:
            return "hubert_any"
        model = _parts(content)[0]
    except UserError:
        return None
    return "hubert_fairseq_local" if model["_name"] == fairseq_config.PLAIN else "mr_hubert_local"


def is_folder(path: Path) -> bool:
    """Whether it is a folder that minimal-hubert's `save_pretrained` wrote: weights and a size, no architecture."""
    try:
        said = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(said, dict) and "model_type" not in said and (path / SAFE_WEIGHTS).is_file()


def _file(path: Path) -> Path:
    """The file of weights."""
    return path / SAFE_WEIGHTS if is_folder(path) else path


def _content(path: Path) -> Any:
    """What a file holds."""
    if path.suffix != ".safetensors" or not path.is_file():
        return torch_file.read(path)
    try:
        return load_file(path)
    except Exception as error:  # of safetensors, for a damaged file
        raise UserError(f"{path}: cannot be read ({error}); it is damaged, fetch or copy it again") from None


def save(
    path: str | Path,
    network: MRHuBERT,
    *,
    normalize: bool = False,
    train_step: int = 0,
    label_rate: float = 50.0,
    heads: Mapping[str, Tensor] | None = None,
    single_target: bool = False,
    single_prediction: bool = False,
    model_options: Mapping[str, Any] | None = None,
    classes: Sequence[int] = (),
    objective: Mapping[str, Any] | None = None,
) -> Path:
    """Write a network in fairseq's format, whole or not at all.

    Args:
        path: the file.
        network: what to write.
        normalize: waveforms were layer-normalised in training.
        train_step: updates of pre-training; 0 says that the weights are random.
        label_rate: target labels per second.
        heads: parameters of pre-training (`mask_emb`, `final_projs.0.weight`, ...), written beside the network's.
        single_target, single_prediction: how it was trained.
        model_options: what else fairseq's configuration of the model says (masking, the heads' width, ...).
        classes: units per prediction head; fairseq and s3prl need them to read the heads.
        objective: how the losses were weighed, where it was not as fairseq has it: numbers, words and lists of them.

    Returns:
        The file's path.
    """
    plain = not network.config.middle_residual
    state = {_stored_name(name, plain): tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    model = fairseq_config.write(network.config)
    model |= {"label_rate": label_rate, "use_single_target": single_target, "use_single_prediction": single_prediction}
    model |= model_options or {}
    content: dict[str, Any] = {
        "args": None,
        "cfg": {"model": model, "task": fairseq_config.task_of(model, normalize)},
        "model": state | dict(heads or {}),
        "criterion": None,
        "optimizer_history": [
            {
                "criterion_name": "HubertCriterion",
                "optimizer_name": "FairseqAdam",
                "lr_scheduler_state": {"best": None},
                "num_updates": train_step,
            }
        ],
        "task_state": {"dictionaries": [fairseq_config.Dictionary(k) for k in _sets(classes, single_target)]},
        "extra_state": {"train_iterator": {"version": 2, "epoch": 1, "iterations_in_epoch": 0, "shuffle": True}},
    }
    if objective is not None:
        content["extra_state"][OBJECTIVE] = dict(objective)
    buffer = io.BytesIO()
    with fairseq_config.importable():
        torch.save(content, buffer)
    replace_file(Path(path), buffer.getvalue())
    return Path(path)


def _sets(classes: Sequence[int], single_target: bool) -> Sequence[int]:
    """The units per file of units; a single one serves all heads."""
    return classes[:1] if single_target else classes


def _parts(content: Any) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any], int | None]:
    """The configurations of model and task, the state dict and the training step, from either format."""
    if not isinstance(content, dict):
        raise UserError(f"holds a {type(content).__name__}, not a checkpoint")
    model: Any
    task: Any
    state: Any
    foreign = foreign_names.parts(content)
    if foreign is not None:
        model, task, state, train_step = foreign
    elif "model_cfg" in content and "model_weight" in content:
        model, task, state = content["model_cfg"], content.get("task_cfg"), content["model_weight"]
        train_step = None
        if isinstance(model, dict):
            model = {"_name": fairseq_config.name_of(model), **model}
    elif "cfg" in content and "model" in content:
        cfg = content["cfg"] if isinstance(content["cfg"], dict) else {}
        model, task, state = cfg.get("model"), cfg.get("task"), content["model"]
        train_step = _train_step(content)
    elif {"Args", "Config"} <= content.keys():
        raise UserError("is the checkpoint of a run: load its upstream with -i, beside the run's own -u and -k")
    elif content and all(isinstance(value, Tensor) for value in content.values()):
        raise UserError("holds weights only (a state dict), not the configuration that they need")
    else:
        raise UserError("is not a checkpoint of fairseq: it lacks `cfg` and `model`")
    inside: tuple[str, ...] = ()
    if isinstance(model, dict) and isinstance(model.get("_name"), str) and model["_name"] in FINE_TUNED:
        key, inside = FINE_TUNED[model["_name"]]
        pretrained = model.get(key)
        if not isinstance(pretrained, dict) or not isinstance(pretrained.get("model"), dict):
            raise UserError(f"is fine-tuned, and its {key} does not say what its model was before")
        task, train_step = pretrained.get("task"), None  # its updates are those of fine-tuning
        model = {"_name": fairseq_config.name_of(pretrained["model"]), **pretrained["model"]}
    if not (isinstance(model, dict) and isinstance(task, dict) and isinstance(state, dict)):
        raise UserError("is a checkpoint without a configuration (fairseq of before 2021 wrote them)")
    state = stored_names.own_names(state, inside)
    name = model.get("_name")
    if name not in (fairseq_config.MULTI_RESOLUTION, fairseq_config.PLAIN):
        raise UserError(f"is a checkpoint of another model ({brief(name)})")
    return model, task, state, train_step


def _objective(content: Mapping[str, Any]) -> dict[str, Any]:
    """How the losses were weighed, where the file says; what is neither number, word nor a list of such is left out."""
    extra = content.get("extra_state")
    said = extra.get(OBJECTIVE) if isinstance(extra, dict) else None
    if not isinstance(said, dict):
        return {}
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}
    plain = (bool, int, float, str)
    return {
        name: value
        for name, value in found.items()
        if isinstance(name, str)
        and (isinstance(value, plain) or (isinstance(value, list) and all(isinstance(each, plain) for each in value)))
    }


def _train_step(content: Mapping[str, Any]) -> int | None:
    """Updates of pre-training, where the file says."""
    history = content.get("optimizer_history")
    last = history[-1] if isinstance(history, list) and history else None
    step = last.get("num_updates") if isinstance(last, dict) else None
    return step if type(step) is int and step >= 0 else None


def _weights(state: Mapping[str, Any], plain: bool) -> dict[str, Tensor]:
    """The network's own parameters, under the network's names."""
    weights = {}
    for stored, tensor in state.items():
        name = _network_name(stored, plain)
        if not _NETWORK.match(name):
            continue
        if not (isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.layout is torch.strided):
            raise UserError(f"{brief(stored)} is not a dense tensor of real numbers")
        weights[name] = tensor
    return weights


def _network_name(name: str, plain: bool) -> str:
    """A parameter's name in our network: plain HuBERT calls the middle block `encoder`."""
    return "middle_" + name if plain and name.startswith("encoder.") else name


def _stored_name(name: str, plain: bool) -> str:
    """The inverse of `_network_name`."""
    return name.removeprefix("middle_") if plain else name


def _check(weights: Mapping[str, Tensor], config: Config) -> None:
    """Exactly the configured parameters are there, in their shapes, and they are finite."""
    with torch.device("meta"):
        expected = MRHuBERT(config).state_dict()
    check_places(weights, expected)
    for name, tensor in weights.items():
        if not tensor.sum(dtype=torch.float32).isfinite():
            raise UserError(f"{name} holds values that are not finite; the file is damaged")
