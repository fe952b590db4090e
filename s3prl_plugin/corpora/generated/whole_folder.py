"""Folders that are written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from s3prl_plugin.files import unfinished


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
        unfinished.remove(path.parent, path.name)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f"{unfinished.name(path)}."))
    except OSError as error:
        raise unfinished.cannot_be_written(path, error) from None
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        try:
            os.rename(temporary, path)
        except OSError:
            if is_free(path):
                raise
    except OSError as error:
        if error.errno not in unfinished.CANNOT_WRITE:
            raise
        raise unfinished.cannot_be_written(path, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
