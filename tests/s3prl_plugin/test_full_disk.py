"""A disk without room, a folder that cannot be written, and what killed runs leave."""

import errno
import io
import os
import resource
import signal
import subprocess
import sys

import pytest
import torch

from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import unfinished
from s3prl_plugin.jobs.exit_status import exit_status

LIMIT = 200_000


def limited(program, *words):
    """Run a program that can write no file longer than LIMIT, as on a disk without room."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, preexec_fn=limit)


WRITERS = {
    "whole": "results.replace_file(path, bytes(10**6))",
    "in pieces": "with results.replacing(path) as file:\n    [file.write(bytes(10**4)) for _ in range(100)]",
    "torch": "with results.replacing(path) as file:\n    torch.save({'x': torch.zeros(250_000)}, file)",
}


@pytest.mark.parametrize("writer", WRITERS)
def test_what_does_not_fit_is_one_line_and_nothing_is_lost(tmp_path, writer):
    path = tmp_path / "states-2.ckpt"
    path.write_bytes(b"what was there")
    program = (
        "import sys, torch; from pathlib import Path; from s3prl_plugin import results\n"
        "from s3prl_plugin.jobs.exit_status import exit_status\n"
        f"def job():\n    path = Path(sys.argv[1])\n    {WRITERS[writer].replace(chr(10), chr(10) + '    ')}\n"
        "sys.exit(exit_status(job))"
    )
    done = limited(program, str(path))
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"error: {path} cannot be written: File too large (")
    assert "MB or more are needed" in done.stderr
    assert done.stderr.endswith("what was there before is kept; make room, and the same command goes on\n")
    assert done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["states-2.ckpt"]
    assert path.read_bytes() == b"what was there"


def test_the_room_that_is_needed_is_said(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left on device \([\d.]+ [MG]B free, 2\.5 MB or more are needed\)"):
        results.replace_file(tmp_path / "a", bytes(2_500_000))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EROFS, errno.EACCES])
def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code), str(tmp_path / "a"))

    with monkeypatch.context() as patch:
        patch.setattr(io, "FileIO", refuse)
        with pytest.raises(UserError, match=f"a cannot be written: {os.strerror(code)}; what was there before is kept"):
            results.replace_file(tmp_path / "a", b"x")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written: File exists"):
        results.replace_file(tmp_path / "file" / "a", b"")
    with pytest.raises(UserError, match="cannot be written: Not a directory"):
        results.replace_file(tmp_path / "file" / "b" / "a", b"")


def test_what_others_cannot_write_is_one_line_too(capsys, tmp_path):
    def job():
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "events"))

    assert exit_status(job) == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'events'} cannot be written: No space left")

    def other():
        raise FileNotFoundError(errno.ENOENT, "No such file")  # a fault of the program's

    with pytest.raises(FileNotFoundError):
        exit_status(other)


def test_a_failure_of_another_kind_stays_what_it_is(tmp_path):
    with pytest.raises(AttributeError), results.replacing(tmp_path / "a") as file:
        torch.save({"cannot": lambda: None}, file)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_did_not_finish_is_removed_by_the_next(tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from s3prl_plugin import results; from s3prl_plugin.files.unfinished import whole_folder\n"
        "with results.replacing(Path(sys.argv[1]) / 'SID' / 'states-5.ckpt') as file, "
        "whole_folder(Path(sys.argv[1]) / 'data' / 'made') as folder:\n"
        "    file.write(b'half'); (folder / 'half').touch(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)])
    left = {path.name.partition(".at-")[0] for path in tmp_path.rglob(".*")}
    assert left == {".states-5.ckpt", ".made"}
    kept = [tmp_path / "SID" / name for name in (".git", ".v1.2", ".notes.at-home", f".x.at-elsewhere.{2**30}")]
    kept.append(tmp_path / unfinished.name(tmp_path / "mine"))  # this process is alive
    for path in kept:
        path.touch()
    assert len(unfinished.remove(tmp_path)) == 2
    assert sorted(path for path in tmp_path.rglob(".*")) == sorted(kept)


def test_one_name_alone_is_looked_for_where_a_folder_is_shared(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in ("a", "b"):
        mine = unfinished.name(tmp_path / name)
        (tmp_path / f"{mine.rpartition('.')[0]}.{ended.pid}").touch()
    (gone,) = unfinished.remove(tmp_path, "a")
    assert gone.name.startswith(".a.")
