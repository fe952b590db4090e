"""Which utterances make a batch: similar lengths together, as many as last so long."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from s3prl_plugin.errors import UserError

SPREAD = 1.1
"""The longest utterance of a bucket over its shortest, at most: padding stays below a tenth."""


class DurationBatches(Sampler[list[int]]):
    """Batches by total duration with padding, drawn anew in every epoch.

    Utterances lie in buckets of similar length. A bucket's batches have as many utterances as its longest allows;
    those left over go up to the next longer bucket, so that only one batch of an epoch is small. An epoch has the same
    number of batches whatever is drawn. What is drawn depends on `seed` and the epoch alone.

    Args:
        durations_s: of every utterance, as it is seen.
        max_seconds: of a batch, padding included.
        seed: of the drawing.
        rank, world: of several processes, each gets every `world`-th batch; so that all have the same number, a few
            batches are seen twice.

    Raises:
        UserError: an utterance is longer than a batch.
    """

    def __init__(self, durations_s: Sequence[float], max_seconds: float, seed: int = 0, rank: int = 0, world: int = 1):
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of {world}")
        durations = np.asarray(durations_s, dtype=np.float64)
        if not len(durations):
            raise UserError("no utterance to make batches of")
        if durations.max() > max_seconds:
            raise UserError(
                f"an utterance of {durations.max():.2f} s does not fit a batch of {max_seconds:g} s; "
                "raise the batch's seconds or crop to less (max_sample_size)"
            )
        self.max_seconds = max_seconds
        self.seed, self.rank, self.world = seed, rank, world
        self._buckets = _buckets(durations, max_seconds)
        self._count = len(_deal(self._buckets, np.random.default_rng(0)))
        self.set_epoch(0)

    def set_epoch(self, epoch: int, position: int = 0) -> None:
        """Draw this epoch's batches from now on, without the first `position` ones, which have been seen."""
        self.epoch, self.position = epoch, position

    def __len__(self) -> int:
        """The batches that each process gets in a whole epoch."""
        return -(-self._count // self.world)

    def __iter__(self) -> Iterator[list[int]]:
        """Indices into the durations, batch by batch."""
        draw = np.random.default_rng([self.seed, self.epoch])
        batches = _deal(self._buckets, draw)
        order = draw.permutation(len(batches))
        mine = np.resize(order, len(self) * self.world)[self.rank :: self.world]
        for i in mine[self.position :]:
            yield batches[i].tolist()


def _buckets(durations: np.ndarray, max_seconds: float) -> list[tuple[np.ndarray, int]]:
    """Buckets of utterances, the shortest first: which, and how many make a batch."""
    shortest = max(float(durations.min()), 1e-3)
    number = np.floor(np.log(np.maximum(durations, shortest) / shortest) / math.log(SPREAD)).astype(int)
    buckets = []
    for each in np.unique(number):
        members = np.flatnonzero(number == each)
        buckets.append((members, max(1, int(max_seconds / max(float(durations[members].max()), shortest)))))
    return buckets


def _deal(buckets: Sequence[tuple[np.ndarray, int]], draw: np.random.Generator) -> list[np.ndarray]:
    """Batches of all utterances of all buckets."""
    batches: list[np.ndarray] = []
    left = np.zeros(0, dtype=np.int64)
    for members, size in buckets:
        shuffled = draw.permutation(np.concatenate([left, members]))
        whole = len(shuffled) // size * size
        batches += np.split(shuffled[:whole], whole // size) if whole else []
        left = shuffled[whole:]
    return [*batches, left] if len(left) else batches
