"""The random states of Python, numpy and torch, taken once and put back later."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class RandomState:
    """A moment's random states; a task that starts from the same one draws the same numbers."""

    python: Any
    numpy: Any
    cpu: torch.Tensor
    cuda: list[torch.Tensor]

    @classmethod
    def capture(cls) -> RandomState:
        """Take the current states of all generators."""
        cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
        return cls(random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda)

    def restore(self) -> None:
        """Put the generators back to where they were."""
        random.setstate(self.python)
        np.random.set_state(self.numpy)
        torch.set_rng_state(self.cpu)
        if self.cuda:
            torch.cuda.set_rng_state_all(self.cuda)

    def plain(self) -> dict[str, Any]:
        """The same as numbers, lists and tensors, for a checkpoint."""
        version, words, gauss = self.python
        name, key, *rest = self.numpy
        return {
            "python": [version, list(words), gauss],
            "numpy": [name, key.tolist(), *rest],
            "cpu": self.cpu,
            "cuda": self.cuda,
        }

    @classmethod
    def of_plain(cls, said: Mapping[str, Any]) -> RandomState:
        """What `plain` gave."""
        version, words, gauss = said["python"]
        name, key, *rest = said["numpy"]
        numpy = (name, np.array(key, dtype=np.uint32), *rest)
        return cls((version, tuple(words), gauss), numpy, said["cpu"], list(said["cuda"]))


def derived_seed(*parts: int | str) -> int:
    """A seed of 63 bits that depends on every one of these parts and on nothing else."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 1


def seed_everything(seed: int) -> None:
    """Put the generators of Python, numpy and torch to where `seed` begins."""
    random.seed(seed)
    np.random.seed(seed % (1 << 32))
    torch.manual_seed(seed)
