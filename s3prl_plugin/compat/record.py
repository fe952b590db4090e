"""What was healed in this process, for `s3prl-plugin doctor`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Healing:
    """One shim in force.

    Attributes:
        library: whose fault is mended.
        what: what was missing or wrong, and what stands in for it; one line.
    """

    library: str
    what: str


_healings: list[Healing] = []


def note(library: str, what: str) -> None:
    """Remember that a shim is in force; the same one is noted once."""
    healing = Healing(library, what)
    if healing not in _healings:
        _healings.append(healing)


def healed() -> tuple[Healing, ...]:
    """The shims in force so far, in the order in which they came."""
    return tuple(_healings)
