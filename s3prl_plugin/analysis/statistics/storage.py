"""Where the large arrays of statistics lie: in memory, or in a file that is mapped into it."""

from __future__ import annotations

import math
import mmap
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from s3prl_plugin.errors import UserError

WRITTEN_AT_ONCE = 1 << 20  # bytes


class Storage:
    """Hands out arrays of zeros.

    Those on disk are in memory while they are used, page by page, and leave it when they are let go of; the numbers are
    the same to the bit. Their file has no name, so nothing is left of it, whatever ends the program.

    Args:
        folder: of the file; None for arrays in memory.
    """

    def __init__(self, folder: Path | None = None):
        self.folder = folder
        self._mapped: list[mmap.mmap] = []

    def zeros(self, shape: Sequence[int], dtype: npt.DTypeLike) -> np.ndarray:
        """An array of zeros.

        Raises:
            UserError: the disk has no room for it.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if self.folder is None or not size:
            return np.zeros(shape, dtype)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as file:
                for start in range(0, size, WRITTEN_AT_ONCE):  # room that is not taken now would end the program later
                    file.write(bytes(min(WRITTEN_AT_ONCE, size - start)))
                file.flush()
                mapped = mmap.mmap(file.fileno(), size)
        except OSError as error:
            raise UserError(
                f"{self.folder}: {size / 1e9:.2f} GB of statistics find no room here ({error.strerror}); free some, or "
                "leave out statistics_on_disk"
            ) from None
        self._mapped.append(mapped)
        return np.frombuffer(mapped, dtype).reshape(shape)

    def let_go(self) -> None:
        """What is mapped need not stay in memory; it is read again when it is looked at."""
        if hasattr(mmap, "MADV_DONTNEED"):  # of a shared mapping, it drops the pages of this process and no content
            for mapped in self._mapped:
                mapped.madvise(mmap.MADV_DONTNEED)


class LettingGo:
    """A file to write arrays of a storage into, which lets go of what was written.

    Args:
        file: to write into.
        storage: of the arrays.
    """

    def __init__(self, file: BinaryIO, storage: Storage):
        self._file = file
        self._storage = storage

    def write(self, data: bytes | memoryview) -> int:
        """As `file.write`."""
        written = self._file.write(data)
        self._storage.let_go()
        return written

    def flush(self) -> None:
        """As `file.flush`."""
        self._file.flush()


IN_MEMORY = Storage()
