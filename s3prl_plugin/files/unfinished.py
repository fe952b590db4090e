"""What is being written has a hidden name that tells by whom, so that the next run removes what was not finished.

Folders that are written whole or not at all are made in such a place."""

from __future__ import annotations

import errno
import glob
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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


def is_free(path: Path) -> bool:
    """Whether a folder can be made there: nothing is, or an empty folder."""
    return not path.exists() or (path.is_dir() and not any(path.iterdir()))


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path` to write into, and rename it to `path` when the block has ended well.

    When another process has finished the same folder in the meantime, that one stays.

    Raises:
        UserError: the folder above cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove(path.parent, path.name)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{name(path)}."))
    except OSError as error:
        raise cannot_be_written(path, error) from None
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        try:
            os.rename(temporary, path)
        except OSError:
            if is_free(path):
                raise
    except OSError as error:
        if error.errno not in CANNOT_WRITE:
            raise
        raise cannot_be_written(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
