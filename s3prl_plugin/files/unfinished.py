"""What is being written has a hidden name that tells by whom, so that the next run removes what was not finished."""

from __future__ import annotations

import errno
import glob
import os
import platform
import re
import shutil
from pathlib import Path

from s3prl_plugin.errors import UserError

_NAME = re.compile(r"\..+\.at-([\w-]+)\.(\d+)(\.\w+)?")
_NO_ROOM = frozenset({errno.EDQUOT, errno.EFBIG, errno.ENOSPC})
_NO_PLACE = frozenset({errno.EEXIST, errno.EISDIR, errno.ENOTDIR})
CANNOT_WRITE = _NO_ROOM | _NO_PLACE | {errno.EACCES, errno.EIO, errno.EPERM, errno.EROFS}
"""What a machine answers that has no room, or no permission, to write."""


def name(path: Path) -> str:
    """The name beside `path` under which this process writes it."""
    return f".{path.name}.at-{_machine()}.{os.getpid()}"


def remove(folder: Path, of: str = "*") -> list[Path]:
    """Remove what processes of this machine that have ended did not finish writing.

    Args:
        folder: of a run; everything below it is looked at.
        of: the name of a file or folder that was to be written, to look for it alone, in the folder itself.

    Returns:
        What was removed.
    """
    found = []
    for path in sorted(folder.rglob(".*.at-*") if of == "*" else folder.glob(f".{glob.escape(of)}.at-*")):
        match = _NAME.fullmatch(path.name)
        if match is None or match[1] != _machine() or _lives(int(match[2])):
            continue
        found.append(path)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return found


def cannot_be_written(path: Path, error: OSError, size: int = 0) -> UserError:
    """What to say where something cannot be written.

    Args:
        path: what.
        error: what the machine said.
        size: the bytes that it takes, as far as they are known.
    """
    reason = error.strerror or type(error).__name__
    if error.errno not in _NO_ROOM:
        return UserError(
            f"{path} cannot be written: {reason}; what was there before is kept; make the folder writable or give "
            "another place, and the same command goes on"
        )
    need = f", {_megabytes(size)} or more are needed" if size else ""
    return UserError(
        f"{path} cannot be written: {reason} ({_megabytes(_free(path))} free{need}); what was there before is kept; "
        "make room, and the same command goes on"
    )


def _machine() -> str:
    """This machine's name, as far as a file's name can hold it."""
    return re.sub(r"[^\w-]", "-", platform.node()) or "here"


def _lives(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _free(path: Path) -> int:
    """Bytes that are free where a file is to lie."""
    return shutil.disk_usage(next(folder for folder in path.parents if folder.exists())).free


def _megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1e6:.1f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
