"""Whether a run fits into memory, what is expected to take it, and what was taken."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache

from s3prl_plugin.analysis.one_pass.gathering import Gathering, held_by
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import SAMPLE_RATE, Tap

MEMORY_SHARE = 0.6
BYTES = 4  # of a weight or a state, in float32


def itemised(gathering: Gathering) -> dict[str, int]:
    """What is kept, in words -> the bytes that it takes."""
    found: dict[str, int] = {}
    for statistic in gathering.statistics.values():
        what = held_by(statistic)
        found[what] = found.get(what, 0) + statistic.memory_bytes
    return found


def expected(gathering: Gathering, taps: Sequence[Tap], params: int | None, batch_s: float) -> str:
    """What takes memory, in one line; the forward's own needs are not known before it.

    Args:
        gathering: of all analyses of the run.
        taps: of the upstream.
        params: how many weights it has; None where that is not known.
        batch_s: seconds of audio in a batch.
    """
    where = "" if gathering.storage.folder is None else " on disk"
    frames = {tap.name: batch_s * SAMPLE_RATE / tap.stride for tap in taps}
    items = {f"{what}{where}": size for what, size in itemised(gathering).items() if size}
    items |= {"the model": BYTES * params} if params else {}
    items |= {f"states of {batch_s:g} s": int(sum(BYTES * frames[tap.name] * tap.dim for tap in taps))}
    listed = ", ".join(f"{what} {size / 1e9:.2f} GB" for what, size in items.items())
    return f"memory, expected: {listed}; besides, what computing takes"


def taken() -> str | None:
    """The most memory that this process has had so far, in words; None where the system does not say."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return f"at most {unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9:.2f} GB"


def give_back() -> None:
    """Return what is free to the system: glibc would keep half a gigabyte of a base model's batches for later ones."""
    if trim := _trim():
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's `malloc_trim`; None with another library."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


def check_memory(gathering: Gathering, options: Options, scoring: int = 0) -> str:
    """What the statistics take, in one line.

    Args:
        gathering: of all analyses that were built so far.
        options: of an analysis; `memory_limit_gb` may set a limit.
        scoring: bytes that its scores take besides.

    Raises:
        UserError: they take more than the limit.
    """
    taken, limit = gathering.memory_bytes, _limit(options)
    on_disk = gathering.storage.folder is not None
    more = f", scoring {scoring / 1e9:.2f} GB more" if scoring else ""
    if limit and (0 if on_disk else taken) + scoring > limit:
        raise UserError(
            f"{options.name}: the statistics of this run take {taken / 1e9:.2f} GB{more}, above {limit / 1e9:.2f} GB; "
            "take fewer measures or segments, set statistics_on_disk, or raise downstream_expert.memory_limit_gb"
        )
    where = f" on disk, {gathering.storage.folder}" if on_disk else ""
    return f"statistics take {taken / 1e9:.2f} GB{where}{more}" + (f" (limit {limit / 1e9:.1f} GB)" if limit else "")


def _limit(options: Options) -> float | None:
    """Bytes that may be taken: as configured, else a share of the machine's memory where that is known."""
    if options["memory_limit_gb"] is not None:
        return 1e9 * options["memory_limit_gb"]
    try:
        return MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return None
