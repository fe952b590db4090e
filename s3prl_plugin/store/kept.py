"""Features by waveform: on disk in shards, and in memory until there are enough of them for a shard."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from s3prl_plugin.store.shards import NoRoom, Shards, gigabytes

SHARD_BYTES = 64_000_000
HEADER_BYTES = 200  # what a shard's header says of one tensor, at most

Features = dict[str, Tensor]


@dataclass(slots=True, kw_only=True)
class StoreCounts:
    """What became of utterances, each counted whenever it came.

    Attributes:
        read: taken from the store.
        kept: computed and kept.
        crops: computed and not kept, since they are random crops.
        no_room: computed and not kept, since the store had been closed.
        written_bytes: to disk.
    """

    read: int = 0
    kept: int = 0
    crops: int = 0
    no_room: int = 0
    written_bytes: int = 0


class Kept:
    """What is kept of one upstream.

    Args:
        shards: its files.
        dtype: of what is kept; a tensor with values beyond its range stays in float32.
        budget_bytes: of all files in the store's folder; None for no limit.
    """

    def __init__(self, shards: Shards, dtype: torch.dtype, budget_bytes: int | None = None):
        self.shards = shards
        self.counts = StoreCounts()
        self._dtype = dtype
        self._budget_bytes = budget_bytes
        self._used_bytes = shards.used_bytes()
        self._pending: dict[str, Tensor] = {}
        self._pending_bytes = 0
        self._waveforms: set[str] = set()
        self._closed = False

    def rounded(self, features: Mapping[str, Tensor]) -> Features:
        """Features as they are kept: on the CPU, in the store's dtype."""
        return {name: self._rounded(x.detach()) for name, x in features.items()}

    def get(self, waveform: str, names: Sequence[str]) -> Features | None:
        """What is kept of a waveform; None where a part of it is not.

        Args:
            waveform: a digest of its samples.
            names: of the features that are wanted.
        """
        keys = [f"{waveform}.{name}" for name in names]
        if not all(key in self._pending or key in self.shards for key in keys):
            return None
        found: Features = {}
        for name, key in zip(names, keys, strict=True):
            tensor = self._pending[key] if key in self._pending else self.shards.get(key)
            if tensor is None:
                return None
            found[name] = tensor
        return found

    def put(self, waveform: str, features: Features) -> None:
        """Keep features that are rounded already, as long as there is room."""
        new = {f"{waveform}.{name}": x for name, x in features.items()}
        new = {key: x for key, x in new.items() if key not in self._pending and key not in self.shards}
        size = sum(x.nbytes + HEADER_BYTES for x in new.values())
        needed = self._used_bytes + self._pending_bytes + size
        if self._budget_bytes is not None and needed > self._budget_bytes:
            self._close(f"its budget of {gigabytes(self._budget_bytes)} is used up")
        if self._closed:
            self.counts.no_room += 1
            return
        self.counts.kept += 1
        self._waveforms.add(waveform)
        self._pending.update(new)
        self._pending_bytes += size
        if self._pending_bytes >= SHARD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits in memory. A disk that is full closes the store, and is no error."""
        if not self._pending:
            return
        try:
            self.counts.written_bytes += self.shards.write(self._pending)
            self._used_bytes = self.shards.used_bytes()
        except NoRoom:
            self._lose("its budget is used up, by other runs too")
        except OSError as error:
            self._lose(f"{self.shards.folder}: {error.strerror or error}")
        self._pending = {}
        self._pending_bytes = 0
        self._waveforms.clear()

    def _rounded(self, x: Tensor) -> Tensor:
        """One tensor in the store's dtype, in memory of its own."""
        rounded = x.to("cpu", self._dtype, copy=True)
        if not rounded.isfinite().all() and x.isfinite().all():
            return x.to("cpu", torch.float32, copy=True)
        return rounded.contiguous()

    def _lose(self, why: str) -> None:
        """What was to be written is not."""
        self.counts.kept -= len(self._waveforms)
        self.counts.no_room += len(self._waveforms)
        self._close(why)

    def _close(self, why: str) -> None:
        """Keep no more, and say so once."""
        if not self._closed:
            print(f"[store] nothing more is kept: {why}. Features are computed anew", file=sys.stderr, flush=True)
        self._closed = True
