"""The file in which a pass over a corpus keeps what it has gathered so far, written whole or not at all."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import torch

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.statistics.storage import LettingGo
from s3prl_plugin.errors import UserError
from s3prl_plugin.files.difference import first_difference

FOLDER = "statistics"


class OtherPass(UserError):
    """What was saved is of a pass over something else."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Which of the batches of a corpus: every `count`-th, from `index` on."""

    index: int = 0
    count: int = 1

    @classmethod
    def of(cls, text: str | int | None) -> Shard:
        """What `2/4` means, the second of four; None is all.

        Raises:
            UserError: it is not of that form.
        """
        index, _, count = str("1/1" if text is None else text).partition("/")
        if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
            raise UserError(f"{text!r} is not possible; write it as 2/4: the second of four parts")
        return cls(int(index) - 1, int(count))

    def batches(self, total: int) -> range:
        """The numbers of its batches."""
        return range(self.index, total, self.count)

    def __str__(self) -> str:
        return f"{self.index + 1}-of-{self.count}"


class SavedPass:
    """What one shard of a pass has gathered, on disk.

    Args:
        expdir: of the run.
        name: of the downstream.
        shard: which batches.
        identity: everything that decides what is gathered; a file with another one is not gone on from.
    """

    def __init__(self, expdir: str | Path, name: str, shard: Shard, identity: Mapping[str, Any]):
        self.path = Path(expdir) / FOLDER / f"{name}-{shard}.pt"
        self.identity = identity

    def load(self) -> Mapping[str, Any] | None:
        """The saved state: `done` batches of the shard, and what was `gathered`; None where nothing was saved.

        Raises:
            UserError: the file is of another run, or cannot be read.
        """
        if not self.path.is_file():
            return None
        return read(self.path, self.identity)

    def save(self, gathering: Gathering, done: int) -> None:
        """Keep what was gathered from the first `done` batches of the shard."""
        with results.replacing(self.path) as file, _without_checksums():
            state = {"identity": dict(self.identity), "done": done, "gathered": gathering.state_dict()}
            torch.save(state, cast(BinaryIO, LettingGo(file, gathering.storage)))

    def remove(self) -> None:
        """Remove the file, once its numbers are written."""
        self.path.unlink(missing_ok=True)
        if self.path.parent.is_dir() and not any(self.path.parent.iterdir()):
            self.path.parent.rmdir()


@contextlib.contextmanager
def _without_checksums() -> Iterator[None]:
    """Half the time of a save; a file that is mapped into memory is never compared with them."""
    before = torch.serialization.get_crc32_options()
    torch.serialization.set_crc32_options(False)
    try:
        yield
    finally:
        torch.serialization.set_crc32_options(before)


def read(path: Path, identity: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a pass saved.

    Args:
        path: the file.
        identity: that it must have.

    Raises:
        UserError: it is of another run, or cannot be read.
    """
    try:
        saved = torch.load(path, map_location="cpu", mmap=True)
        found = saved["identity"]
    except Exception as error:  # a damaged file can fail in any part of the reader
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path}: these statistics cannot be read ({reason}); remove the file") from None
    difference = first_difference(found, dict(identity))
    if difference:
        raise OtherPass(f"{path} is of a pass with another {difference}; remove it, or choose another folder")
    return saved


def parts(folders: Sequence[str | Path], name: str) -> list[Path]:
    """The files of all parts of a corpus, in the order of the parts.

    Args:
        folders: of the runs that gathered them.
        name: of the downstream.

    Raises:
        UserError: a folder has none, or together they are not every part once.
    """
    found: dict[int, Path] = {}
    counts = set()
    for folder in folders:
        here = sorted((Path(folder) / FOLDER).glob(f"{name}-*-of-*.pt"))
        if not here:
            raise UserError(f"merge: {folder} holds no statistics of {name} ({FOLDER}/{name}-1-of-N.pt)")
        for path in here:
            index, count = map(int, re.fullmatch(rf"{re.escape(name)}-(\d+)-of-(\d+)", path.stem).groups())  # type: ignore[union-attr]
            if index in found:
                raise UserError(f"merge: {path} is part {index} once more, after {found[index]}; name each part once")
            found[index] = path
            counts.add(count)
    if len(counts) > 1:
        several = " and of ".join(map(str, sorted(counts)))
        raise UserError(f"merge: the folders hold parts of {several}; name those of one whole")
    missing = sorted(set(range(1, max(counts, default=0) + 1)) - set(found))
    if missing:
        raise UserError(f"merge: part {', '.join(map(str, missing))} of {max(counts)} is missing")
    return [found[index] for index in sorted(found)]
