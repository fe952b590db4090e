"""A model as transformers saves it, in a folder or on the hub: what is in it, before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from s3prl_plugin.errors import UserError

CONFIG = "config.json"
# What says how waveforms are prepared; newer versions write it into the second.
PREPARED_BY = ("preprocessor_config.json", "processor_config.json")
# Where transformers looks for weights, in this order; the second of each pair lists the parts of large ones.
WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# What differs between copies of one model.
_SAY_NOTHING = frozenset({"_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version"})
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Folder:
    """A model's files.

    Attributes:
        name: as it was asked for: a folder, or a name on the hub with the commit that was found.
        path: the folder in which they lie.
        config: what config.json says.
    """

    name: str
    path: Path
    config: Mapping[str, Any]

    @property
    def model_type(self) -> str:
        """The architecture, in transformers' words."""
        return str(self.config.get("model_type"))

    @cached_property
    def config_id(self) -> str:
        """A short name of what decides the states beside the weights; the same in every copy of the folder."""
        said = [self.config, *(_json(self.path / name) for name in PREPARED_BY if (self.path / name).is_file())]
        decisive = [{key: value for key, value in part.items() if key not in _SAY_NOTHING} for part in said]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def weights(self) -> list[Path]:
        """The files of weights that transformers reads here."""
        return _weights(self.path)

    @cached_property
    def digest(self) -> str:
        """The sha256 of everything that decides what the states are.

        It is what `sha256sum config.json ... | sha256sum` prints in the folder, of config.json, the files that say how
        waveforms are prepared, and those of the weights, in alphabetical order; reads all of them.
        """
        files = [self.path / name for name in (CONFIG, *PREPARED_BY)] + self.weights
        listed = ""
        for file in sorted(path for path in files if path.is_file()):
            with file.open("rb") as content:
                listed += f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file.name}\n"
        return hashlib.sha256(listed.encode()).hexdigest()


def find(name: str, entry: str) -> Folder:
    """A model's files, fetched from the hub where no folder has that name.

    Args:
        name: a folder, or a name on the hub (`organisation/model`).
        entry: that is to load it, for messages.

    Raises:
        UserError: there is no such folder or name, or something is missing in it.
    """
    path = Path(name)
    if path.is_file():
        raise UserError(f"{name}: a file; {entry} reads a folder as transformers' save_pretrained writes it")
    if not path.is_dir():
        return _from_hub(name, entry)
    found = Folder(name, path, config_of(path, name))
    if not found.weights:
        raise UserError(f"{name}: no weights in this folder; there should be {WEIGHTS[0]} or {WEIGHTS[2]}")
    read, *others = [kind for kind in WEIGHTS if (path / kind).is_file()]
    if others:
        print(f"[upstream] {name}: {read} is loaded, and not {', '.join(others)} beside it", file=sys.stderr)
    return found


def config_of(folder: Path, name: str) -> Mapping[str, Any]:
    """What config.json says.

    Args:
        folder: in which it lies.
        name: of the folder, for messages.

    Raises:
        UserError: it is not there, or is not one of transformers.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise UserError(f"{name}: no {CONFIG} in this folder; give one that transformers' save_pretrained wrote")
    try:
        found = _json(path)
    except ValueError as error:
        raise UserError(f"{name}: its {CONFIG} cannot be read ({error}); save the model again") from None
    if not isinstance(found, dict) or not isinstance(found.get("model_type"), str):
        raise UserError(f"{name}: its {CONFIG} names no model_type; give a folder that save_pretrained wrote")
    return found


def _json(path: Path) -> Any:
    """The content of a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def _weights(folder: Path) -> list[Path]:
    """The files of weights that transformers reads in a folder."""
    for kind in WEIGHTS:
        path = folder / kind
        if not path.is_file():
            continue
        if not kind.endswith(".json"):
            return [path]
        try:
            parts = sorted(set(_json(path)["weight_map"].values()))
            return [path, *(folder / Path(part).name for part in parts)]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(f"{path}: does not list the files of weights; save the model again") from None
    return []


def _from_hub(name: str, entry: str) -> Folder:
    """A model of the hub, in huggingface_hub's cache."""
    if not _HUB_ID.fullmatch(name):
        raise UserError(f"{name}: no such folder; {entry} reads one as transformers' save_pretrained writes it")
    config = _fetched(name, CONFIG)
    if config is None:
        raise UserError(f"{name}: no such folder, and the model of that name on the hub has no {CONFIG}")
    for part in PREPARED_BY:
        _fetched(name, part)
    for kind in WEIGHTS:
        if _fetched(name, kind) is not None:
            break
    for shard in _weights(config.parent)[1:]:  # of an index
        _fetched(name, shard.name)
    if not _weights(config.parent):
        raise UserError(f"{name}: the hub has no weights of it that transformers reads ({', '.join(WEIGHTS[::2])})")
    commit = config.parent.name[:12]  # snapshots are called by their commits
    return Folder(f"{name}@{commit}", config.parent, config_of(config.parent, name))


def _fetched(name: str, file: str) -> Path | None:
    """A file of a model on the hub; None where it has none of that name.

    Raises:
        UserError: it cannot be fetched.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    cached = try_to_load_from_cache(name, file, cache_dir=constants.HF_HUB_CACHE)
    if isinstance(cached, str):
        return Path(cached)  # nothing is asked of the network
    offline = constants.HF_HUB_OFFLINE or (cached is None and not _answers(name))
    if offline and file != CONFIG:
        return None  # of a model that was fetched earlier, this was not there
    if not offline and file in WEIGHTS:
        _say_size(name, file)
    try:
        return Path(hf_hub_download(name, file, cache_dir=constants.HF_HUB_CACHE, local_files_only=offline))
    except LocalEntryNotFoundError:
        reason = "the hub cannot be reached"
    except EntryNotFoundError:
        return None
    except Exception as error:  # of huggingface_hub or of the connection, and of many kinds
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
    raise UserError(
        f"{name}: no such folder, and no such model can be fetched from the hub ({reason}); check the path, or copy "
        "the model's files into a folder and name that"
    )


def _say_size(name: str, file: str) -> None:
    """Tell the user how large a file is before it is fetched; huggingface_hub goes on where it was interrupted."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    try:
        size = get_hf_file_metadata(hf_hub_url(name, file), timeout=_TIMEOUT_S).size
    except Exception:  # of any kind; fetching it says what is wrong
        return
    if size:
        print(f"[upstream] {name}: fetching {file}, {size / 1e9:.2g} GB", file=sys.stderr)


def _answers(name: str) -> bool:
    """Whether the hub answers at all; huggingface_hub itself tries for half a minute before it says no."""
    from huggingface_hub import constants

    request = urllib.request.Request(f"{constants.ENDPOINT}/{name}/resolve/main/{CONFIG}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            return True
    except urllib.error.HTTPError:
        return True  # what it says is for huggingface_hub to tell
    except OSError:
        return False
