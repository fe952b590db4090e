"""Whose files the package s3prl has: s3prl's own, or those of espnet-s3prl, the fork that ESPnet keeps.

Both hold a package of that name. pip does not know that: the one installed last has written over the other's files, the
metadata of both say that theirs are there, and removing one removes the other's files.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackagePath, distributions
from pathlib import Path
from types import ModuleType

from s3prl_plugin.compat import hooks
from s3prl_plugin.errors import UserError

STOCK = "s3prl"
# distribution -> the release that the shims were tried on: for stock the last there is, and the oldest that they fit
TRIED = {STOCK: "0.4.18", "espnet-s3prl": "2026.5.14"}


@dataclass(frozen=True, slots=True)
class Claim:
    """A distribution that says that files of the package are its own.

    Attributes:
        name: as in `pip install NAME`.
        version: of its metadata.
        files: how many it has installed in the package's folder.
        unchanged: how many of them are as it installed them.
        gone: how many of them are not there.
    """

    name: str
    version: str
    files: int
    unchanged: int
    gone: int

    @property
    def is_whole(self) -> bool:
        """Whether all its files are as it installed them."""
        return self.unchanged == self.files


@dataclass(frozen=True, slots=True)
class Installed:
    """The package s3prl.

    Attributes:
        folder: where it lies.
        version: what its own files say, None where they do not; metadata may say something else.
        claims: the distributions that say it is theirs, the one whose files are there first.
    """

    folder: Path
    version: str | None
    claims: tuple[Claim, ...]

    @property
    def owner(self) -> Claim | None:
        """The distribution whose files are there, or most of them."""
        return self.claims[0] if self.claims else None

    def __str__(self) -> str:
        """The version, and what else is to be said of where it is from."""
        if self.owner is None:
            return f"{self.version} (of no distribution)"
        said = [] if (self.owner.name, len(self.claims)) == (STOCK, 1) else [f"of {self.owner.name}"]
        if not self.owner.is_whole:
            said.append(f"{self.owner.files - self.owner.unchanged} of {self.owner.files} files changed")
        said += [f"{claim.name} is installed, too" for claim in self.claims[1:]]
        return f"{self.version} ({'; '.join(said)})" if said else str(self.version)

    @property
    def trouble(self) -> str | None:
        """What is wrong with it, in one sentence; None where nothing is."""
        if len(self.claims) > 1:
            names = " and ".join(f"{claim.name} {claim.version}" for claim in self.claims)
            whole = [claim for claim in self.claims if claim.is_whole]
            now = f"its files are now those of {whole[0].name}" if whole else "its files are a mixture of theirs"
            return f"{self.folder} belongs to two distributions, {names}: one was installed over the other, and {now}"
        if self.owner is not None and self.owner.gone:
            return (
                f"{self.folder}: {self.owner.gone} of the {self.owner.files} files of {self.owner.name} are gone, "
                "as they are when another distribution of s3prl's has been removed"
            )
        return None

    @property
    def mend(self) -> str | None:
        """The commands that leave one distribution there, whole; None where nothing is wrong."""
        if self.trouble is None or self.owner is None:
            return None
        names = " ".join(claim.name for claim in self.claims)
        # what it needs is there, and its requirements could bring the other one back
        return f"pip uninstall -y {names} && pip install --no-deps {self.owner.name}=={self.owner.version}"


def install() -> None:
    """Hook the import of s3prl."""
    hooks.after_import("s3prl", _say)


@cache
def find() -> Installed | None:
    """The package s3prl that an import takes, which is not imported; None where there is none."""
    spec = importlib.util.find_spec("s3prl") if "s3prl" not in sys.modules else sys.modules["s3prl"].__spec__
    folder = _folder(spec)
    if folder is None:
        return None
    claims = sorted((_claim(each, folder) for each in _claiming(folder)), key=lambda claim: -_share(claim))
    version = folder / "version.txt"
    said = version.read_text(encoding="utf-8").strip() if version.is_file() else None
    return Installed(folder, said, tuple(claims))


def check() -> None:
    """Refuse to start on an s3prl that cannot work, before its import fails.

    Raises:
        UserError: it is not there, too old, or in pieces; with the command that mends it.
    """
    found = find()
    wanted = f"pip install '{STOCK}>={TRIED[STOCK]}'"
    if found is None:
        for left in (each for name in TRIED for each in distributions(name=name)):  # pip says that it is there
            again = f"pip install --force-reinstall --no-deps {left.name}=={left.version}"
            raise UserError(f"{left.name} {left.version} is installed, and its files are gone: {again}")
        raise UserError(f"s3prl is not installed: {wanted}, or the one that ESPnet takes, pip install espnet-s3prl")
    if found.version is None or (found.mend and not any(claim.is_whole for claim in found.claims)):
        raise UserError(f"{found.trouble or f'{found.folder} is no whole s3prl'}; {found.mend or wanted}")
    if _numbers(found.version) < _numbers(TRIED[STOCK]):
        raise UserError(f"s3prl {found.version} is older than {TRIED[STOCK]}, which this plugin needs: {wanted}")


def is_tried(found: Installed) -> bool:
    """Whether it is a release that the shims were tried on."""
    return found.version is not None and _numbers(found.version) in map(_numbers, TRIED.values())


def _say(_: ModuleType) -> None:
    """At the first import: say in a line what a user should know about the package, once for all ranks."""
    found = find()
    if found is None or int(os.environ.get("RANK", 0)):
        return
    if found.trouble:
        print(f"[s3prl] {found.trouble}; keep one: {found.mend}", file=sys.stderr)
    if not is_tried(found):
        tried = " and ".join(f"{name} {version}" for name, version in TRIED.items())
        print(f"[s3prl] {found} has not been tried with this plugin; {tried} have", file=sys.stderr)


def _folder(spec: importlib.machinery.ModuleSpec | None) -> Path | None:
    """Where a package lies; also where nothing but leftovers do."""
    places = list((spec and spec.submodule_search_locations) or ())
    return Path(places[0]) if places else None


def _claiming(folder: Path) -> Iterator[Distribution]:
    """The distributions that have installed a package into its folder."""
    for found in distributions(path=[str(folder.parent)]):
        names = found.read_text("top_level.txt")
        if names is None:  # read as text first: of every package installed, to parse it takes a second
            could = f"{folder.name}/" in (found.read_text("RECORD") or f"{folder.name}/")
            names = folder.name if could and any(path.parts[0] == folder.name for path in found.files or ()) else ""
        if folder.name in names.split():
            yield found


def _claim(distribution: Distribution, folder: Path) -> Claim:
    """How many of a distribution's files are there, and as it installed them."""
    files = [path for path in distribution.files or () if path.parts[0] == folder.name and path.hash is not None]
    digests = [_digest(path) for path in files]
    unchanged = sum(digest == path.hash.value for digest, path in zip(digests, files, strict=True) if path.hash)
    return Claim(distribution.name, distribution.version, len(files), unchanged, digests.count(None))


def _digest(path: PackagePath) -> str | None:
    """A file's sum, as the list of a distribution's files has it; None where it is not there."""
    try:
        content = Path(str(path.locate())).read_bytes()
    except OSError:
        return None
    assert path.hash is not None
    return base64.urlsafe_b64encode(hashlib.new(path.hash.mode, content).digest()).rstrip(b"=").decode()


def _share(claim: Claim) -> float:
    """How much of what a distribution has installed is there."""
    return claim.unchanged / max(claim.files, 1)


def _numbers(version: str) -> tuple[int, ...]:
    """A version for comparison: 2026.05.14 and 2026.5.14 are the same."""
    return tuple(int(part) for part in version.split(".") if part.isdigit())
