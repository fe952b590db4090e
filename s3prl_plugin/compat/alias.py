"""Second names for packages: importing one gives the module objects of the other."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType


class AliasFinder(importlib.abc.MetaPathFinder):
    """Finds packages, and what lies in them, under other names; put it before the finders of sys.meta_path.

    Args:
        parent: the package in which the other names are, such as "s3prl.downstream".
        packages: gives, whenever something in `parent` is imported, name in it -> the package's real name.
    """

    def __init__(self, parent: str, packages: Callable[[], Mapping[str, str]]):
        self.prefix = f"{parent}."
        self.packages = packages

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module under its other name, or None."""
        if not fullname.startswith(self.prefix):
            return None
        package, _, rest = fullname.removeprefix(self.prefix).partition(".")
        packages = self.packages()
        if package not in packages:
            return None
        real = ".".join(filter(None, (packages[package], rest)))
        try:
            found = importlib.util.find_spec(real)
        except ModuleNotFoundError:
            found = None
        if found is None:
            return None
        is_package = found.submodule_search_locations is not None
        return importlib.machinery.ModuleSpec(fullname, _AliasLoader(real), is_package=is_package)


class _AliasLoader(importlib.abc.Loader):
    """Gives the real module, and leaves it as it was.

    Args:
        real: the module's own name.
    """

    def __init__(self, real: str):
        self.real = real

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(self.real)
        self.own = (module.__spec__, module.__loader__, module.__package__)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__, module.__loader__, module.__package__ = self.own
