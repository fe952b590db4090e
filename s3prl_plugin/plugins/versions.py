"""Versions of other people's code: that of its distribution, or a digest of it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from importlib.metadata import packages_distributions, version
from pathlib import Path

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
