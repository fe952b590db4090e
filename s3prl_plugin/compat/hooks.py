"""Import hooks: act on a module when it is first imported, or mend it when its import fails; what was healed is noted.

Nothing is imported by registering a hook; a module that is already there is acted upon at once. The hooks wrap the
module's own loader for the time of its execution and leave no trace on the module.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

After = Callable[[ModuleType], None]
Rescue = Callable[[ModuleType, Exception], None]
Chosen = Callable[[str], bool]
Instead = Callable[[ModuleType], bool]

_after: dict[str, list[After]] = {}
_instead: dict[str, Instead] = {}
_rescue: dict[str, tuple[tuple[type[Exception], ...], Rescue]] = {}
_before: list[tuple[Chosen, After]] = []


def after_import(name: str, act: After) -> None:
    """Call `act(module)` right after the module `name` has run; at once when it already has.

    Args:
        name: the module's full name.
        act: may change the module; what it raises is raised by the import.
    """
    _watch()
    _after.setdefault(name, []).append(act)
    if name in sys.modules:
        act(sys.modules[name])


def before_import(chosen: Chosen, act: After) -> None:
    """Call `act(module)` right before a module runs that is `chosen`; at once for those that already have.

    Args:
        chosen: tells from its full name whether a module is one.
        act: may give the module names that it then finds in place of builtin ones.
    """
    _watch()
    _before.append((chosen, act))
    for name, module in list(sys.modules.items()):
        if chosen(name) and isinstance(module, ModuleType):
            act(module)


def rescue_import(name: str, errors: tuple[type[Exception], ...], mend: Rescue) -> None:
    """Call `mend(module, error)` when the module `name` fails with one of `errors`; its import then succeeds.

    Args:
        name: the module's full name.
        errors: the failures to mend; any other passes.
        mend: gives the half-run module what it lacks.
    """
    _watch()
    _rescue[name] = (errors, mend)


def run_instead(name: str, fill: Instead) -> None:
    """Call `fill(module)` in place of running the module `name`; what has already run stays as it is.

    Args:
        name: the module's full name.
        fill: gives the empty module its names; where it returns False, the module is run.
    """
    _watch()
    _instead[name] = fill


def _nothing(module: ModuleType, error: Exception) -> None:
    """The rescue of a module that has none."""


def _watch() -> None:
    """Put the finder first, once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the other finders find a watched module, and wraps the loader that they found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        watched = fullname in _after or fullname in _rescue or fullname in _instead
        if not watched and not any(chosen(fullname) for chosen, _ in _before):
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    """Runs the module through its own loader, then the hooks."""

    def __init__(self, real: Any):
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._real
        if module.__spec__ is not None:
            module.__spec__.loader = self._real
        for chosen, act in _before:
            if chosen(module.__name__):
                act(module)
        errors, mend = _rescue.get(module.__name__, ((), _nothing))
        try:
            if not (module.__name__ in _instead and _instead[module.__name__](module)):
                self._real.exec_module(module)
        except errors as error:
            mend(module, error)
        for act in _after.get(module.__name__, ()):
            act(module)


@dataclass(frozen=True, slots=True)
class Healing:
    """One shim in force.

    Attributes:
        library: whose fault is mended.
        since: the version of it that needs this, and later ones; of s3prl, the last release.
        what: what was missing or wrong, and what stands in for it; one line.
    """

    library: str
    since: str
    what: str


_healings: list[Healing] = []


def note(library: str, since: str, what: str) -> None:
    """Remember that a shim is in force; the same one is noted once."""
    healing = Healing(library, since, what)
    if healing not in _healings:
        _healings.append(healing)


def healed() -> tuple[Healing, ...]:
    """The shims in force so far, in the order in which they came."""
    return tuple(_healings)
