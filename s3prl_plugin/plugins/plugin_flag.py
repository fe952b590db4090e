"""`--plugin`: code of one's own, which is run before a command looks anything up."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import packages_distributions, version
from pathlib import Path

from s3prl_plugin.errors import UserError, reason
from s3prl_plugin.plugins import FLAG, GUIDE, offers

_given: dict[str, _Given] = {}
_added = 0


@dataclass(frozen=True, slots=True)
class _Given:
    """What one `--plugin` has loaded: the flag's value, the module, and its version or digest."""

    word: str
    module: str
    shown: str
    version: str


def add_flag(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Give a command's parser the flag."""
    parser.add_argument(
        FLAG,
        action="append",
        metavar="MODULE",
        help="Code of your own to be run first: a module, or FILE.py, that adds upstreams, downstreams or corpora "
        f"({GUIDE}); may be given several times",
    )


def load(words: Iterable[str] | None) -> None:
    """Import what `--plugin` names; each once.

    Args:
        words: modules, or files that end in .py.

    Raises:
        UserError: there is no such module or file, or it fails.
    """
    for word in words or ():
        path = Path(word).absolute() if word.endswith(".py") else None
        key = str(path) if path else word
        if key in _given:
            continue
        if path is not None and not path.is_file():
            raise UserError(f"{FLAG} {word}: no such file")
        if path is not None:  # what lies beside it can be imported, too, but stands in nobody's way
            sys.path.append(str(path.parent))
        name, before = path.stem if path else word, _added
        try:
            module = importlib.import_module(name)
        except UserError as error:
            raise UserError(f"{FLAG} {word}: {error}") from None
        except Exception as error:
            raise UserError(f"{FLAG} {word}: cannot be imported ({reason(error)}); mend it, or give FILE.py") from error
        found = Path(module.__file__).resolve() if module.__file__ else None
        if path is not None and found != path.resolve():
            raise UserError(f"{FLAG} {word}: another module is called {name!r} ({found}); rename the file")
        if _added == before and not any(offer.target.partition(".")[0] == name for offer in offers.everything()):
            offers.warn(f"{FLAG} {word}: adds nothing; it should call registry.add_upstream or the like ({GUIDE})")
        said = digest([path]) if path else version_of(name)
        _given[key] = _Given(key, name, path.name if path else word, said)


def flags() -> list[str]:
    """The flags that load the same in another process."""
    return [part for given in _given.values() for part in (FLAG, given.word)]


def versions() -> dict[str, str]:
    """What `--plugin` has loaded, for whatever it may have changed: "--plugin NAME" -> version, or digest."""
    return {f"{FLAG} {given.shown}": given.version for given in _given.values()}


def needed(said: Iterable[str]) -> list[str]:
    """The flags without which a result could not be had again.

    Args:
        said: the names of a row's versions.

    Returns:
        As loaded here; of what is not loaded, the name of the file or module.
    """
    loaded = {given.shown: given.word for given in _given.values()}
    wanted = [name.removeprefix(f"{FLAG} ") for name in sorted(said) if name.startswith(f"{FLAG} ")]
    return [part for name in wanted for part in (FLAG, loaded.get(name, name))]


def has_loaded(module: str) -> bool:
    """Whether a module is one that the flag named."""
    return any(given.module == module for given in _given.values())


def note_added() -> None:
    """Something was added to the registry."""
    global _added
    _added += 1


DIGEST = "sha256"


def version_of(top: str) -> str:
    """The version of the distribution that holds a module, or a digest of its code."""
    distribution = next(iter(packages_distributions().get(top, ())), None)
    if distribution is not None:
        return version(distribution)
    spec = importlib.util.find_spec(top)
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    files = [file for folder in folders for file in folder.rglob("*") if file.suffix in (".py", ".yaml")]
    if spec is not None and not folders and spec.origin:
        files = [Path(spec.origin)]
    return digest(sorted(files))


def digest(files: Iterable[Path]) -> str:
    """What code is, that has no version."""
    content = hashlib.sha256()
    for file in files:
        content.update(file.read_bytes())
    return f"{DIGEST} {content.hexdigest()[:16]}"
