"""Downloads against a server on this machine: ranges, cut connections, changed content, two processes, no server."""

import base64
import contextlib
import hashlib
import http.server
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from s3prl_plugin import download
from s3prl_plugin.errors import UserError

CONTENT = bytes(i * 31 % 251 for i in range(300_000))


class Server:
    """Serves one file.

    Attributes:
        content: what is served; `version` is its ETag (None: none is sent).
        cut_after: bytes of the body after which a connection is cut, one entry per connection.
        requests: the Range header of every request, None where there was none.
    """

    def __init__(self):
        self.content, self.version, self.content_type = CONTENT, '"v1"', "application/octet-stream"
        self.cut_after, self.requests, self.honours_ranges, self.status, self.delay_s = [], [], True, None, 0.0
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.answer(self)

            def log_message(self, *args):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/models/model.pt"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, handler):
        wanted = handler.headers.get("Range")
        self.requests.append(wanted)
        threading.Event().wait(self.delay_s)
        if self.status:
            handler.send_error(self.status)
            return
        start = 0
        if wanted and self.honours_ranges and handler.headers.get("If-Range", self.version) == self.version:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(self.content):
                handler.send_error(416)
                return
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        if self.version:
            handler.send_header("ETag", self.version)
        handler.send_header("Content-Type", self.content_type)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        cut = self.cut_after.pop(0) if self.cut_after else len(body)
        with contextlib.suppress(OSError):
            handler.wfile.write(body[:cut])
            handler.wfile.flush()


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, at the default place of s3prl; and short pauses."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delitem(sys.modules, "s3prl.util.download", raising=False)
    monkeypatch.setattr(download, "PAUSES_S", (0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / ".cache" / "s3prl" / "download"


def sidecar(path):
    return path.with_name(path.name + ".sha256")


def test_the_file_lies_where_s3prl_looks_for_it_and_the_reverse(server, cache, monkeypatch):
    path = download.fetch(server.url)
    assert path.read_bytes() == CONTENT
    from s3prl.util import download as stock

    monkeypatch.setattr(stock, "_download_dir", cache)
    assert stock._urls_to_filepaths(server.url) == str(path)
    assert len(server.requests) == 1, "s3prl downloaded again what we had"

    moved = cache.parent / "elsewhere"
    monkeypatch.setitem(sys.modules, "s3prl.util.download", stock)
    monkeypatch.setattr(stock, "_download_dir", moved)
    theirs = Path(stock._urls_to_filepaths(server.url))
    assert theirs.parent == moved
    assert download.fetch(server.url) == theirs
    assert len(server.requests) == 2, "we downloaded again what s3prl had"
    assert sidecar(theirs).read_text().split() == [hashlib.sha256(CONTENT).hexdigest(), theirs.name]


def test_nothing_but_the_file_and_its_records_stays(server, cache):
    server.cut_after = [1000]
    path = download.fetch(server.url)
    assert {p.name for p in cache.iterdir()} == {path.name, f"{path.name}.lock", f"{path.name}.sha256"}


def test_sha256sum_can_check_the_cache(server, cache):
    path = download.fetch(server.url)
    subprocess.run(["sha256sum", "--check", "--strict", sidecar(path).name], cwd=cache, check=True, capture_output=True)


def test_a_cut_connection_is_resumed_where_it_was_cut(server):
    server.cut_after = [100_000, 50_000]
    assert download.fetch(server.url).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=100000-", "bytes=150000-"]


def test_a_later_attempt_goes_on_from_an_earlier_one(server):
    server.cut_after = [120_000, 0, 0, 0]
    with pytest.raises(UserError, match="120000 bytes are kept") as error:
        download.fetch(server.url)
    assert str(download.cache_path(server.url)) in str(error.value)
    assert not download.cache_path(server.url).exists()
    assert download.fetch(server.url).read_bytes() == CONTENT
    assert server.requests[-1] == "bytes=120000-"


def test_a_file_that_changed_between_two_attempts_is_not_mixed(server):
    server.cut_after = [120_000, 0, 0, 0]
    with pytest.raises(UserError):
        download.fetch(server.url)
    server.content, server.version = CONTENT[::-1], '"v2"'
    assert download.fetch(server.url).read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("version", [None, 'W/"v1"'])
def test_without_a_version_that_promises_the_same_bytes_it_begins_anew(server, version):
    server.version, server.cut_after = version, [120_000]
    assert download.fetch(server.url).read_bytes() == CONTENT
    assert server.requests == [None, None]


def test_a_server_without_ranges_begins_anew(server):
    server.honours_ranges, server.cut_after = False, [120_000]
    assert download.fetch(server.url).read_bytes() == CONTENT


def test_a_server_that_always_cuts_is_given_up(server):
    server.honours_ranges, server.cut_after = False, [100] * 50
    with pytest.raises(UserError, match=r"cut 299900 bytes before the end"):
        download.fetch(server.url)
    assert len(server.requests) < 6
    assert not download.cache_path(server.url).exists()


def test_leftovers_longer_than_the_file_are_dropped(server, cache):
    cache.mkdir(parents=True)
    path = download.cache_path(server.url)
    (cache / f"{path.name}.part").write_bytes(b"x" * 400_000)
    (cache / f"{path.name}.part.version").write_text('"v1"')
    assert download.fetch(server.url).read_bytes() == CONTENT


def test_content_that_changed_on_disk_is_refused_until_it_is_deleted(server):
    path = download.fetch(server.url)
    path.write_bytes(CONTENT[:-1] + b"\0")
    with pytest.raises(UserError, match=r"not .* as when it was first downloaded") as error:
        download.fetch(server.url)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    path.unlink()
    sidecar(path).unlink()
    assert download.fetch(server.url).read_bytes() == CONTENT


def test_a_published_digest_is_stronger_than_the_recorded_one(server):
    right = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(UserError, match="published"):
        download.fetch(server.url, sha256="0" * 64)
    assert download.fetch(server.url, sha256=right).is_file()


def test_refresh_downloads_again_and_accepts_new_content(server, monkeypatch):
    path = download.fetch(server.url)
    server.content, server.version = CONTENT[::-1], '"v2"'
    assert download.fetch(server.url, refresh=True).read_bytes() == CONTENT, "it is new enough for a run's other ranks"
    monkeypatch.setattr(download, "REFRESHED_WITHIN_S", -1.0)
    assert download.fetch(server.url, refresh=True).read_bytes() == CONTENT[::-1]
    assert sidecar(path).read_text().startswith(hashlib.sha256(CONTENT[::-1]).hexdigest())


def test_a_failed_refresh_keeps_what_was_there(server, monkeypatch):
    path = download.fetch(server.url)
    server.status = 500
    monkeypatch.setattr(download, "REFRESHED_WITHIN_S", -1.0)
    with pytest.raises(UserError):
        download.fetch(server.url, refresh=True)
    assert path.read_bytes() == CONTENT


def test_two_processes_fetch_once(server, cache):
    server.delay_s = 2.5  # long enough for the second to notice that it waits
    code = (
        "import pathlib, sys\n"
        f"pathlib.Path.home = lambda: pathlib.Path({str(cache.parents[2])!r})\n"
        "from s3prl_plugin import download\n"
        f"print(len(download.fetch({server.url!r}).read_bytes()))\n"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
        for _ in range(2)
    ]
    assert [p.communicate(timeout=60)[0].strip() for p in both] == [str(len(CONTENT))] * 2
    assert len(server.requests) == 1


def test_offline_the_error_says_which_file_to_put_where(cache):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/model.pt"
        with pytest.raises(UserError, match="refused") as error:
            download.fetch(url)
    message = str(error.value)
    assert url in message
    assert str(download.cache_path(url)) in message
    assert "\n" not in message
    download.cache_path(url).write_bytes(CONTENT)  # as the message says
    assert download.fetch(url).read_bytes() == CONTENT


@pytest.mark.parametrize(("status", "times"), [(404, 1), (403, 1), (503, 3)])
def test_a_server_that_refuses(server, status, times):
    server.status = status
    with pytest.raises(UserError):
        download.fetch(server.url)
    assert len(server.requests) == times


def test_a_login_page_is_not_taken_for_a_checkpoint(server):
    server.content_type = "text/html; charset=utf-8"
    with pytest.raises(UserError, match="web page"):
        download.fetch(server.url)
    assert not download.cache_path(server.url).exists()


@pytest.mark.parametrize("url", ["model.pt", "file:///etc/passwd", "ftp://x/y"])
def test_only_the_web_is_fetched(url):
    with pytest.raises(UserError, match="https://"):
        download.fetch(url)


def test_a_full_disk_is_known_before(server, monkeypatch):
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match="300000 bytes are to come and 1000 are free"):
        download.fetch(server.url)


def test_the_rest_of_another_version_is_not_appended(server, cache):
    """A server that ignores If-Range, and says by its ETag that the file has changed."""
    part = download.cache_path(server.url).with_name(f"{download.cache_path(server.url).name}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:100_000])
    part.with_name(f"{part.name}.version").write_text(server.version)
    plain = server.answer

    def ignores_the_condition(handler):
        if handler.headers.get("If-Range"):
            handler.headers.replace_header("If-Range", server.version)
        plain(handler)

    server.answer = ignores_the_condition
    server.content, server.version = bytes(reversed(CONTENT)), '"v2"'
    assert download.fetch(server.url).read_bytes() == server.content
    assert server.requests[-2:] == ["bytes=100000-", None]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the answer is empty"),
        (b"<!DOCTYPE html><p>log in", "a web page answers"),
        (b"\n  <html>log in</html>", "a web page answers"),
        (b"\xef\xbb\xbf<HTML>", "a web page answers"),
    ],
)
def test_what_is_no_file_is_not_kept(server, cache, content, told):
    server.content = content
    with pytest.raises(UserError, match=told):
        download.fetch(server.url)
    assert {path.suffix for path in cache.iterdir()} <= {".lock"}
    server.content = CONTENT
    assert download.fetch(server.url).read_bytes() == CONTENT


@pytest.mark.parametrize("record", [b"", b"\xff\xfe\x00", b"not a digest", b"0" * 63, bytes(10_000)])
def test_a_record_that_holds_no_digest_accepts_nothing(server, cache, record):
    path = download.fetch(server.url)
    (cache / f"{path.name}.sha256").write_bytes(record)
    with pytest.raises(UserError, match="holds no digest") as caught:
        download.fetch(server.url)
    assert "-r fetches" in str(caught.value)
    assert (cache / f"{path.name}.sha256").read_bytes() == record
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert download.fetch(server.url, sha256=digest) == path  # what is known needs no record


def test_passwords_are_used_and_never_shown(server, cache, capsys, monkeypatch):
    monkeypatch.setattr(download, "PAUSES_S", ())
    sent = []
    plain = server.answer

    def answer(handler):
        sent.append(handler.headers.get("Authorization"))
        plain(handler)

    server.answer = answer
    secret = server.url.replace("http://", "http://me:p%40ss-word@")
    messages = []
    for server.status in (403, 500):
        with pytest.raises(UserError) as caught:
            download.fetch(secret)
        messages.append(str(caught.value))
    server.status = None
    path = download.fetch(secret)
    path.write_bytes(b"changed")
    for url in (secret, secret.replace("http", "ftp")):
        with pytest.raises(UserError) as caught:
            download.fetch(url)
        messages.append(str(caught.value))
    assert set(sent) == {f"Basic {base64.b64encode(b'me:p@ss-word').decode()}"}
    shown = "".join(messages) + "".join(capsys.readouterr())
    assert "127.0.0.1" in shown
    assert "ss-word" not in shown


def test_a_command_is_shown_without_passwords(monkeypatch):
    from s3prl_plugin.jobs.process import command

    monkeypatch.setattr(sys, "argv", ["p", "-k", "https://me:secret@host/a.pt?token=x", "-n", "https://host/b"])
    assert command() == "python -m p -k 'https://host/a.pt?...' -n https://host/b"


def test_a_downloaded_file_that_cannot_be_used_says_how_to_fetch_it_again(server, cache):
    from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local, mr_hubert_url

    with pytest.raises(UserError, match=r"it was downloaded: -r fetches it again, or delete it and .*\.pt\.sha256"):
        mr_hubert_url(server.url)
    other = cache.parent / "mine.pt"
    other.write_bytes(CONTENT)
    with pytest.raises(UserError) as caught:
        mr_hubert_local(str(other))
    assert "-r fetches it again" not in str(caught.value)
