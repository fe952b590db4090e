"""What s3prl runs, unpickles or hands to a shell is looked up, read as plain values, or refused here.

s3prl calls `eval` on settings, on configurations inside checkpoints, and on names of its own methods. Its modules get a
function of that name that only looks names up and computes lists of numbers. The lists of names are `setting_names`.
"""

from __future__ import annotations

import ast
import importlib
import math
import re
import sys
from types import FrameType, ModuleType
from typing import Any

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.caches import PLAIN_FILES
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.compat.replaced import StandIn
from s3prl_plugin.errors import UserError, one_line

# whose modules call `eval`
PACKAGES = ("s3prl.downstream", "s3prl.upstream", "s3prl.utility", "s3prl.util")
MODULES = ("s3prl.optimizers", "s3prl.schedulers", "s3prl.run_downstream", "s3prl.run_pretrain")
MAX_CHARACTERS = 10_000
# names of s3prl's own methods and functions: what they look like, in which modules
_METHOD = re.compile(r"(self|runner)\.([a-z][a-z0-9_]*)")
_KALDI = re.compile(r"torchaudio\.compliance\.kaldi\.(fbank|mfcc|spectrogram)")
_PATH = re.compile(r"self((\.[A-Za-z]\w*)|(\[\d{1,4}\]))+")


def install() -> None:
    """Give s3prl's modules their functions before they run, and what they read or start a process with after."""
    hooks.before_import(_evaluates, _look_names_up)
    hooks.after_import("s3prl.downstream.diarization.dataset", _refuse_pipes)
    hooks.after_import("s3prl.downstream.voxceleb2_amsoftmax_segment_eval.dataset", _plain_caches)
    for name in _READ_YAML:
        hooks.after_import(name, _safe_yaml)


def _evaluates(name: str) -> bool:
    """Whether a module is one that may call `eval`."""
    return name in MODULES or name.startswith(tuple(f"{package}." for package in PACKAGES))


def _look_names_up(module: ModuleType) -> None:
    """Put the function in place of the builtin one, for this module only."""
    module.__dict__["eval"] = evaluate
    note(
        "s3prl", "0.4.18", "settings and checkpoints: strings are names out of a list, or lists of numbers; none is run"
    )


def evaluate(text: Any, *_: Any) -> Any:
    """What a string stands for in one of s3prl's modules.

    Args:
        text: the name of one of s3prl's classes or functions that a setting can have, a method or a part of an
            upstream that s3prl's own code names, or a list of numbers.

    Raises:
        UserError: it is none of these.
    """
    frame = sys._getframe(1)
    try:
        if isinstance(text, str) and len(text) <= MAX_CHARACTERS:
            return _found(text.strip(), frame)
    except _NothingFoundError:
        pass
    finally:
        del frame
    raise UserError(f"{_brief(text)} is no name that is known there; nothing in a file is run")


class _NothingFoundError(Exception):
    """No meaning of a string is known."""


def _found(text: str, frame: FrameType) -> Any:
    """What a string stands for where a frame asks."""
    from s3prl_plugin.config import setting_names

    module: str = frame.f_globals["__name__"]
    owner = _owner(module)
    name = text.removeprefix("get_") if owner in ("optimizer", "scheduler") else text
    target = setting_names.added(owner, name)
    if target is not None:
        place, _, attribute = target.partition(":")
        return getattr(importlib.import_module(place), attribute)
    if name in setting_names.known(owner) or (not owner and name in (*setting_names.HEADS, *_POOLING)):
        return -math.inf if text == "-math.inf" else frame.f_globals[text]
    method = _METHOD.fullmatch(text)
    if method and not module.startswith("s3prl.upstream."):
        held = frame.f_locals.get(method[1])
        if callable(getattr(type(held), method[2], None)):
            return getattr(held, method[2])
    if module == "s3prl.upstream.baseline.extracter":
        kind = _KALDI.fullmatch(text)
        if kind:
            return getattr(frame.f_globals["torchaudio"].compliance.kaldi, kind[1])
    elif module.startswith("s3prl.upstream."):
        return _part(text, frame.f_locals.get("self")) if _PATH.fullmatch(text) else _numbers(text)
    raise _NothingFoundError


_POOLING = ("MeanPooling", "AttentivePooling")


def _owner(module: str) -> str:
    """Whose settings a module of s3prl's evaluates: a downstream's, "optimizer", "scheduler", or "" for any's."""
    if module in ("s3prl.optimizers", "s3prl.schedulers"):
        return module.removeprefix("s3prl.")[:-1]
    parts = module.split(".")
    return parts[2] if parts[:2] == ["s3prl", "downstream"] and len(parts) > 3 else ""


def _part(path: str, model: Any) -> Any:
    """A part of a network: `self.model.encoder.layers[3]`."""
    import torch

    for name, index in re.findall(r"\.([A-Za-z]\w*)|\[(\d+)\]", path):
        model = getattr(model, name, None) if name else model[int(index)]
        if not isinstance(model, torch.nn.Module):
            raise _NothingFoundError
    return model


def _numbers(text: str) -> Any:
    """Numbers, lists and tuples of them, and their repetitions, as checkpoints of fairseq hold them."""
    from s3prl_plugin.files.expressions import evaluate as computed

    try:
        return computed(text)
    except UserError:
        pass
    try:
        return ast.literal_eval(text)  # numbers that are not whole; None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise _NothingFoundError from None


def _refuse_pipes(dataset: ModuleType) -> None:
    """SD reads audio that wav.scp names; a line that ends in `|` would be a command."""
    kind = dataset.KaldiData
    stock = kind._load_wav_scp

    def load(self: Any, path: Any) -> dict[str, str]:
        found = stock(self, path)
        for recording, named in found.items():
            if named.rstrip().endswith("|") or named.lstrip().startswith("|"):
                raise UserError(
                    f"{path}: {recording} is a command, which is never run; write its output into a file and name that"
                )
            if named == "-":
                raise UserError(f"{path}: {recording} is read from no terminal; name a file")
        return found

    kind._load_wav_scp = load
    dataset.subprocess = StandIn(dataset.subprocess, Popen=_no_process)  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", "SD: an entry of wav.scp that is a command is refused")


def _no_process(*_: Any, **__: Any) -> None:
    """Start nothing."""
    raise UserError("wav.scp: an entry that is a command is never run; name a file")


def _plain_caches(dataset: ModuleType) -> None:
    """Caches of a corpus's files are lists and mappings as JSON holds them."""
    dataset.pickle = PLAIN_FILES  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", f"{dataset.__name__.split('.')[2]}: caches are plain lists")


_READ_YAML = (
    "s3prl.run_downstream",
    "s3prl.upstream.baseline.expert",
    "s3prl.upstream.distiller.builder",
    "s3prl.upstream.distiller.expert",
    "s3prl.upstream.log_stft.expert",
    "s3prl.upstream.mockingjay.builder",
    "s3prl.upstream.mockingjay.expert",
)


def _safe_yaml(module: ModuleType) -> None:
    """s3prl's modules read YAML with a loader that can look functions up; here they get the one that cannot."""

    def load(file: Any, Loader: Any = None) -> Any:
        from s3prl_plugin import config

        text = file if isinstance(file, (str, bytes)) else file.read()
        try:
            return config.parse(text)
        except UserError as error:
            raise UserError(f"{getattr(file, 'name', 'a configuration')}: {error}") from None

    module.yaml = StandIn(module.yaml, load=load)  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", "configurations: read as plain values")


def _brief(value: object) -> str:
    """A value in a message of one line."""
    text = one_line(repr(value) if isinstance(value, (str, bytes)) else f"<{type(value).__name__}>")
    return text if len(text) <= 60 else text[:57] + "..."
