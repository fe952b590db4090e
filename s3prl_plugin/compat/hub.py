"""s3prl's hub without its upstreams: its names are read from its files, and each upstream is imported when it is named.

s3prl.hub imports all of its upstreams, one of which takes transformers: seconds for whoever wants another one.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note

HUB = "s3prl.hub"
# What s3prl adds to names that want a checkpoint or an address.
_UNREGISTERED = ("_local", "_url", "_gdriveid", "_custom")


@dataclass(frozen=True, slots=True)
class Name:
    """What the hub has under a name.

    Attributes:
        home: the module that it is taken from.
        is_callable: whether it is defined there, or taken `from` somewhere: functions and classes.
        is_entry: whether it is an upstream, and not something that a module took for itself.
    """

    home: str
    is_callable: bool
    is_entry: bool


class _UnreadError(Exception):
    """A statement whose names only running it would tell."""


def install() -> None:
    """Hook the import of the hub."""
    hooks.run_instead(HUB, _fill)


def names() -> dict[str, Name]:
    """Every public name of s3prl's hub, in its order, without those of other packages; empty where there is no s3prl.

    Nothing is imported, unless a later s3prl's hub should hold what cannot be read: then the hub is.
    """
    spec = sys.modules["s3prl"].__spec__ if "s3prl" in sys.modules else importlib.util.find_spec("s3prl")
    places = spec.submodule_search_locations if spec is not None else None
    return dict(_names(Path(places[0]))) if places else {}


def read(s3prl: Path) -> dict[str, Name]:
    """The public names of the hub of an s3prl.

    Args:
        s3prl: the folder of the package.

    Raises:
        _UnreadError: a statement decides about names when it runs.
    """
    found: dict[str, Name] = {}
    for statement in _statements(s3prl / "hub.py"):
        if isinstance(statement, ast.ImportFrom) and not statement.level:
            home = str(statement.module)
            offered = _bound(_statements(s3prl.parent / f"{home.replace('.', '/')}.py"), home)
            taken = {alias.name: alias.asname or alias.name for alias in statement.names}
            if any(taken.get(name, name) != name for name in offered):
                raise _UnreadError(ast.unparse(statement))
            found |= offered if "*" in taken else {name: offered[name] for name in taken}
        elif not (isinstance(statement, ast.FunctionDef) and statement.name == "options"):
            raise _UnreadError(ast.unparse(statement))
    return found


@cache
def _names(s3prl: Path) -> dict[str, Name]:
    """As `names`."""
    try:
        return read(s3prl)
    except _UnreadError:
        hub = importlib.import_module(HUB)
        public = {name: value for name, value in vars(hub).items() if not name.startswith("_")}
        homes = {name: str(getattr(value, "__module__", HUB)) for name, value in public.items()}
        return {name: Name(homes[name], callable(public[name]), callable(public[name])) for name in public}


def _statements(file: Path) -> list[ast.stmt]:
    """What a file of Python says, without running it."""
    return ast.parse(file.read_bytes(), str(file)).body


def _bound(statements: list[ast.stmt], home: str) -> dict[str, Name]:
    """The public names that a module's statements bind."""
    found: dict[str, Name] = {}
    for statement in statements:
        is_callable = is_entry = False
        match statement:
            case ast.Expr():
                continue
            case ast.FunctionDef(name=name):
                bound, is_callable, is_entry = [name], True, True
            case ast.ClassDef(name=name):
                bound, is_callable = [name], True
            case ast.Import(names=taken):
                bound = [alias.asname or alias.name.partition(".")[0] for alias in taken]
            case ast.ImportFrom(module=module, names=taken):
                bound, is_callable = [alias.asname or alias.name for alias in taken], True
                is_entry = (module or "").rpartition(".")[2] == "hubconf"
            case ast.Assign(targets=[ast.Name(id=name)]):
                bound = [name]
            case _:
                raise _UnreadError(ast.unparse(statement))
        if "*" in bound or "__all__" in bound:
            raise _UnreadError(ast.unparse(statement))
        found |= {name: Name(home, is_callable, is_entry) for name in bound if not name.startswith("_")}
    return found


def _fill(hub: ModuleType) -> bool:
    """Give the hub its names without what they mean; False where the files do not tell them."""
    folder = Path(str(hub.__file__)).parent
    try:
        found = read(folder)
    except _UnreadError:
        return False

    def get(name: str) -> Any:
        if name == "__all__":  # for `from s3prl.hub import *`
            return [each for each in dir(hub) if not each.startswith("_")]
        if name not in found:
            raise AttributeError(f"module {HUB!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(found[name].home), name)
        setattr(hub, name, value)
        return value

    def options(only_registered_ckpt: bool = False) -> list[str]:
        """The names of all upstreams, as s3prl's own function of this name gives them.

        Args:
            only_registered_ckpt: without those that want a checkpoint.
        """
        added = {name: callable(value) for name, value in vars(hub).items() if not name.startswith("_")}
        callables = added | {name: each.is_callable for name, each in found.items()}
        every = [name for name in dict.fromkeys([*found, *added]) if callables[name] and name != "options"]
        return [name for name in every if not (only_registered_ckpt and name.endswith(_UNREGISTERED))]

    hub.__getattr__ = get  # type: ignore[method-assign]
    hub.__dir__ = lambda: sorted({*vars(hub), *found})  # type: ignore[method-assign]
    hub.options = options  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", "hub: each upstream is imported when it is named, not all of them at once (transformers)")
    return True
