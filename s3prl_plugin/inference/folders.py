"""Where the results of a study lie: one folder per upstream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from s3prl_plugin import results

FILE_NAME = "study.json"


def folders(expdir: str | Path) -> list[Path]:
    """The folders of runs at a place: the place itself where it holds results, else the upstreams of a study.

    Args:
        expdir: the folder of a run, or of a study.

    Returns:
        Folders that hold a results.jsonl, a study's in its own order, those of earlier commands last. `expdir` itself
        where there is none, so that reading it says what is missing.
    """
    expdir = Path(expdir)
    if expdir.is_file() or (expdir / results.FILE_NAME).is_file():
        return [expdir]
    listed = expdir / FILE_NAME
    names = json.loads(listed.read_text(encoding="utf-8"))["upstreams"] if listed.is_file() else []
    there = sorted(path.parent.name for path in expdir.glob(f"*/{results.FILE_NAME}"))
    ordered = [name for name in names if name in there] + [name for name in there if name not in names]
    return [expdir / name for name in ordered] or [expdir]


def remember(expdir: Path, names: Iterable[str]) -> None:
    """Note the order of a study's upstreams in its folder."""
    content = json.dumps({"upstreams": list(names)}, indent=1, ensure_ascii=False)
    results.replace_file(expdir / FILE_NAME, content.encode())
