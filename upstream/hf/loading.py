"""A model of transformers from its files: the network that hears, and what prepares waveforms for it.

Nothing that lies in the model's folder is run, unless --trust_remote_code was given on the command line.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from s3prl_plugin.compat import hf_folder
from s3prl_plugin.compat.hf_folder import Folder
from s3prl_plugin.compat.transformers import NOT_NEEDED, quiet, reason
from s3prl_plugin.config import remote_code
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.hf import families
from s3prl_plugin.upstream.hf.families import Family

# What training changes and a measurement must not have: layers that are left out, frames that are hidden.
_DROPS = ("layerdrop", "encoder_layerdrop", "speech_encoder_layerdrop")
_HEARS = ("input_values", "input_features")
# Twelve frames of 1280 samples a second and one of 640: no time in the results would be right.
_UNEVEN = ("qwen3_asr", "qwen3_asr_encoder", "qwen3_omni_moe_audio_encoder")


@dataclass
class Loaded:
    """A model that was loaded.

    Attributes:
        found: its files.
        root: the part of it that hears, in float32.
        prefix: the path of `root` in the model.
        family: None where it is of no known one.
        extractor: its feature extractor; None where a model with code of its own has none.
        code: the model's own code is run.
    """

    found: Folder
    root: nn.Module
    prefix: str
    family: Family | None
    extractor: Any
    code: bool


def load(name: str, random_seed: int | None) -> Loaded:
    """Load a model.

    Args:
        name: a folder, or a name on the hub.
        random_seed: of random weights, as the model's configuration initialises them; None for those of the files.

    Raises:
        UserError: it cannot be loaded, with the cure.
    """
    found = hf_folder.find(name, "hf")
    config = _config(found)
    code = "auto_map" in found.config and remote_code.is_allowed()
    extractor = _extractor(found, code)
    model = _fresh(found, config, random_seed) if random_seed is not None else _stored(found, config)
    family = families.of(found.model_type)
    prefix = family.encoder if family is not None else _hears(model)
    root = model.get_submodule(prefix)
    _check_finite(found, root)
    return Loaded(found, root, prefix, family, extractor, code)


def fresh(found: Folder, prefix: str, seed: int) -> nn.Module:
    """The part of a model that hears, with the weights from which its training would begin."""
    return _fresh(found, _config(found), seed).get_submodule(prefix)


def _config(found: Folder) -> Any:
    """The configuration, of a model that hears."""
    try:
        from transformers import MODEL_MAPPING, AutoConfig
    except ImportError as error:
        raise UserError(f"-u hf needs transformers ({error}): pip install transformers") from None
    own_code = "auto_map" in found.config
    if found.config.get("quantization_config"):
        raise UserError(f"{found.name}: its weights are quantised; give the folder of the model before that")
    try:
        with quiet():
            config = AutoConfig.from_pretrained(
                str(found.path), trust_remote_code=own_code and remote_code.is_allowed()
            )
    except Exception as error:  # of transformers, of many kinds
        if own_code and not remote_code.is_allowed():
            raise UserError(
                f"{found.name}: the model comes with code of its own, which is not run; read it, and give "
                "--trust_remote_code on the command line"
            ) from None
        import transformers

        known = f"transformers {transformers.__version__} does not know its model_type {found.model_type}"
        raise UserError(f"{found.name}: {known} ({reason(error)}); a newer version may") from None
    if own_code and remote_code.is_allowed():
        return _steady(config)
    kind: Any = MODEL_MAPPING.get(type(config), None)
    kind = kind[0] if isinstance(kind, tuple) else kind
    if kind is None:
        raise UserError(
            f"{found.name}: transformers loads no model by itself of a {found.model_type} configuration; save the part "
            "that hears by itself"
        )
    if kind.main_input_name not in _HEARS and families.of(found.model_type) is None:
        raise UserError(f"{found.name}: a {found.model_type} takes {kind.main_input_name}, not speech; give an encoder")
    if found.model_type in _UNEVEN:
        raise UserError(
            f"{found.name}: the frames of a {found.model_type} are not equally far apart; it is not supported"
        )
    if found.model_type == "encodec" and getattr(config, "chunk_length_s", None):
        raise UserError(f"{found.name}: this EnCodec cuts audio into windows of its own; the one of 24 kHz can be used")
    return _steady(config)


def _steady(config: Any) -> Any:
    """A configuration, and those inside it, without dropped layers and hidden frames."""
    for name in _DROPS:
        if getattr(config, name, None):
            setattr(config, name, 0.0)
    if hasattr(config, "mask_time_prob"):
        config.apply_spec_augment = False  # which is true of some models whose configuration does not name it
    for inner in list(vars(config).values()):
        if hasattr(inner, "to_diff_dict"):
            _steady(inner)
    return config


def _stored(found: Folder, config: Any) -> nn.Module:
    """The model with the weights of its files."""
    from transformers import AutoModel

    try:
        with quiet():
            model, report = AutoModel.from_pretrained(
                str(found.path),
                config=config,
                dtype=torch.float32,
                output_loading_info=True,
                local_files_only=True,
                trust_remote_code=remote_code.is_allowed() and "auto_map" in found.config,
            )
    except Exception as error:  # whatever a damaged file makes of transformers, safetensors or torch
        raise UserError(f"{found.name}: cannot be loaded ({reason(error)}); save the model again") from None
    _check(found, model, report)
    stored = str(found.config.get("dtype") or found.config.get("torch_dtype") or "float32")
    if stored not in ("float32", "None"):
        print(f"[upstream] {found.name}: stored in {stored}, computed in float32 (option dtype)", file=sys.stderr)
    return model


def _fresh(found: Folder, config: Any, seed: int) -> nn.Module:
    """The model with random weights; torch's random state stays as it is."""
    from transformers import AutoModel

    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        code = remote_code.is_allowed() and "auto_map" in found.config
        model: nn.Module = AutoModel.from_config(config, trust_remote_code=code, dtype=torch.float32)
    return model


def _check(found: Folder, model: Any, report: Mapping[str, Any]) -> None:
    """Refuse what transformers reports and goes on with: weights of the encoder drawn at random, or left out."""
    family = families.of(found.model_type)
    prefix = family.encoder if family is not None else _hears(model)
    inside = f"{prefix}." if prefix else ""
    parts = {f"{inside}{name}" for name, _ in model.get_submodule(prefix).named_children()}
    own = f"{model.base_model_prefix}."

    def of_encoder(name: str) -> bool:
        bare = name.removeprefix(own)
        return any(bare == part or bare.startswith(f"{part}.") for part in parts)

    missing = [name for name in report["missing_keys"] if name.rpartition(".")[2] not in NOT_NEEDED]
    missing = [name for name in missing if of_encoder(name) or name.startswith(inside)]
    others = [str(part) for part in [*report["mismatched_keys"], *report.get("error_msgs", ())]]
    for names, what in (
        (missing, "are missing in its file of weights and would be random"),
        ([name for name in report["unexpected_keys"] if of_encoder(name)], "have no place in the model"),
        (others, "do not fit the model that its config.json describes"),
    ):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise UserError(f"{found.name}: {sorted(names)[0]}{more} {what}; save the model again")


def _check_finite(found: Folder, root: nn.Module) -> None:
    """Refuse weights that are NaN."""
    for name, weight in root.named_parameters():
        if not weight.isfinite().all():
            raise UserError(f"{found.name}: its weight {name} is NaN or infinite; fetch or save the model again")


def _extractor(found: Folder, code: bool) -> Any:
    """What prepares waveforms."""
    from transformers import AutoFeatureExtractor

    if not any((found.path / name).is_file() for name in hf_folder.PREPARED_BY):
        if code:
            return None
        raise UserError(
            f"{found.name}: no {hf_folder.PREPARED_BY[0]}, which says how waveforms are prepared; copy it from the "
            "model that this one was trained from"
        )
    try:
        with quiet():
            return AutoFeatureExtractor.from_pretrained(str(found.path), trust_remote_code=code)
    except Exception as error:  # of any kind, from transformers
        said = f"what prepares its waveforms cannot be read ({reason(error)})"
        raise UserError(
            f"{found.name}: {said}; copy {hf_folder.PREPARED_BY[0]} from the model it was trained from"
        ) from None


def _hears(model: Any) -> str:
    """The path of the part of a model of no known family that hears."""
    for name in ("audio_tower", "speech_encoder", "audio_encoder"):
        if isinstance(getattr(model, name, None), nn.Module):
            return name
    if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
        encoder = model.get_encoder()
        return next(name for name, module in model.named_modules() if module is encoder)
    return ""
