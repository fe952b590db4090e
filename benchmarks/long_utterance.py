"""What twenty minutes of speech in one piece take of memory, at base size."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import forward, memory
from benchmarks.ratios import Measuring, Ratio
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load

MINUTES = 20
LIMIT_GB = 6.0


def measure(settings: Measuring) -> Iterator[Ratio]:
    """Yield the ratio of the limit to the peak of loading and one forward, in a process of its own.

    Args:
        settings: how to measure; the quick size is half a minute of a small network.
    """
    config = forward.workload(settings.quick).config
    minutes = 0.5 if settings.quick else MINUTES
    with tempfile.TemporaryDirectory() as folder:
        file = load.save(Path(folder) / "network.pt", small.random_network(config))
        job = (forward._job, forward._load_ours, file, (60.0 * minutes,), settings.device)
        peak = memory.peak_bytes(*job, device=settings.device)
    note = f"one utterance of {minutes:g} minutes: loading, and one forward with every tap kept"
    yield Ratio.once(
        "peak memory, float32",
        LIMIT_GB * 1e9 / peak,
        f"{LIMIT_GB:g} GB",
        f"{peak / 1e9:.2f} GB",
        None if settings.quick else 1.0,
        note,
    )
