"""The batches of a training: epoch after epoch, from any place on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from s3prl_plugin.errors import UserError
from s3prl_plugin.random_state import derived_seed, seed_everything


class Supply:
    """Hands out batches without end.

    Args:
        loader: iterated once per epoch. It may have `set_epoch(epoch, position)`, after which it begins at that batch
            of that epoch; of another one, the batches before the position are skipped.
        seed: of whatever the loader draws.
        epoch, position: where to begin: the epoch from 0, and how many of its batches have been seen.

    Attributes:
        epoch, position: where it is.
        waited_s: how long batches have been waited for.
    """

    def __init__(self, loader: Any, seed: int, epoch: int = 0, position: int = 0):
        self._loader, self._seed = loader, seed
        self.epoch, self.position = epoch, position
        self.waited_s = 0.0
        self._batches: Iterator[Any] | None = None

    def take(self, count: int) -> list[Any]:
        """The next batches.

        Raises:
            UserError: there is no batch in an epoch.
        """
        began_s = time.perf_counter()
        taken = [self._next() for _ in range(count)]
        self.waited_s += time.perf_counter() - began_s
        return taken

    def _next(self) -> Any:
        for _ in range(2):
            if self._batches is None:
                self._batches = self._open()
            batch = next(self._batches, None)
            if batch is not None:
                self.position += 1
                return batch
            self.epoch, self.position, self._batches = self.epoch + 1, 0, None
        raise UserError("the training data hold no batch")

    def _open(self) -> Iterator[Any]:
        seed_everything(derived_seed(self._seed, "epoch", self.epoch))  # for what a loader draws when it begins
        if hasattr(self._loader, "set_epoch"):
            self._loader.set_epoch(self.epoch, self.position)
            return iter(self._loader)
        return islice(iter(self._loader), self.position, None)
