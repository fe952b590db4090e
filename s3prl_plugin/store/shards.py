"""The files of a store: shards of tensors, and an index that says which shards count.

    FOLDER/hubert_base-0123456789ab/index.json             whose features these are, every shard's size and SHA-256
    FOLDER/hubert_base-0123456789ab/shard-*.safetensors
    FOLDER/.lock                                           held by whoever writes

A shard is written beside its place and renamed, then the index is; only then it counts. Whatever a killed process
left behind counts for nothing and is removed by the next one.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from s3prl_plugin.errors import UserError
from s3prl_plugin.results import replace_file

FORMAT = 1  # of the files; another one's are not read
INDEX = "index.json"
OPEN_SHARDS = 128
_SHARD = re.compile(r"shard-[0-9a-f]{32}\.safetensors")
_TEMPORARY = re.compile(r"\.(shard-[0-9a-f]{32}\.safetensors|index\.json)\.at-[\w-]+\.\d+")
_OWNER = "owner"  # in a shard's own header: the digest of whose features it holds


class NoRoom(Exception):
    """The budget does not allow another shard."""


class Shards:
    """The features of one upstream, by key.

    Args:
        root: the store's folder, which other upstreams' features may share.
        name: the upstream's, for the folder's name.
        identity: whatever decides the features; plain values.
        budget_bytes: for everything in `root`; None for no limit.

    Raises:
        UserError: the folder cannot be made or locked.
    """

    def __init__(self, root: Path, name: str, identity: Mapping[str, Any], budget_bytes: int | None = None):
        self.root = root
        self._identity = {"format": FORMAT, **identity}
        text = json.dumps(self._identity, sort_keys=True, default=str)
        self._identity = json.loads(text)
        self._owner = hashlib.sha256(text.encode()).hexdigest()
        self.folder = root / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}-{self._owner[:12]}"
        self._budget_bytes = budget_bytes
        self._shards: dict[str, dict[str, Any]] = {}  # file name -> bytes, sha256
        self._place: dict[str, str] = {}  # key -> file name
        self._readers: OrderedDict[str, Any] = OrderedDict()
        self._refused: set[str] = set()  # shards that must not be used, should they still be there
        self._lock = FileLock(str(root / ".lock"))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock:
                self._refresh()
                self._remove_leftovers()
        except OSError as error:
            raise UserError(f"{root}: no store can be kept there ({error.strerror}); name another folder") from None

    def __contains__(self, key: str) -> bool:
        return key in self._place

    def get(self, key: str) -> Tensor | None:
        """The tensor of a key; None where there is none, or its shard turns out to be damaged."""
        name = self._place.get(key)
        reader = None if name is None else self._reader(name)
        return None if reader is None else reader.get_tensor(key)

    def write(self, tensors: Mapping[str, Tensor]) -> int:
        """Add a shard with those of these tensors that no other process has added meanwhile.

        Returns:
            The bytes written.

        Raises:
            NoRoom: the budget is used up.
            OSError: the disk is full, for example. Nothing is left of the shard then.
        """
        with self._lock:
            self._refresh()
            new = {key: tensor for key, tensor in tensors.items() if key not in self._place}
            if not new:
                return 0
            content = save(new, {_OWNER: self._owner})
            if self._budget_bytes is not None and self.used_bytes() + len(content) > self._budget_bytes:
                raise NoRoom
            name = f"shard-{uuid.uuid4().hex}.safetensors"
            replace_file(self.folder / name, content)
            entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            try:
                self._save_index({**self._shards, name: entry})
            except OSError:
                (self.folder / name).unlink(missing_ok=True)
                raise
        self._shards[name] = entry
        self._place.update(dict.fromkeys(new, name))
        return len(content)

    def used_bytes(self) -> int:
        """What all shards in the store's folder take, those of other upstreams too."""
        total = 0
        for path in self.root.glob("*/shard-*.safetensors"):
            with suppress(FileNotFoundError):  # another process may just have removed it
                total += path.stat().st_size
        return total

    def _reader(self, name: str) -> Any:
        """An open shard, whose content has been compared with its checksum; None for a damaged one."""
        if name in self._readers:
            self._readers.move_to_end(name)
            return self._readers[name]
        path, entry = self.folder / name, self._shards[name]
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != entry["sha256"]:
                raise ValueError("it has changed since it was written")
            reader = safe_open(path, "pt").__enter__()
        except (OSError, ValueError, SafetensorError) as error:
            self._discard({name: str(error)})
            return None
        self._readers[name] = reader
        if len(self._readers) > OPEN_SHARDS:
            self._readers.popitem(last=False)
        return reader

    def _refresh(self) -> None:
        """Learn which shards there are now; other processes may have added or removed some."""
        present = self._read_index()
        for name in [name for name in self._shards if present.get(name) != self._shards[name]]:
            self._forget(name)
        wrong = {}
        for name, entry in present.items():
            if name in self._shards or name in self._refused:
                continue
            try:
                self._place.update(dict.fromkeys(self._keys(name, entry), name))
                self._shards[name] = entry
            except (OSError, ValueError, SafetensorError) as error:
                wrong[name] = str(error)
        if wrong:
            self._discard(wrong)

    def _keys(self, name: str, entry: Mapping[str, Any]) -> list[str]:
        """The keys in a shard, from its header."""
        path = self.folder / name
        if path.stat().st_size != entry["bytes"]:
            raise ValueError(f"it has {path.stat().st_size} bytes of {entry['bytes']}")
        with safe_open(path, "pt") as reader:
            if (reader.metadata() or {}).get(_OWNER) != self._owner:
                raise ValueError("it holds another upstream's features")
            return list(reader.keys())

    def _read_index(self) -> dict[str, dict[str, Any]]:
        """The index; empty where there is none that can be used."""
        path = self.folder / INDEX
        if not path.is_file():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["identity"] != self._identity:
                raise ValueError("it belongs to other features")
            shards = content["shards"]
            for name, entry in shards.items():
                if not _SHARD.fullmatch(name) or not isinstance(entry["bytes"], int) or not entry["sha256"]:
                    raise ValueError(f"its entry {name!r} is none")
            return shards
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _say(f"{path} cannot be used ({error}); its features are computed anew")
            return {}

    def _save_index(self, shards: Mapping[str, Mapping[str, Any]]) -> None:
        content = {"identity": self._identity, "shards": shards}
        replace_file(self.folder / INDEX, json.dumps(content, indent=1).encode())

    def _discard(self, wrong: Mapping[str, str]) -> None:
        """Remove shards that must not be used, and say why."""
        for name, why in wrong.items():
            _say(f"{self.folder / name} cannot be used ({why}); its features are computed anew")
            self._forget(name)
            self._refused.add(name)
        try:
            with self._lock:
                self._save_index({k: v for k, v in self._read_index().items() if k not in wrong})
                for name in wrong:
                    (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            _say(f"{self.folder}: what cannot be used cannot be removed either ({error.strerror})")

    def _forget(self, name: str) -> None:
        """Do as if a shard were not there."""
        self._shards.pop(name, None)
        self._readers.pop(name, None)
        self._place = {key: place for key, place in self._place.items() if place != name}

    def _remove_leftovers(self) -> None:
        """Remove what killed processes left: shards that no index knows, and halves of files. The lock is held."""
        for path in self.folder.iterdir():
            unknown = _SHARD.fullmatch(path.name) and path.name not in self._shards
            if unknown or _TEMPORARY.fullmatch(path.name):
                path.unlink(missing_ok=True)


def gigabytes(size: float) -> str:
    """A number of bytes for reading."""
    return f"{size / 1e9:.2f} GB" if size >= 1e8 else f"{size / 1e6:.1f} MB"


def _say(message: str) -> None:
    print(f"[store] {message}", file=sys.stderr, flush=True)
