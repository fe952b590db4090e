"""Rows of every tap whose number is known before the pass, filled as batches come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from s3prl_plugin.analysis.statistics.storage import IN_MEMORY, Storage
from s3prl_plugin.states.taps import Tap


class TapRows:
    """One row per item and tap; which items there are is decided before the pass.

    Args:
        count: N, how many items.
        taps: of the upstream.
        what: is kept, for messages: "segments", "frames".
        storage: of the rows.

    Attributes:
        taps: as given.
        seen: (N,) true where an item's utterance came by.
    """

    def __init__(self, count: int, taps: Sequence[Tap], what: str, storage: Storage = IN_MEMORY):
        self.taps = tuple(taps)
        self.seen = np.zeros(count, dtype=bool)
        self._what = what
        self._storage = storage

    @property
    def holds(self) -> str:
        """What is kept, in words."""
        return f"rows of {self._what}"

    @property
    def memory_bytes(self) -> int:
        """What this takes in memory, all told."""
        return len(self.seen) * (1 + 4 * sum(tap.dim for tap in self.taps))

    def describe(self) -> str:
        """The number of items."""
        return f"{len(self.seen)} {self._what}"

    @cached_property
    def kept(self) -> list[np.ndarray]:
        """Per tap, (N, D) float32; taken when the first batch comes, after it is known to fit."""
        return [self._storage.zeros((len(self.seen), tap.dim), np.float32) for tap in self.taps]

    def of(self, tap: int, rows: np.ndarray) -> np.ndarray:
        """Some rows at one tap, (n, D) float32: a view where these are all."""
        kept = self.kept[tap]
        return kept if np.array_equal(rows, np.arange(len(kept))) else kept[rows]

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on: which items came by, and their rows."""
        return {
            "seen": torch.from_numpy(self.seen),
            "rows": [torch.from_numpy(rows[self.seen]) for rows in self.kept],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state of the same items and taps."""
        self.seen[:] = False
        self.merge(state)

    def merge(self, state: Mapping[str, Any]) -> None:
        """Add the saved rows of other batches, of the same items and taps.

        Raises:
            ValueError: they are of others.
        """
        seen = state["seen"].numpy()
        shapes = [(int(seen.sum()), tap.dim) for tap in self.taps]
        if len(seen) != len(self.seen) or [tuple(rows.shape) for rows in state["rows"]] != shapes:
            raise ValueError(f"the saved {self._what} are of another sample or other taps")
        for mine, saved in zip(self.kept, state["rows"], strict=True):
            mine[seen] = saved.numpy()
        self.seen |= seen
