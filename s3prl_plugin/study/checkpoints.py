"""The checkpoints that a pattern matches, in the order of their training steps."""

from __future__ import annotations

import glob
import re
from functools import cache
from pathlib import Path

from s3prl_plugin import own_upstreams
from s3prl_plugin.errors import UserError


def named_checkpoints(pattern: str) -> dict[str, Path]:
    """The files that a pattern matches.

    Args:
        pattern: as a shell has it, with `**` for any folders.

    Returns:
        name -> file. The name is the file's path from the pattern's first wildcard on, without its ending, joined by
        `_`, and without the file's own name where the pattern gives it: of `runs/*/checkpoint_*.pt`,
        `seed1_checkpoint_4000`; of `runs/*/last.pt`, `seed1`; another match does not change it. In the order of their
        training steps; of those that do not say it, in the order of the numbers in their names.

    Raises:
        UserError: nothing matches, or two files get the same name.
    """
    paths = [Path(found) for found in glob.glob(pattern, recursive=True) if Path(found).is_file()]
    if not paths:
        raise UserError(f"no file matches {pattern} (from the working directory)")
    fixed = len(_before_wildcards(pattern).parts)
    same = not glob.has_magic(Path(pattern).name)  # a name that all files have tells none from another
    found: dict[str, Path] = {}
    for path in sorted(paths, key=_order):
        inner = path.parts[fixed:] or path.parts[-1:]
        stem = [] if same and inner[:-1] else [Path(inner[-1]).stem]
        name = re.sub(r"[^A-Za-z0-9._-]", "_", "_".join([*inner[:-1], *stem]))
        if name in found:
            raise UserError(f"{found[name]} and {path} would both be called {name}; rename one")
        found[name] = path
    return found


def _before_wildcards(pattern: str) -> Path:
    """The folders of a pattern that hold no wildcard."""
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:fixed])


def _order(path: Path) -> tuple[float, list[tuple[int, str]]]:
    """By training step, then by name with its numbers as numbers."""
    pieces = re.split(r"(\d+)", str(path))
    natural = [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]
    step = _train_step(path, path.stat().st_mtime_ns)
    return (float("inf") if step is None else step, natural)


@cache
def _train_step(path: Path, modified_ns: int) -> int | None:
    """The step that a file says; reading it takes a while, and a file may be asked for more than once."""
    try:
        return own_upstreams.train_step(path)
    except UserError:
        return None  # a damaged file is told when its turn comes; the others are run
