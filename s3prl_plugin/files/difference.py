"""Whether two descriptions of a run are the same, and where they first differ."""

from __future__ import annotations

from typing import Any


def first_difference(old: Any, new: Any, where: str = "") -> str | None:
    """The dotted name of the first thing that differs, with both values; None where nothing does.

    Args:
        old, new: nested dictionaries of plain values.
        where: the name of what is compared.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            found = first_difference(old.get(key), new.get(key), f"{where}.{key}".lstrip("."))
            if found:
                return found
        return None
    return None if old == new else f"{where} ({old!r}, now {new!r})"
