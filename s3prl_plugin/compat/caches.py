"""s3prl's SID and ASV downstreams cache what they found in a corpus: in a place of its own per corpus and run.

Stock s3prl puts these files beside its own source under a fixed name, and another corpus silently reuses them.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from s3prl_plugin.compat import hooks
from s3prl_plugin.compat.hooks import note
from s3prl_plugin.compat.replaced import StandIn, replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import cache, unfinished

# processes that ASV's dataset measures its files in, whatever the machine; each of them loads torch
STOCK_JOBS = 12
_folder: Path | None = None


def install() -> None:
    """Hook the imports of the two datasets."""
    hooks.after_import("s3prl.downstream.voxceleb1.dataset", _own_file_lists)
    hooks.after_import("s3prl.downstream.sv_voxceleb1.dataset", _own_lengths)


@contextmanager
def private_caches(folder: str | Path) -> Iterator[None]:
    """Keep such caches under `folder` inside the block, apart from any other run's.

    Args:
        folder: made when needed; below it, every state of a corpus has its own place.
    """
    global _folder
    before, _folder = _folder, Path(folder)
    try:
        yield
    finally:
        _folder = before


def cache_folder() -> Path:
    """Where the caches are: `private_caches`' folder, else that of `files.cache`."""
    if _folder is not None:
        return _folder
    return cache.folder()


def _own_file_lists(dataset: ModuleType) -> None:
    """SID: lists of files per split, keyed by the corpus's folder and its list of splits."""

    def initialise(stock: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(stock)
        def init(self: Any, mode: str, file_path: Any, meta_data: Any, *args: Any, **kwargs: Any) -> None:
            splits = Path(meta_data).read_bytes() if Path(meta_data).is_file() else b""
            place = _place("voxceleb1", str(Path(file_path).resolve()).encode(), splits)
            wanted = {f"{mode}.pkl": partial(_are_paths, root=str(file_path))}
            with _whole_files(place, wanted) as folder, replaced(dataset, CACHE_PATH=str(folder)):
                stock(self, mode, file_path, meta_data, *args, **kwargs)

        return init

    dataset.pickle = PLAIN_FILES  # type: ignore[attr-defined]
    dataset.SpeakerClassifiDataset.__init__ = initialise(dataset.SpeakerClassifiDataset.__init__)
    note("s3prl", "0.4.18", "SID: file lists are cached per corpus and run, not under the package's folder")


def _own_lengths(dataset: ModuleType) -> None:
    """ASV: lengths after trimming, keyed by the corpus's folders and the files in them."""

    def initialise(stock: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(stock)
        def init(
            self: Any,
            vad_config: Any,
            key_list: Any,
            file_path: Any,
            meta_data: Any,
            max_timestep: int | None = None,
            n_jobs: int | None = None,
        ) -> None:
            place = _place("sv_voxceleb1", *(_listing(Path(root)) for root in file_path))
            jobs = n_jobs or min(STOCK_JOBS, os.cpu_count() or 1)
            # The dataset writes to `.wav_lengths` beside its own source, as its module's __file__ names it.
            wanted = {f".wav_lengths/{key}_length.pt": _are_tags_and_lengths for key in key_list}
            with _whole_files(place, wanted) as folder, replaced(dataset, __file__=str(folder / "dataset.py")):
                stock(self, vad_config, key_list, file_path, meta_data, max_timestep, jobs)

        return init

    dataset.torch = StandIn(dataset.torch, load=_load, save=_save)  # type: ignore[attr-defined]
    dataset.SpeakerVerifi_train.__init__ = initialise(dataset.SpeakerVerifi_train.__init__)
    note("s3prl", "0.4.18", "ASV: trimmed lengths are cached per corpus and run, not under the package's folder")


@contextmanager
def _whole_files(place: Path, wanted: Mapping[str, Callable[[Any], bool]]) -> Iterator[Path]:
    """The folder of a cache for the block; where a `wanted` file is missing in it, a copy, whose files then get there.

    Such a file is written when s3prl says so, and torn where the run is killed meanwhile. One that is not what it
    should be counts as missing.

    Args:
        wanted: a file's name -> whether its content is what it should be.
    """
    for name, is_right in wanted.items():
        if (place / name).is_file() and not is_right(_content(place / name)):
            (place / name).unlink()
    if all((place / name).is_file() for name in wanted):
        yield place
        return
    place.mkdir(parents=True, exist_ok=True)
    unfinished.remove(place.parent, place.name)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{unfinished.name(place)}.") as copy:
        shutil.copytree(place, copy, dirs_exist_ok=True)
        yield Path(copy)
        for name in wanted:
            (place / name).parent.mkdir(exist_ok=True)
            os.replace(Path(copy) / name, place / name)


def _content(path: Path) -> Any:
    """What a cache holds; None where it is not one that we wrote."""
    try:
        return _load(path)
    except UserError:
        return None


def _load(path: str | Path) -> Any:
    """Read a cache."""
    with Path(path).open("rb") as file:
        return PLAIN_FILES.load(file)


def _save(content: Any, path: str | Path) -> None:
    """Write a cache."""
    with Path(path).open("wb") as file:
        PLAIN_FILES.dump(content, file)


def _are_paths(content: Any, root: str) -> bool:
    """Whether it is a list of files below a folder."""
    return isinstance(content, list) and all(
        isinstance(path, str) and path.startswith(f"{root.rstrip('/')}/") and ".." not in Path(path).parts
        for path in content
    )


def _are_tags_and_lengths(content: Any) -> bool:
    """Whether it is a list of speaker, video and file, and one of as many lengths in samples."""
    if not (isinstance(content, list) and len(content) == 2 and all(isinstance(part, list) for part in content)):
        return False
    tags, lengths = content
    return (
        len(tags) == len(lengths)
        and all(isinstance(length, int) and length >= 0 for length in lengths)
        and all(isinstance(tag, list) and len(tag) == 3 and all(map(_is_name, tag)) for tag in tags)
    )


def _is_name(part: Any) -> bool:
    """Whether it is the name of a file or folder."""
    return isinstance(part, str) and part not in ("", ".", "..") and "/" not in part


def _place(task: str, *keys: bytes) -> Path:
    """The folder of one state of a corpus; of one rank, too, since ranks write at the same time."""
    digest = hashlib.sha256(b"\0".join(hashlib.sha256(key).digest() for key in keys)).hexdigest()[:16]
    rank = os.environ.get("RANK")
    return cache_folder() / task / (f"{digest}-rank{rank}" if rank else digest)


def _listing(root: Path) -> bytes:
    """A folder's files as one string: where it is, and every file's path, size and time of change."""
    lines = [str(root.resolve())]
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        for name in sorted(names):
            status = os.stat(os.path.join(folder, name))
            lines.append(f"{os.path.relpath(folder, root)}/{name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(lines).encode("utf-8", "surrogateescape")


class PlainFiles:
    """Stands in for `pickle` where lists, mappings, strings and numbers are kept."""

    def dump(self, content: Any, file: io.BufferedIOBase) -> None:
        """Write it as JSON."""
        file.write(json.dumps(content, default=str).encode())
        file.flush()

    def load(self, file: io.BufferedIOBase) -> Any:
        """Read what `dump` wrote.

        Raises:
            UserError: it is something else.
        """
        try:
            return json.loads(file.read())
        except (ValueError, RecursionError):
            name = getattr(file, "name", "a cache")
            raise UserError(f"{name}: not a cache that this plugin wrote; remove it, it is made anew") from None


PLAIN_FILES = PlainFiles()
