"""What an analysis asks of a measure: numbers from the statistics that one pass gathered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from s3prl_plugin.results import Row


class Measure(Protocol):
    """One or several measures that are computed from the same statistics."""

    def __len__(self) -> int:
        """How many lists of rows `compute` will give, for the progress bar."""
        ...

    def compute(self) -> Iterator[list[Row]]:
        """The rows of one tap (and measure) after the other."""
        ...
