"""Where a number comes from: the fields of a results row that describe the upstream and the software."""

from __future__ import annotations

import argparse
import hashlib
import platform
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch

import s3prl_plugin
from s3prl_plugin import registry
from s3prl_plugin.compat import distributions
from s3prl_plugin.files import digests
from s3prl_plugin.plugins import plugin_flag
from s3prl_plugin.states import macs, tuned, waveform_normalisation

_known_ids: WeakKeyDictionary[torch.nn.Module, str] = WeakKeyDictionary()


def of_upstream(model: torch.nn.Module, args: argparse.Namespace) -> dict[str, Any]:
    """The row fields that describe an upstream.

    Args:
        model: the upstream; ours tell about themselves (`describe()`), of others parameters and multiply-accumulates
            are counted, and what they were trained on is not known.
        args: the run's arguments.

    Returns:
        upstream, upstream_config, variant, checkpoint_sha256, weights, weights_id, train_step, params, macs_per_s,
        pretraining, unit_iteration, training_data, checkpoint, model_type, waveform_normalisation, versions.
    """
    model = getattr(model, "module", model)  # of DistributedDataParallel, in fine-tuning
    params = sum(p.numel() for p in model.parameters())
    describe: Callable[[], dict[str, Any]] = getattr(model, "describe", dict)
    described = describe()
    init_ckpt = getattr(args, "init_ckpt", None)
    if init_ckpt is not None:
        described = tuned.described(described, init_ckpt)
    name = args.upstream
    options = described.get("options") or {}
    if options:
        name += "[" + ",".join(f"{key}={value}" for key, value in sorted(options.items())) + "]"
    weights = described.get("weights", "trained" if params else None)
    own_config = None if hasattr(model, "describe") else getattr(args, "upstream_model_config", None)
    return {
        "upstream": name,
        "upstream_config": described.get("config_id")
        or (hashlib.sha256(Path(own_config).read_bytes()).hexdigest()[:16] if own_config else None),
        "variant": described.get("variant"),
        "checkpoint_sha256": described.get("checkpoint_sha256"),
        "weights": weights,
        "train_step": described.get("train_step"),
        "params": described.get("params", params),
        "macs_per_s": described["macs_per_s"] if "macs_per_s" in described else macs.for_one_second(model),
        "pretraining": described.get("pretraining"),
        "unit_iteration": described.get("unit_iteration"),
        "training_data": training_data(weights, None if init_ckpt is not None else described.get("pretraining")),
        "checkpoint": described.get("checkpoint"),
        "model_type": described.get("model_type"),
        "waveform_normalisation": described["waveform_normalisation"]
        if "waveform_normalisation" in described
        else waveform_normalisation.of_upstream(model),
        "weights_id": _weights_id_once(model) if params else None,
        "versions": {**versions(), **registry.origin("upstream", args.upstream)},
    }


def training_data(weights: str | None, heard: str | None) -> str:
    """What can be said of whether an upstream heard a corpus in training; see `results.Row`.

    Args:
        weights: "trained", "random" or None.
        heard: all that it was trained on, where that is known.
    """
    if weights in (None, "random"):
        return "none"
    return "unknown" if heard is None else "known"


def identity(
    model: torch.nn.Module, upstream: str, checkpoint: str | Path | None, model_config: str | Path | None
) -> dict[str, Any]:
    """Which upstream it is, for whatever is kept of it and taken up again: the same values, the same states.

    Names of files say nothing reliable, so it is their content: a run over another model must not go on from this
    one's, nor be taken for it. The versions of the programs are left to the caller.

    Args:
        model: the upstream, loaded.
        upstream: its entry, as in `-u`.
        checkpoint: as in `-k`.
        model_config: as in `-g`; its content counts where the upstream reads it itself.

    Returns:
        upstream, checkpoint, weights, options; plain values.
    """
    model = getattr(model, "module", model)  # of DistributedDataParallel, in fine-tuning
    describe: Callable[[], dict[str, Any]] = getattr(model, "describe", dict)
    described = describe()
    file = described.get("checkpoint_sha256")
    if file is None and checkpoint is not None:
        file = digests.of_path(checkpoint) or str(checkpoint)
    options = described.get("options")
    if options is None and model_config is not None:
        options = digests.of_path(model_config)
    return {"upstream": upstream, "checkpoint": file, "weights": _weights_id_once(model), "options": options}


def weights_id(model: torch.nn.Module) -> str:
    """A short name of an upstream's weights as they are in memory, wherever they come from."""
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        content = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype} ".encode() + content.tobytes())
    return found.hexdigest()[:16]


def _weights_id_once(model: torch.nn.Module) -> str:
    """The same of an upstream that stays as it is, computed once."""
    if model not in _known_ids:
        _known_ids[model] = weights_id(model)
    return _known_ids[model]


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = [("s3prl_plugin", s3prl_plugin.__version__), ("python", platform.python_version())]
    found += [("s3prl", str(s3prl)) for s3prl in [distributions.find()] if s3prl]
    for package in ("torch", "torchaudio", "transformers", "numpy", "scipy", "scikit-learn", "librosa"):
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def versions() -> dict[str, str]:
    """The versions of this package and of those that its numbers rest on, and of what `--plugin` has loaded."""
    return {**dict(_versions()), **plugin_flag.versions()}
