"""Checkpoints from the web, in s3prl's own cache: resumed when cut off, checked, fetched by one process at a time.

A file lies where s3prl puts it, `<sha256 of the address>.<file name>` in `~/.cache/s3prl/download`, and is fetched
under the same lock: what s3prl has downloaded is found here, and the reverse. Beside it lies `<file>.sha256`, in the
format of `sha256sum`, written at the first download (or when a file of s3prl's is first met) and verified ever after.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from s3prl_plugin.errors import UserError
from s3prl_plugin.files.addresses import is_address, shown
from s3prl_plugin.results import replace_file

CHUNK = 1 << 20
TIMEOUT_S = 30.0
PAUSES_S = (0.5, 2.0)  # between attempts that brought nothing new
REFRESHED_WITHIN_S = 2.0  # as in s3prl: a file this new was refreshed by another process of the same run


def cache_path(url: str) -> Path:
    """Where the file of an address lies, or would lie.

    Args:
        url: the address, exactly as s3prl would be given it.
    """
    return _folder() / f"{hashlib.sha256(url.encode()).hexdigest()}.{PurePosixPath(url).name}"


def fetch(url: str, *, refresh: bool = False, sha256: str | None = None) -> Path:
    """The file of an address, downloaded unless it is in the cache.

    Args:
        url: http or https.
        refresh: download it again.
        sha256: the digest that it must have, where that is known; else the one recorded at its first download.

    Returns:
        The file's path.

    Raises:
        UserError: it cannot be fetched (the message says which file to put where), or is not what it was.
    """
    if not is_address(url):
        raise UserError(f"{shown(url)!r} is not an address; give one that begins with https://")
    path = cache_path(url)
    with _only_process(path):
        if refresh and path.is_file() and time.time() - path.stat().st_mtime > REFRESHED_WITHIN_S:
            _download(url, path)
            _digest_file(path).unlink(missing_ok=True)
        elif not path.is_file():
            _download(url, path)
        _verify(path, url, sha256)
    return path.resolve()


def cure(path: str | Path) -> str:
    """What to add to the message about a file that cannot be used: how to fetch it again, if it was downloaded."""
    path = Path(path)
    if path.parent.resolve() != _folder().resolve():
        return ""
    return f"; it was downloaded: -r fetches it again, or delete it and {_digest_file(path).name}"


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder() -> Path:
    """s3prl's folder for downloads; a program can have moved it only after it has imported s3prl."""
    loaded = sys.modules.get("s3prl.util.download")
    return loaded.get_dir() if loaded else Path.home() / ".cache" / "s3prl" / "download"


def _digest_file(path: Path) -> Path:
    """Where the digest of a downloaded file is recorded."""
    return path.with_name(f"{path.name}.sha256")


@contextmanager
def _only_process(path: Path) -> Iterator[None]:
    """Hold the lock under which a file of the cache is fetched, s3prl's own."""
    from filelock import FileLock, Timeout

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock")
        try:
            lock.acquire(timeout=1)
        except Timeout:
            print(f"[download] waiting for another process that fetches {path.name}", file=sys.stderr)
            lock.acquire()
    except OSError as error:
        raise UserError(f"{path.parent}: cannot write to the cache ({error.strerror}); make it writable") from None
    try:
        yield
    finally:
        lock.release()


def _verify(path: Path, url: str, known: str | None) -> None:
    """Compare a file with its known or recorded digest; record the digest of one that is met for the first time."""
    record = _digest_file(path)
    recorded = _recorded(record)
    digest = sha256_of(path)
    expected = known or recorded or digest
    again = f"-r fetches {shown(url)} again, or delete it and {record.name}"
    if record.is_file() and recorded is None and known is None:
        raise UserError(
            f"{path}: {record.name} holds no digest, so nothing tells whether the file is what it was; {again}"
        )
    if digest != expected:
        raise UserError(
            f"{path}: its sha256 is {digest[:12]}..., not {expected[:12]}... as when it was first downloaded or "
            f"published; {again}"
        )
    if recorded != digest:
        replace_file(record, f"{digest}  {path.name}\n".encode())


def _recorded(record: Path) -> str | None:
    """The digest in a record; None where it holds none."""
    if not record.is_file():
        return None
    with record.open("rb") as file:
        words = file.read(200).split()
    found = words[0].decode("ascii", "replace").lower() if words else ""
    return found if re.fullmatch(r"[0-9a-f]{64}", found) else None


def _download(url: str, path: Path) -> None:
    """Fetch an address into a file that appears only when it is whole; go on where an earlier attempt was cut off."""
    part = _Part(path.with_name(f"{path.name}.part"))
    furthest, pauses = part.size, list(PAUSES_S)
    while True:
        try:
            missing = _receive(url, part)
            if missing == 0:
                break
            reason = f"the connection was cut {missing} bytes before the end"
        except _HopelessError as error:
            raise _cannot_fetch(url, path, str(error)) from None
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        if part.size > furthest:
            furthest, pauses = part.size, list(PAUSES_S)
        elif pauses:
            time.sleep(pauses.pop(0))
        else:
            kept = f" ({part.size} bytes are kept, and the next attempt goes on from there)" if part.size else ""
            raise _cannot_fetch(url, path, reason + kept)
    part.finish(path)


class _HopelessError(Exception):
    """Another attempt would end the same way."""


def _cannot_fetch(url: str, path: Path, reason: str) -> UserError:
    """Which file to put where, when it cannot be fetched from here."""
    return UserError(f"{shown(url)} cannot be fetched: {shown(reason)}; get the file elsewhere and put it at {path}")


def _receive(url: str, part: _Part) -> int:
    """Append to `part` what one connection brings; how many bytes are then still missing."""
    try:
        answer = _ask(url, part.range_headers())
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        answer = _ask(url, {})  # what is here is as long as the file or longer, and yet was never finished
    with answer:
        if answer.headers.get_content_type() == "text/html":
            raise _HopelessError("a web page answers, not a file (check the address; is there a login?)")
        if not (answer.headers.get("Content-Range") or "").startswith(f"bytes {part.size}-"):
            part.discard()
        elif part.is_of_another(answer.headers):  # it ignores the condition
            part.discard()
            return _receive(url, part)
        part.remember(answer.headers)
        length = answer.headers.get("Content-Length")
        total = part.size + int(length) if length else None
        _copy(answer, part, total)
        missing = 0 if total is None else total - part.size
        if missing == 0:
            part.refuse_what_is_no_file()
        return missing


def _ask(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    """The answer to a request."""
    headers = {"User-Agent": "s3prl-plugin", "Accept-Encoding": "identity", **headers}
    parts = urlsplit(url)
    request = urllib.request.Request(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), headers=headers)
    if parts.username is not None:
        given = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(given.encode()).decode()}")
    try:
        return urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code < 500 and error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _HopelessError(f"the server answers {error.code} {error.reason}") from None
        raise


def _copy(answer: http.client.HTTPResponse, part: _Part, total: int | None) -> None:
    """Append an answer's body to a part, with a progress bar on a terminal."""
    from tqdm import tqdm

    room = shutil.disk_usage(part.path.parent).free
    if total is not None and total - part.size > room:
        raise _HopelessError(f"{total - part.size} bytes are to come and {room} are free in {part.path.parent}")
    print(f"[download] {shown(answer.url)} ({f'{total / 1e6:.0f} MB' if total else 'size unknown'})", file=sys.stderr)
    with (
        part.path.open("ab") as file,
        tqdm(total=total, initial=part.size, unit="B", unit_scale=True, disable=None) as bar,
    ):
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            bar.update(len(chunk))


class _Part:
    """What has arrived of a file, and by what the server knows its version.

    Args:
        path: `<file>.part`.
    """

    def __init__(self, path: Path):
        self.path = path
        self._version = path.with_name(f"{path.name}.version")

    @property
    def size(self) -> int:
        """The bytes that are here."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def range_headers(self) -> dict[str, str]:
        """Ask for the rest, on condition that it is still the same file; all of it when that cannot be said."""
        if not self.size or not self._version.is_file():
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self._version.read_text(encoding="utf-8")}

    def is_of_another(self, headers: http.client.HTTPMessage) -> bool:
        """Whether the rest that a server sends is of another version than what is here."""
        if not self.size or not self._version.is_file():
            return False
        known = self._version.read_text(encoding="utf-8")
        sent = headers.get("ETag") if known.startswith('"') else headers.get("Last-Modified")
        return sent is not None and sent != known

    def refuse_what_is_no_file(self) -> None:
        """Discard an answer of nothing, or a web page, whatever it is called.

        Raises:
            _HopelessError: it is one.
        """
        begin = b""
        if self.path.is_file():
            with self.path.open("rb") as file:
                begin = file.read(200).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if not self.size or begin.startswith((b"<!doctype html", b"<html")):
            reason = "a web page answers, not a file" if self.size else "the answer is empty"
            self.discard()
            raise _HopelessError(f"{reason} (check the address; is there a login?)")

    def remember(self, headers: http.client.HTTPMessage) -> None:
        """Keep the version that a server gives to the file; a weak one does not promise the same bytes."""
        etag = headers.get("ETag") or ""
        version = headers.get("Last-Modified") if etag.startswith("W/") or not etag else etag
        self._version.unlink(missing_ok=True)
        if version:
            self._version.write_text(version, encoding="utf-8")

    def discard(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)
        self._version.unlink(missing_ok=True)

    def finish(self, path: Path) -> None:
        """All is here: give it its name."""
        self.path.replace(path)
        self._version.unlink(missing_ok=True)
