"""What a training needs to go on as if it had never stopped, in `states-<step>.ckpt`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.results import replacing

_NAME = re.compile(r"states-(\d+)\.ckpt")


def save(folder: Path, step: int, content: dict[str, Any], keep: int) -> Path:
    """Write a state whole or not at all; only then older ones go, but for `keep` in all."""
    path = folder / f"states-{step}.ckpt"
    with replacing(path) as file:
        torch.save(content, file)
    for old in in_folder(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def in_folder(folder: Path) -> list[Path]:
    """The states there are, by step."""
    found = [(int(match[1]), path) for path in folder.glob("states-*.ckpt") if (match := _NAME.fullmatch(path.name))]
    return [path for _, path in sorted(found)]


def find(given: Path) -> Path:
    """The state that a path means: itself, or the last one in that folder.

    Raises:
        UserError: there is none.
    """
    if given.is_dir():
        found = in_folder(given)
        if not found:
            raise UserError(f"-e {given}: no state (states-*.ckpt) in this folder")
        return found[-1]
    if not given.is_file():
        raise UserError(f"-e {given}: no such file; give a state (states-*.ckpt) or the folder of a run")
    return given


def load(path: Path) -> dict[str, Any]:
    """Read a state; nothing in it is run.

    Raises:
        UserError: it is no state of a pre-training.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can fail in any part of the reader
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"-e {path}: this file cannot be read as a state ({reason})") from None
    if not isinstance(content, dict) or not {"Step", "Args", "Config", "Optimizer", "Position"} <= content.keys():
        raise UserError(f"-e {path}: not the state of a pre-training of this plugin")
    return content
