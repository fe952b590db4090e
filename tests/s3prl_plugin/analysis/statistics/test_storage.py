"""Arrays on disk hold what is written into them, leave memory when they are let go of, and leave nothing behind."""

import errno
import io
import mmap
import re
from pathlib import Path

import numpy as np
import pytest

from s3prl_plugin.analysis.statistics import storage
from s3prl_plugin.analysis.statistics.storage import LettingGo, Storage
from s3prl_plugin.errors import UserError

STATUS = Path("/proc/self/status")


def resident_files():
    """Bytes of mapped files that this process has in memory."""
    return 1024 * int(re.search(r"RssFile:\s+(\d+)", STATUS.read_text(encoding="ascii"))[1])


def test_what_is_written_is_there_when_it_was_let_go_of(tmp_path):
    on_disk = Storage(tmp_path / "statistics")
    arrays = [on_disk.zeros([3, 5], np.float64), on_disk.zeros([1000], np.float32), on_disk.zeros([0, 4], np.float32)]
    assert [(a.shape, a.dtype.name, a.any()) for a in arrays] == [
        ((3, 5), "float64", False),
        ((1000,), "float32", False),
        ((0, 4), "float32", False),
    ]
    values = [np.random.default_rng(0).standard_normal(a.shape).astype(a.dtype) for a in arrays]
    for array, value in zip(arrays, values, strict=True):
        array[:] = value
        on_disk.let_go()
    assert all((a == v).all() for a, v in zip(arrays, values, strict=True))
    assert not list((tmp_path / "statistics").iterdir())


def test_in_memory_no_file_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert Storage().zeros([2, 3], np.float64).tolist() == [[0.0] * 3] * 2
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(
    not STATUS.is_file() or not hasattr(mmap, "MADV_DONTNEED"), reason="Linux says what a process has in memory"
)
def test_what_is_let_go_of_leaves_memory(tmp_path):
    on_disk, size = Storage(tmp_path), 1 << 25
    array = on_disk.zeros([size], np.uint8)
    array[:] = 7
    before = resident_files()
    written = LettingGo(io.BytesIO(), on_disk)
    written.write(memoryview(array)[:10])
    assert before - resident_files() > 0.9 * size
    assert (array == 7).all()


def test_a_full_disk_is_said_before_anything_is_computed(tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage.tempfile, "TemporaryFile", full)
    with pytest.raises(UserError, match=r"0\.01 GB of statistics find no room here \(No space left on device\)"):
        Storage(tmp_path).zeros([1_000_000], np.float64)
