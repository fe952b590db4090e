"""s3prl's runner writes checkpoints in place and removes the old one first: killed then, it leaves torn ones or none.

Here a checkpoint takes its place when it is written whole, and only then those go that it supersedes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.compat.replaced import StandIn
from s3prl_plugin.results import replacing

_more: list[Callable[[], dict[str, Any]]] = []


@contextmanager
def adding(more: Callable[[], dict[str, Any]]) -> Iterator[None]:
    """Inside the block s3prl's runner saves what `more()` gives with every checkpoint."""
    _more.append(more)
    try:
        yield
    finally:
        _more.remove(more)


def install() -> None:
    """Hook the import of s3prl's runner."""
    hooks.after_import("s3prl.downstream.runner", _whole_checkpoints)


def _whole_checkpoints(runner: ModuleType) -> None:
    """Give the runner's module a `torch.save` and an `os.remove` of its own; other modules keep the usual ones."""
    stock_save, stock_remove = runner.torch.save, runner.os.remove
    superseded: dict[Path, list[Path]] = {}  # folder -> what goes when the folder's next checkpoint is there

    def save(content: Any, path: str) -> None:
        target = Path(path)
        for more in _more:
            content = {**content, **more()}
        with replacing(target) as file:
            stock_save(content, file)
        if re.fullmatch(r"states-\d+\.ckpt", target.name):
            for old in superseded.pop(target.parent, []):
                if old != target and old.is_file():
                    stock_remove(old)

    def remove(path: str) -> None:
        superseded.setdefault(Path(path).parent, []).append(Path(path))

    runner.torch = StandIn(runner.torch, save=save)  # type: ignore[attr-defined]
    runner.os = StandIn(runner.os, remove=remove)  # type: ignore[attr-defined]
    note("s3prl", "0.4.18", "checkpoints: written whole or not at all, and the old one goes when the new one is there")
