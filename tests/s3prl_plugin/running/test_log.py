"""The log: everything that is printed, with times, over restarts; to the user only what is for the user."""

import io
import logging
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from tqdm import tqdm

from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.running.log import Log

TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


def lines(path):
    """The log's lines without their times, which every line has."""
    found = path.read_text(encoding="utf-8").splitlines()
    assert all(TIME.match(line) for line in found)
    return [TIME.sub("", line) for line in found]


@contextmanager
def terminal():
    """Standard output and error as a terminal would get them; pytest has its own between fixture and test."""
    out, err = io.StringIO(), io.StringIO()
    with replaced(sys, stdout=out, stderr=err):
        yield out, err


def test_everything_is_logged_and_only_own_lines_are_shown(tmp_path):
    shown = []
    with terminal() as terminals, Log(tmp_path / "log.txt", lambda line, stream: shown.append((line, stream))):
        print("of s3prl")
        print("[suite] for the user")
        print("[store] for the user, too", file=sys.stderr)
        sys.stdout.write("in two ")
        sys.stdout.write("pieces\nand one that does not end")
    assert lines(tmp_path / "log.txt")[1:4] == ["of s3prl", "[suite] for the user", "[store] for the user, too"]
    text = (tmp_path / "log.txt").read_text()
    assert "in two pieces" in text
    assert "and one that does not end" in text
    assert shown == [("[suite] for the user", terminals[0]), ("[store] for the user, too", terminals[1])]
    assert [stream.getvalue() for stream in terminals] == ["", ""]


def test_it_is_appended_to(tmp_path):
    for i in range(3):
        with terminal(), Log(tmp_path / "log.txt", print):
            print(i)
    assert [line for line in lines(tmp_path / "log.txt") if not line.startswith("----")] == ["0", "1", "2"]


def test_loggers_that_were_there_before_write_to_it(tmp_path):
    with terminal() as (_, err):
        handler = logging.StreamHandler()
        logging.getLogger().addHandler(handler)
        try:
            with Log(tmp_path / "log.txt", print):
                logging.getLogger("some.library").error("no")
            logging.getLogger("some.library").error("yes")
        finally:
            logging.getLogger().removeHandler(handler)
    assert err.getvalue() == "yes\n"
    assert "no" in lines(tmp_path / "log.txt")


def test_what_ends_the_block_is_logged_with_its_traceback(tmp_path):
    with terminal(), pytest.raises(ZeroDivisionError), Log(tmp_path / "log.txt", print):
        1 / 0  # noqa: B018
    assert lines(tmp_path / "log.txt")[1] == "Traceback (most recent call last):"
    assert lines(tmp_path / "log.txt")[-1] == "ZeroDivisionError: division by zero"


def test_a_bar_is_not_logged_at_every_drawing(tmp_path):
    with terminal(), Log(tmp_path / "log.txt", print), tqdm(total=500, mininterval=0, miniters=1, desc="bar") as bar:
        for _ in range(500):
            bar.update()
    drawn = [line for line in lines(tmp_path / "log.txt") if line.startswith("bar")]
    assert len(drawn) <= 3
    assert "500/500" in drawn[-1]
    assert re.search(r"[\x00-\x09\x0b-\x1f]", (tmp_path / "log.txt").read_text()) is None


def test_what_was_printed_before_a_kill_is_there(tmp_path):
    program = (
        "import os, signal, sys; from s3prl_plugin.running.log import Log\n"
        "with Log(__import__('pathlib').Path(sys.argv[1]), print):\n"
        "    print('the last words'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "log.txt")])
    assert lines(tmp_path / "log.txt")[-1] == "the last words"


def test_a_stream_outlives_the_log(tmp_path):
    with terminal() as (_, err):
        with Log(tmp_path / "log.txt", print):
            kept = sys.stderr
        kept.write("late")
    assert err.getvalue() == "late"


def test_two_runs_do_not_share_a_folder(tmp_path):
    pytest.importorskip("fcntl")
    program = "import sys; from s3prl_plugin.running.log import Log, Path; Log(Path(sys.argv[1]), print).__enter__()"
    command = [sys.executable, "-c", program, str(tmp_path / "log.txt")]
    with terminal(), Log(tmp_path / "log.txt", print):
        refused = subprocess.run(command, capture_output=True, text=True)
    assert "another run is at work there" in refused.stderr
    assert subprocess.run(command).returncode == 0  # once it has ended


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_written_to_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match=r"log\.txt: cannot be written"), Log(tmp_path / "log.txt", print):
        pass
