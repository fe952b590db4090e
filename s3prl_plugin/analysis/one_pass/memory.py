"""Whether the statistics of a pass fit into memory: said before the pass, and refused where they do not."""

from __future__ import annotations

import os

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.errors import UserError

MEMORY_SHARE = 0.6


def check_memory(gathering: Gathering, options: Options) -> str:
    """What the statistics take, in one line.

    Args:
        gathering: of all analyses that were built so far.
        options: of an analysis; `memory_limit_gb` may set a limit.

    Raises:
        UserError: they take more than the limit.
    """
    taken, limit = gathering.memory_bytes, _limit(options)
    if limit and taken > limit:
        raise UserError(
            f"{options.name}: the statistics of this run take {taken / 1e9:.2f} GB, more than {limit / 1e9:.2f} GB; "
            "take fewer measures or segments, or raise downstream_expert.memory_limit_gb"
        )
    return f"statistics take {taken / 1e9:.2f} GB" + (f" (limit {limit / 1e9:.1f} GB)" if limit else "")


def _limit(options: Options) -> float | None:
    """Bytes that may be taken: as configured, else a share of the machine's memory where that is known."""
    if options["memory_limit_gb"] is not None:
        return 1e9 * options.positive("memory_limit_gb")
    try:
        return MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not a POSIX system
        return None
