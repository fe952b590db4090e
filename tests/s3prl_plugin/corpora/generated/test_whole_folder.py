"""A folder appears whole or not at all."""

import subprocess
import sys

import pytest

from s3prl_plugin.errors import UserError
from s3prl_plugin.files.unfinished import is_free, whole_folder


def test_it_appears_when_the_block_has_ended(tmp_path):
    with whole_folder(tmp_path / "a" / "b") as folder:
        (folder / "x").write_text("1")
        assert not (tmp_path / "a" / "b").exists()
    assert (tmp_path / "a" / "b" / "x").read_text() == "1"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b"]


def test_nothing_is_left_of_a_failure(tmp_path):
    def interrupted():
        with whole_folder(tmp_path / "b") as folder:
            (folder / "x").write_text("1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_finds_the_first(tmp_path):
    with whole_folder(tmp_path / "b") as slow:
        (slow / "x").write_text("slow")
        with whole_folder(tmp_path / "b") as quick:
            (quick / "x").write_text("quick")
    assert (tmp_path / "b" / "x").read_text() == "quick"
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_what_is_free(tmp_path):
    assert is_free(tmp_path)
    assert is_free(tmp_path / "x")
    (tmp_path / "x").touch()
    assert not is_free(tmp_path)
    assert not is_free(tmp_path / "x")


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"), whole_folder(tmp_path / "file" / "b"):
        pass


def test_killed_while_it_is_written_the_folder_is_made_anew(tmp_path):
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from s3prl_plugin.files.unfinished import whole_folder\n"
        "with whole_folder(Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "corpus"
    subprocess.run([sys.executable, "-c", program, str(path)])
    assert is_free(path)
    with whole_folder(path) as folder:
        (folder / "whole").touch()
    assert [file.name for file in path.iterdir()] == ["whole"]
