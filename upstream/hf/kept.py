"""What was found out about a network by giving it noise, kept in the cache from one start to the next."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fractions import Fraction
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from s3prl_plugin.errors import UserError
from s3prl_plugin.files import cache as cache_folder
from s3prl_plugin.results import digest, replace_file
from s3prl_plugin.states import batches, frame_counts
from s3prl_plugin.states.frame_counts import FrameCount
from s3prl_plugin.strides import exact_stride, written_stride
from s3prl_plugin.upstream.hf.observing import Point
from s3prl_plugin.upstream.hf.probing import Layout

Found = TypeVar("Found")

# Whose computations decide what is found, beside the code of this package.
_LIBRARIES = ("torch", "torchaudio", "transformers", "numpy")


class Findings:
    """Files of one network's findings.

    Args:
        key: everything that decides them, as plain values; None where it cannot be told, and nothing is kept.
    """

    def __init__(self, key: dict[str, Any] | None):
        self._key = None if key is None else {**key, "libraries": _versions(), "code": _code()}

    def once(
        self,
        what: str,
        find: Callable[[], Found],
        write: Callable[[Found], Any] = lambda found: found,
        read: Callable[[Any], Found] = float,  # type: ignore[assignment]
        **more: Any,
    ) -> Found:
        """A finding: the one that is kept, or a new one.

        A file that is damaged, or of another network, is passed over and written anew.

        Args:
            what: its name.
            find: finds it out.
            write: makes plain values of it, and `read` it of them.
            more: what decides this one finding beside the key.
        """
        if self._key is None:
            return find()
        key = json.loads(json.dumps({**self._key, **more, "what": what}))
        path = cache_folder.folder("hf") / f"{digest(key)}.json"
        try:
            content = json.loads(path.read_bytes())
            if content["key"] == key and content["digest"] == digest(content["found"]):
                return read(content["found"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, ArithmeticError):
            pass
        found = find()
        plain = write(found)
        try:
            content = {"key": key, "found": plain, "digest": digest(plain)}
            replace_file(path, (json.dumps(content, indent=1) + "\n").encode())
        except UserError as error:
            print(f"[upstream] {error}; the next start finds it out again", file=sys.stderr)
        return found


def write_taps(found: tuple[Sequence[Point], dict[str, Layout]]) -> Any:
    """Points, and the layouts of those that are passed, as plain values."""
    points, layouts = found
    rows = {name: {**asdict(layout), "stride": written_stride(layout.stride)} for name, layout in layouts.items()}
    return {"points": [asdict(point) for point in points], "layouts": rows}


def read_taps(content: Any) -> tuple[list[Point], dict[str, Layout]]:
    """The counterpart."""
    layouts = {
        str(name): Layout(**{**row, "stride": exact_stride(row["stride"])}) for name, row in content["layouts"].items()
    }
    return [Point(**row) for row in content["points"]], layouts


def write_laws(laws: Sequence[FrameCount] | None) -> Any:
    """The laws by which taps count frames, as plain values."""
    return laws and [[str(law.stride), str(law.first)] for law in laws]


def read_laws(content: Any) -> list[FrameCount] | None:
    """The counterpart."""
    return content and [FrameCount(exact_stride(stride), Fraction(first)) for stride, first in content]


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


@cache
def _code() -> str:
    """A digest of the code that finds out."""
    here = Path(__file__).parent
    others = [Path(module.__file__) for module in (batches, frame_counts) if module.__file__]
    found = hashlib.sha256()
    for file in [*sorted(here.glob("*.py")), here / "families.yaml", *others]:
        found.update(f"{file.name} ".encode() + file.read_bytes())
    return found.hexdigest()[:16]
