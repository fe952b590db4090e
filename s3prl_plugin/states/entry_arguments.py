"""What an upstream's entry does with the checkpoint and the configuration that it is given; nothing is loaded for it.

Many of s3prl's entries take any argument and leave it unread: `hubert_base(ckpt="mine.pt")` is the published model.
Names do not tell which, so an entry is called with two files that nothing else names, with downloads that bring empty
files, up to where a network would be built: what has arrived there, and whether the constructor uses it, is seen.
"""

from __future__ import annotations

import dis
import importlib
import inspect
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from types import CodeType, FrameType, TracebackType
from typing import Any

from s3prl_plugin.compat.replaced import replaced

ARGUMENTS = ("ckpt", "model_config")


@dataclass(frozen=True, slots=True)
class Uses:
    """Whether an entry reads what it is given; None where that cannot be seen.

    Attributes:
        ckpt: the checkpoint (`-k`).
        model_config: the configuration (`-g`).
    """

    ckpt: bool | None
    model_config: bool | None


@cache
def uses(name: str) -> Uses:
    """What an entry does with its arguments.

    Args:
        name: of s3prl's hub, which is loaded.
    """
    entry = getattr(importlib.import_module("s3prl.hub"), name)
    with tempfile.TemporaryDirectory() as folder:
        given = {argument: str(Path(folder).resolve() / f"given_as_{argument}") for argument in ARGUMENTS}
        for path in given.values():
            Path(path).touch()
        error: BaseException | None = None
        with _nothing_is_loaded(Path(folder).resolve()) as fetched:
            try:
                entry(**given, refresh=False)
            except (Exception, _ReachedError) as ended:  # whatever it makes of empty files
                error = ended
        names = {argument: {path, fetched.get(path, path)} for argument, path in given.items()}
        return Uses(**{argument: _is_read(argument, names[argument], error, fetched) for argument in ARGUMENTS})


class _ReachedError(BaseException):
    """A network would be built now; no `except Exception` on the way holds it up."""


@contextmanager
def _nothing_is_loaded(folder: Path) -> Iterator[dict[str, str]]:
    """Inside the block s3prl's downloads bring empty files (address -> file), and the first network ends it."""
    import torch

    fetched: dict[str, str] = {}

    def download(path: str | Path, url: str, *args: Any, **kwargs: Any) -> None:
        Path(path).touch()
        fetched[url] = str(Path(path).resolve())

    def reached(*args: Any, **kwargs: Any) -> None:
        raise _ReachedError

    module = importlib.import_module("s3prl.util.download")
    with ExitStack() as stack:
        stack.enter_context(replaced(module, _download=download, get_dir=lambda: folder))
        stack.enter_context(replaced(torch.nn.Module, __init__=reached))
        stack.enter_context(redirect_stdout(StringIO()))
        stack.enter_context(redirect_stderr(StringIO()))
        yield fetched


def _is_read(argument: str, names: set[str], error: BaseException | None, fetched: dict[str, str]) -> bool | None:
    """Whether a file was read, by how the entry ended.

    Args:
        argument: by which it was given.
        names: of the file; as an address, it may have been fetched under another.
        error: with which the entry ended.
        fetched: what it downloaded: address -> file.
    """
    if error is None:
        return None
    if any(name in str(error) for name in names):
        return True  # it was opened, or refused for what it is
    frames = list(_frames(error.__traceback__))
    if any(_is_constructor(frame) for frame in frames):
        return _is_used(frames, names)
    if isinstance(error, TypeError) and f"'{argument}'" in str(error):
        return False  # it cannot even be given
    return False if fetched and not names & set(fetched.values()) else None


def _is_used(frames: list[FrameType], names: set[str]) -> bool | None:
    """Whether one of the constructors of networks in a chain of calls, from the outermost, uses a file."""
    for frame, following in zip(frames, [*frames[1:], None], strict=True):
        if not _is_constructor(frame):
            continue
        called, loads = inspect.getargvalues(frame), _loads(frame.f_code)
        if any(_is_one(called.locals[name], names) and name in loads for name in called.args[1:]):
            return True
        others = _others(frame)
        keyword = next((name for name, value in others.items() if _is_one(value, names)), None)
        if keyword in frame.f_code.co_consts and keyword is not None:
            return True  # it is taken out of the others by its name
        to_parent = following is not None and keyword in _others(following)  # which is seen next
        if keyword is not None and loads.count(called.keywords or "") > to_parent:
            return None  # where else the others go is not seen
    return False


def _others(frame: FrameType) -> dict[str, Any]:
    """What a function was given by names that it does not have."""
    called = inspect.getargvalues(frame)
    return called.locals[called.keywords] if called.keywords else {}


def _is_one(value: Any, names: set[str]) -> bool:
    """Whether an argument is one of some files."""
    return isinstance(value, str | Path) and str(value) in names


def _loads(code: CodeType) -> list[str]:
    """The names of variables as often as a function's code uses their values, other than to print them."""
    found: list[str] = []
    instructions = list(dis.get_instructions(code))
    for instruction, following in zip(instructions, [*instructions[1:], None], strict=True):
        if instruction.opname.startswith("LOAD") and not (
            following and following.opname.startswith(("FORMAT", "CONV"))
        ):
            value = instruction.argval
            found += value if isinstance(value, tuple) else [value]  # two of a kind in one instruction
    return found


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    """From the outermost call to where the error was raised."""
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _is_constructor(frame: FrameType) -> bool:
    """Whether a call is that of a network's `__init__`."""
    import torch

    first = frame.f_code.co_varnames[:1]
    return frame.f_code.co_name == "__init__" and isinstance(frame.f_locals.get("".join(first)), torch.nn.Module)


def readers(name: str, argument: str) -> list[str]:
    """The entries beside another one, in the same module of s3prl's, that read what is given to them.

    Args:
        name: of the other one.
        argument: one of `ARGUMENTS`.
    """
    hub = importlib.import_module("s3prl.hub")
    module = sys.modules.get(getattr(getattr(hub, name), "__module__", ""))
    beside = [each for each, value in vars(module or hub).items() if callable(value) and getattr(hub, each, 0) is value]
    return sorted(each for each in beside if module is not None and getattr(uses(each), argument))
