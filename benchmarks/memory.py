"""The most memory that a job takes, measured in a process of its own."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError

STATUS = Path("/proc/self/status")

Prepare = Callable[..., Callable[[], object]]


def peak_bytes(prepare: Prepare, *arguments: Any, device: str = "cpu") -> int:
    """How much memory a job takes at its worst, beyond what its imports take.

    Args:
        prepare: a module's function; imports what the job needs, and returns the job.
        arguments: given to `prepare`; picklable.
        device: whose memory: of the CPU, the process's; of a GPU, what torch allocates.

    Raises:
        UserError: this system does not tell a process's peak (only Linux does, in /proc).
    """
    if device == "cpu" and not STATUS.is_file():
        raise UserError("peak memory is read from /proc/self/status, which this system has not; measure it on Linux")
    with multiprocessing.get_context("spawn").Pool(1) as fresh:
        return fresh.apply(_measure, (prepare, arguments, device))


def _measure(prepare: Prepare, arguments: tuple[Any, ...], device: str) -> int:
    """In the child: run the job and read the peak."""
    job = prepare(*arguments)
    before = _status("VmRSS")
    job()
    if device == "cpu":
        return _status("VmHWM") - before
    import torch

    return torch.cuda.max_memory_allocated(device)


def _status(field: str) -> int:
    """One of the kernel's figures about this process, in bytes (getrusage would also count the parent's)."""
    found = (
        re.search(rf"^{field}:\s+(\d+) kB", STATUS.read_text(encoding="ascii"), re.MULTILINE)
        if STATUS.is_file()
        else None
    )
    return int(found[1]) * 1024 if found else 0
