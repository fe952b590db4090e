"""What an analysis asks of a measure: additive state, and numbers from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from s3prl_plugin.analysis.batch import Batch
from s3prl_plugin.results import Row


class Measure(Protocol):
    """One or several measures that share their statistics.

    Attributes:
        memory_bytes: what the statistics take, known before the pass.
    """

    @property
    def memory_bytes(self) -> int: ...

    def __len__(self) -> int:
        """How many lists of rows `compute` will give, for the progress bar."""
        ...

    def update(self, batch: Batch) -> None:
        """Take in one batch."""
        ...

    def merge(self, other: Any) -> None:
        """Add the statistics of another part of the corpus."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on after an interruption."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        ...

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap (and measure) after the other."""
        ...
