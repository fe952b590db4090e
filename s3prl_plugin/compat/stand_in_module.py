"""A module with some of its functions replaced, for one module that uses it."""

from __future__ import annotations

from types import ModuleType
from typing import Any


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
