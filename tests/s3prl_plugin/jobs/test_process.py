"""A run in a process of its own: why it failed, and that it ends with the study."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from s3prl_plugin import stopping
from s3prl_plugin.errors import UserError
from s3prl_plugin.jobs import process


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a shell script in place of python."""

    def write(script):
        path = tmp_path / "program"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return write


def why_not(flags, folder):
    """Why a run failed."""
    with pytest.raises(UserError) as caught:
        process.run(flags, folder)
    return str(caught.value)


def test_the_reason_is_the_run_s_own(tmp_path):
    reason = why_not(["-m", "trian"], tmp_path / "run")
    assert reason == "-m trian: no such mode; did you mean 'train'?"
    assert (tmp_path / "run" / "failed.txt").read_text() == reason + "\n"


def test_one_that_cannot_say_why(program, tmp_path):
    program("exit 3")
    assert why_not([], tmp_path) == "ended with status 3; its output above says why"
    program("kill -KILL $$")
    assert why_not([], tmp_path) == "killed by SIGKILL (was memory short?)"


def test_what_it_prints_is_kept_out_of_json(program, tmp_path, capfd):
    program("echo said")
    process.run([], tmp_path)
    assert capfd.readouterr().out == "said\n"
    with contextlib.redirect_stdout(sys.stderr):
        process.run([], tmp_path)
    assert capfd.readouterr() == ("", "said\n")


def test_some_words_are_for_every_run(program, tmp_path, monkeypatch):
    program(f'echo "$@" > {tmp_path}/said')
    monkeypatch.setattr(process.plugin_flag, "flags", lambda: ["--plugin", "mine"])
    process.run(["-m", "train"], tmp_path)
    assert (tmp_path / "said").read_text().endswith(f"{tmp_path} -m train --plugin mine\n")


def test_an_old_reason_is_not_a_new_one(program, tmp_path):
    (tmp_path / "failed.txt").write_text("old")
    program("exit 0")
    process.run([], tmp_path)
    assert not (tmp_path / "failed.txt").exists()


@pytest.fixture
def _ctrl_c():
    """Ctrl-C works, also where the tests are a shell's background job."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_study_ends_the_run(number, program, tmp_path):
    os.mkfifo(tmp_path / "up")
    program(f"echo $$ > {tmp_path}/up\nexec cat > /dev/null")  # until its standard input ends
    found = []

    def stop():
        found.append(int((tmp_path / "up").read_text()))
        time.sleep(0.5)  # until the study waits for it
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=stop, daemon=True)  # it waits for the run, which may never come up
    thread.start()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopping.at_once():
        process.run([], tmp_path)
    thread.join(60)
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(ProcessLookupError):
        os.kill(found[0], 0)


def test_a_run_stops_when_the_study_is_gone():
    code = (
        "import time; from s3prl_plugin.jobs import process\n"
        "process.listen()\n"
        "print('up', flush=True)\n"
        "try:\n    time.sleep(1000)\n"
        "except KeyboardInterrupt:\n    print('stopped')\n"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "up\n"
    run.stdin.close()
    assert run.stdout.read() == "stopped\n"
    assert run.wait() == 0
