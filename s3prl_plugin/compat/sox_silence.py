"""SoX's `silence` effect with a restart: what is quiet for long is cut out, everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

WINDOW_S = 0.02


def trim_silence(
    samples: Any, rate: int, above_n: int, start_threshold: float, below_n: int, stop_threshold: float
) -> Any:
    """Remove quiet stretches as SoX's `silence 1 ABOVE START -1 BELOW STOP` does.

    Loudness is the RMS over the last 20 ms. Nothing is kept until it has been at least `start_threshold` for
    `above_n` samples without a break; from the beginning of that stretch everything is kept until it has been under
    `stop_threshold` for `below_n` samples; these are dropped, the window is emptied, and it starts over.

    Args:
        samples: (samples,) in [-1, 1], one channel.
        rate: in Hz.
        above_n, below_n: in samples.
        start_threshold, stop_threshold: RMS as a fraction of full scale.

    Returns:
        (kept samples,).

    Reference:
        SoX 14.4.2, its manual on `silence`; compared with the program, sample by sample.
    """
    total = len(samples)
    above_n, below_n = max(above_n, 1), max(below_n, 1)
    loudness = _Loudness(samples, int(rate * WINDOW_S))
    kept = []
    position = 0
    while position < total:

        def loud(begin: int, end: int, since: int = position) -> Any:
            return loudness.reaches(start_threshold, begin, end, since)

        def quiet(begin: int, end: int, since: int = position) -> Any:
            return ~loudness.reaches(stop_threshold, begin, end, since)

        begin = _first_run(loud, above_n, position, total)
        if begin == total:
            break
        end = _first_run(quiet, below_n, begin + above_n, total)
        kept.append(samples[begin:end])
        position = end + below_n
    return np.concatenate(kept) if kept else samples[:0]


class _Loudness:
    """The RMS over the last `window` samples.

    Args:
        samples: (samples,).
        window: in samples.
    """

    def __init__(self, samples: Any, window: int):
        self.window = window
        self.sums = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])

    def reaches(self, threshold: float, begin: int, end: int, since: int) -> Any:
        """Whether it is at least `threshold` at samples begin ... end - 1, the window being empty at `since`."""
        last = np.arange(begin, end) + 1
        first = np.maximum(last - self.window, since)
        energy = np.maximum(self.sums[last] - self.sums[first], 0)
        return np.sqrt(energy / self.window) >= threshold


def _first_run(flags: Callable[[int, int], Any], length: int, begin: int, total: int) -> int:
    """Where the first `length` true flags in a row start, from `begin` on; `total` when there are none."""
    size = 8 * length
    while True:  # in growing stretches: what lies far behind the run is not looked at
        end = min(begin + size, total)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], flags(begin, end), [False]]).astype(np.int8)))
        starts, ends = edges[::2], edges[1::2]
        long = np.flatnonzero(ends - starts >= length)
        if len(long):
            return begin + int(starts[long[0]])
        if end == total:
            return total
        size *= 4
