"""Reading a file of `torch.save` without running anything from it."""

from __future__ import annotations

import pickletools
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.checkpoint import numpy_values
from s3prl_plugin.upstream.mr_hubert.checkpoint.numpy_values import Inert

# What tensors are made of, and containers. torch's own list is longer (`bytearray`, which a file could ask for
# 10^12 of); what is not needed is not allowed.
_STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
TENSOR_GLOBALS = frozenset(
    {"collections.OrderedDict", "torch.Size", "torch.device", "builtins.set"}
    | {f"torch._utils.{name}" for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter")}
    | {f"torch.{kind}Storage" for kind in _STORAGES}
)
# Classes that checkpoints of fairseq name. Instances become `Inert`: their code is neither present nor wanted.
INERT_GLOBALS = ("fairseq.data.dictionary.Dictionary", "argparse.Namespace")
STAND_INS: dict[str, Any] = {**dict.fromkeys(INERT_GLOBALS, Inert), **numpy_values.STAND_INS}
_ALLOWED = TENSOR_GLOBALS | STAND_INS.keys()

MAX_PICKLE_BYTES = 16 << 20  # weights lie outside the pickle, which is some 100 kB in the checkpoints we know


def read(path: Path) -> Any:
    """The content of a file written by `torch.save`; tensors stay on disk until they are used.

    Args:
        path: the file.

    Returns:
        What was saved, with what `STAND_INS` names replaced.

    Raises:
        UserError: there is no such file, it is not torch's, it is damaged, or it names anything that is not known to
            be harmless.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the checkpoint file in it")
    if not path.is_file():
        raise UserError(f"{path}: no such file; check the path of the checkpoint")
    try:
        pickled = _pickle_of(path)
        _refuse_unknown(path, pickled)
        stand_ins = torch.serialization.safe_globals([(each, name) for name, each in STAND_INS.items()])
        with stand_ins, _alone(), warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except UserError:
        raise
    except Exception as error:  # whatever a damaged or hostile file makes of zipfile, pickle or torch
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise UserError(f"{path}: cannot be read ({reason}); it is damaged, fetch or copy it again") from None


def _alone() -> AbstractContextManager[Any]:
    """Inside the block torch knows no other names than `TENSOR_GLOBALS` and the stand-ins.

    Its own list is looked up first, and has `_codecs.encode`, with which a small file can ask for any amount of memory.
    """
    known = torch._weights_only_unpickler._get_allowed_globals()
    allowed = {name: value for name, value in known.items() if name in TENSOR_GLOBALS}
    return replaced(torch._weights_only_unpickler, _get_allowed_globals=lambda: allowed)


def _pickle_of(path: Path) -> bytes:
    """The pickle inside the archive, after every part of the archive agreed with its checksum."""
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path}: {_what_else(path)}")
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise UserError(f"{path}: a compressed archive, not a file of torch.save; give the checkpoint itself")
        pickles = [
            entry for entry in entries if entry.filename.count("/") == 1 and entry.filename.endswith("/data.pkl")
        ]
        if len(pickles) != 1:
            raise UserError(
                f"{path}: an archive without data.pkl, not a file of torch.save; give the checkpoint itself"
            )
        if pickles[0].file_size > MAX_PICKLE_BYTES:
            raise UserError(
                f"{path}: its pickle takes {pickles[0].file_size >> 20} MB and at most {MAX_PICKLE_BYTES >> 20} are "
                "read; save the checkpoint with its weights as tensors"
            )
        damaged = archive.testzip()
        if damaged is not None:
            raise UserError(f"{path}: {damaged} does not agree with its checksum; fetch or copy the file again")
        return archive.read(pickles[0])


def _what_else(path: Path) -> str:
    """What a file that is no zip archive is, and what to do about it."""
    with path.open("rb") as file:
        start = file.read(MAX_PICKLE_BYTES)
    if not start:
        return "the file is empty; fetch or copy it again"
    if start.startswith(b"PK"):
        return "the end of the file is missing; fetch or copy it again"
    if start.startswith(b"\x80"):
        unknown = sorted(set(_globals(start)) - _ALLOWED)
        if unknown:
            return f"a bare pickle that names {unknown[0]}, which is never run; use a checkpoint of torch.save"
        return "a file in torch's format of before 1.6; load it with torch.load where you trust it and save it anew"
    return "not a file of torch.save; give a checkpoint of fairseq or s3prl (.pt)"


def _refuse_unknown(path: Path, pickled: bytes) -> None:
    """Nothing but tensors, containers and inert stand-ins may be named."""
    for name in _globals(pickled):
        if name not in _ALLOWED:
            raise UserError(
                f"{path}: the file names {name}, which a checkpoint does not need and which is never run; "
                "use a checkpoint from a source that you trust, or save its tensors and plain values anew there"
            )


def _globals(pickled: bytes) -> Iterator[str]:
    """Every class or function that a pickle names, without running it."""
    strings: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name in ("GLOBAL", "INST"):
                yield str(argument).replace(" ", ".", 1)
            elif opcode.name == "STACK_GLOBAL":
                yield ".".join(strings[-2:]) or "a global"
            elif opcode.name.startswith("EXT"):
                yield f"extension {argument}"
            elif isinstance(argument, str):
                strings.append(argument)
    except Exception:  # bytes that are no pickle: what was named before them counts, the rest is never loaded
        return
