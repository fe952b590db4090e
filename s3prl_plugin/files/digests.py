"""Digests of checkpoints as they lie on disk: names say nothing reliable about a file."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any


def of_path(path: str | Path) -> str | None:
    """What a file or a folder holds, as a SHA-256; None where there is neither.

    A folder's is over the names and contents of all its files, hidden ones left out. Within a process a file is read
    again only where its size or its modification time is another.
    """
    path = Path(path)
    if path.is_file():
        return _of_file(path, *_stat(path))
    if not path.is_dir():
        return None
    found = hashlib.sha256()
    for file in _files(path):
        found.update(f"{file.relative_to(path).as_posix()}\0{_of_file(file, *_stat(file))}\n".encode())
    return found.hexdigest()


def state_of_path(path: str | Path) -> list[Any] | None:
    """When to take the digest anew: name, size and modification time of the file, or of all in a folder."""
    path = Path(path)
    files = [path] if path.is_file() else _files(path) if path.is_dir() else None
    return None if files is None else [[str(file.relative_to(path)), *_stat(file)] for file in files]


def _files(folder: Path) -> list[Path]:
    """All files of a folder, by name."""
    inner = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in inner if not any(part.startswith(".") for part in file.relative_to(folder).parts))


def _stat(file: Path) -> tuple[int, int]:
    """Size and modification time."""
    found = file.stat()
    return found.st_size, found.st_mtime_ns


@cache
def _of_file(file: Path, size: int, modified_ns: int) -> str:
    """The digest of a file in this state."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
