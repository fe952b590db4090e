"""`s3prl-plugin doctor`: what is installed, what was healed, what is missing, and whether s3prl runs."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.metadata
import io
import json
import platform
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from s3prl_plugin import __version__
from s3prl_plugin.plugins import offers

HELP = "what is installed, healed and missing, with commands; whether s3prl runs, and a GPU computes what the CPU does"
EXAMPLES = """exit status: 0 when s3prl trains and evaluates here, and a GPU computes what the CPU does; else 1

examples:
  s3prl-plugin doctor
  s3prl-plugin doctor --json
"""
LIBRARIES = ("torch", "torchaudio", "transformers", "huggingface_hub", "numpy", "soundfile", "soxr")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `doctor` takes."""
    parser.add_argument("--json", action="store_true", help="print JSON in place of text")


def run(args: argparse.Namespace) -> int:
    """Examine this machine and print the finding."""
    finding = examine()
    print(json.dumps(finding, indent=1) if args.json else _text(finding))
    return 0 if finding["s3prl"]["runs"] and all(device["agrees"] for device in finding["devices"]) else 1


def examine() -> dict[str, Any]:
    """What is found here.

    Returns:
        `versions` of the libraries, `others`: what other packages offer (package, version, offers), and what of it is
        left out (`left_out`, a sentence each), `cuda`, `healed` (library, since which version of it, what), `missing`
        (what for, what, command), `caches` (what, folder, free_gb), `s3prl`: whether it `runs`, in how many `seconds`,
        or with which `error`, its `folder`, which `distributions` say that its files are theirs (name, version, how
        many files, unchanged, gone), what is wrong with that (`trouble`) and the command that mends it (`mend`), and
        `devices` besides the CPU: how far what they compute is from what the CPU computes; see `device_check`.
    """
    import s3prl_plugin
    from s3prl_plugin import compat

    s3prl_plugin.register()
    trial = _trial()  # first: the shims act when it imports their libraries
    return {
        "versions": _versions(),
        "others": _others(),
        "left_out": offers.all_wrong(),
        "cuda": _cuda(),
        "healed": [dataclasses.asdict(healing) for healing in compat.healed()],
        "missing": _missing(),
        "caches": _caches(),
        "s3prl": {**trial, **_distributions()},
        "devices": _devices(),
    }


def _trial() -> dict[str, Any]:
    """Train and evaluate s3prl's own example for a moment, on its fbank upstream, with its own runner."""
    begin = time.perf_counter()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            _train_example(folder)
    except Exception as error:  # whatever hinders it is the finding
        return {"runs": False, "error": f"{type(error).__name__}: {error}"}
    return {"runs": True, "seconds": round(time.perf_counter() - begin, 1)}


def _train_example(folder: str) -> None:
    """Two steps of training, one evaluation, a checkpoint, and an evaluation from the checkpoint."""
    from s3prl.downstream.runner import Runner

    from s3prl_plugin.compat.s3prl import running

    args = argparse.Namespace(
        upstream="fbank",
        upstream_ckpt=None,
        upstream_model_config=None,
        upstream_refresh=False,
        upstream_trainable=False,
        upstream_feature_selection="hidden_states",
        upstream_layer_selection=None,
        upstream_feature_normalize=False,
        downstream="example",
        device="cpu",
        expdir=folder,
        evaluate_split="test",
        init_ckpt=None,
        push_to_hf_hub=False,
        local_rank=None,
        seed=0,
    )
    every_step = {"log_step": 1, "eval_step": 2, "save_step": 2, "max_keep": 1, "eval_dataloaders": ["dev"]}
    config = {
        # of the example's 200 utterances, as few as possible
        "runner": {"total_steps": 2, "gradient_clipping": 1, "gradient_accumulate_steps": 1, "evaluate_ratio": 0.005}
        | every_step,
        "optimizer": {"name": "TorchOptim", "torch_optim_name": "Adam", "lr": 1e-4},
        "downstream_expert": {
            "datarc": {"train_batch_size": 1, "eval_batch_size": 1, "num_workers": 0},
            "modelrc": {"input_dim": 8},
        },
    }
    with running("example", args.device, folder):
        Runner(args, config).train()
        args.init_ckpt = str(Path(folder) / "states-2.ckpt")
        Runner(args, config).evaluate()


def _distributions() -> dict[str, Any]:
    """Whose files the package s3prl has."""
    from s3prl_plugin.compat import distributions

    found = distributions.find()
    if found is None:
        return {"folder": None, "distributions": [], "trouble": None, "mend": None}
    claims = [dataclasses.asdict(claim) for claim in found.claims]
    return {"folder": str(found.folder), "distributions": claims, "trouble": found.trouble, "mend": found.mend}


def _versions() -> dict[str, str | None]:
    """The versions of what matters; None for what is not installed."""
    from s3prl_plugin.compat import distributions

    versions: dict[str, str | None] = {"python": platform.python_version(), "s3prl_plugin": __version__}
    s3prl = distributions.find()
    versions["s3prl"] = str(s3prl) if s3prl else None
    for name in LIBRARIES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def _others() -> list[dict[str, Any]]:
    """Other packages, and what they offer."""
    found: dict[tuple[str, str], list[str]] = {}
    for offer in offers.everything():
        found.setdefault((offer.package, offer.version), []).append(f"{offer.kind} {offer.name}")
    return [{"package": name, "version": version, "offers": said} for (name, version), said in found.items()]


def _cuda() -> str | None:
    """The GPU's name, or None."""
    import torch

    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else None


def _devices() -> list[dict[str, Any]]:
    """How far the devices that are there are from the CPU; empty where there are none."""
    from s3prl_plugin.commands import device_check

    found = []
    for device in device_check.devices():
        try:
            found.append(device_check.compare(device).as_json())
        except Exception as error:  # whatever hinders it is the finding
            reason = f"{type(error).__name__}: {error}"
            found.append({"device": device, "name": device, "error": reason, "agrees": False})
    return found


def _missing() -> list[dict[str, str]]:
    """What the demo and the SUPERB tasks lack."""
    from s3prl_plugin.compat import packages

    found = [("demo", part) for part in packages.missing(packages.DEMO)]
    for task, downstream, _ in packages.TASKS:
        found += [(f"{task} (-d {downstream})", part) for part in packages.missing_for(downstream)]
    return [{"for": purpose, "what": part.what, "command": part.command} for purpose, part in found]


def _caches() -> list[dict[str, Any]]:
    """Where downloads and caches go, and the room that is left there."""
    import torch

    from s3prl_plugin.compat import caches

    folders = {
        "plugin": caches.cache_folder(),
        "s3prl downloads": Path.home() / ".cache" / "s3prl" / "download",
        "torch.hub": Path(torch.hub.get_dir()),
    }
    return [{"what": what, "folder": str(folder), "free_gb": _free_gb(folder)} for what, folder in folders.items()]


def _free_gb(folder: Path) -> float:
    """Free space on the disk that holds, or will hold, a folder."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return round(shutil.disk_usage(existing).free / 1e9, 1)


def _text(finding: dict[str, Any]) -> str:
    """The finding for people."""
    lines = ["found"]
    lines += [f"  {name:<16} {version or 'not installed'}" for name, version in finding["versions"].items()]
    lines += [f"  {'CUDA':<16} {finding['cuda'] or 'no GPU: everything runs on the CPU'}"]
    lines += [f"  {cache['what']:<16} {cache['folder']} ({cache['free_gb']} GB free)" for cache in finding["caches"]]
    lines += [f"  {other['package']} {other['version']}: {', '.join(other['offers'])}" for other in finding["others"]]
    lines += [f"  left out: {message}" for message in finding["left_out"]]
    lines += _distribution_lines(finding["s3prl"])
    lines += ["healed, and the version that needs it first (of s3prl, the last one)"]
    lines += [
        f"  {healing['library']:<15} {healing['since']:<7} {healing['what']}" for healing in finding["healed"]
    ] or ["  nothing"]
    lines += ["missing"]
    for part in finding["missing"]:
        lines += [f"  {part['for']}: {part['what']}", f"    {part['command']}"]
    if not finding["missing"]:
        lines += ["  nothing"]
    lines += _device_lines(finding["devices"])
    trial = finding["s3prl"]
    if trial["runs"]:
        lines += [f"s3prl trains and evaluates here ({trial['seconds']} s with its imports)"]
    else:
        lines += [f"s3prl does not run here: {trial['error']}"]
    return "\n".join(lines)


def _distribution_lines(s3prl: dict[str, Any]) -> list[str]:
    """Whose files the package s3prl has, and the command that mends it."""
    lines = [f"s3prl's files, in {s3prl['folder']}"]
    for claim in s3prl["distributions"]:
        lines.append(
            f"  {claim['name']} {claim['version']}: {claim['unchanged']} of its {claim['files']} files are there"
        )
    if s3prl["trouble"]:
        lines += [f"  {s3prl['trouble']}", f"    {s3prl['mend']}"]
    return lines


def _device_lines(devices: list[dict[str, Any]]) -> list[str]:
    """What the check of the devices saw."""
    if not devices:
        return ["devices", "  no GPU that torch sees: nothing but the CPU to check; everything is computed on it"]
    lines = ["devices, beside the CPU: the largest difference, relative to the largest value"]
    for device in devices:
        verdict = "agrees with the CPU" if device["agrees"] else "DIFFERS from the CPU: do not use it"
        seen = device.get("error") or ", ".join(f"{what} {far:.1e}" for what, far in device["differences"].items())
        lines.append(f"  {device['device']} ({device['name']}): {verdict} ({seen})")
    return lines
