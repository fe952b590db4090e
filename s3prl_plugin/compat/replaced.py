"""Replace attributes for a while, or functions of a module for one module that uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_MISSING = object()


@contextmanager
def replaced(owner: Any, **values: Any) -> Iterator[None]:
    """Give `owner` other attributes inside a `with` block, and its own back afterwards.

    Args:
        owner: a module, a class or an object.
        values: name -> the value that it has inside the block; a name that it lacks is removed again.
    """
    before = {name: vars(owner).get(name, _MISSING) for name in values}
    for name, value in values.items():
        setattr(owner, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


class StandIn:
    """Stands in for a module.

    Args:
        module: whose attributes it has.
        replaced: name -> what it has in their place.
    """

    def __init__(self, module: ModuleType, **replaced: Any):
        self._module = module
        self.__dict__.update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
