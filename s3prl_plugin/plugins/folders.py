"""Where packages lie: looked up without importing them."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def folders(package: str) -> list[Path]:
    """Where a package lies; neither it nor a package around it is imported, as far as possible."""
    top, *inner = package.split(".")
    for name, parts in ((top, inner), (package, [])):
        try:
            spec = importlib.util.find_spec(name)
        except Exception:  # of a package around it, which fails when it is imported, where that is said
            continue
        around = (spec and spec.submodule_search_locations) or ()
        found = [path for folder in around if (path := Path(folder, *parts)).is_dir()]
        if found:
            return found
    return []


def holds(package: str, file: str) -> bool:
    """Whether a package's folder holds a file."""
    return any((folder / file).is_file() for folder in folders(package))
