"""A run that is asked to stop ends at once, or between two steps."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from s3prl_plugin import stopping
from s3prl_plugin.jobs.exit_status import exit_status


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_program_ends_with_the_signal_s_status(capsys, number, status):
    def job():
        os.kill(os.getpid(), number)
        time.sleep(10)
        return 0

    before = signal.getsignal(number)
    assert exit_status(job) == status
    assert capsys.readouterr().err == f"stopped by {signal.Signals(number).name}\n"
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_between_steps_what_is_under_way_is_finished(number):
    steps = []

    def work():
        with stopping.at_once(), stopping.between_steps() as asked:
            for step in range(5):
                if step == 2:
                    os.kill(os.getpid(), number)
                    time.sleep(0.01)
                steps.append(step)
                if asked:
                    break
            asked.stop()

    with pytest.raises(stopping.Stopped) as stopped:
        work()
    assert steps == [0, 1, 2]
    assert stopped.value.number == number


def test_a_second_ctrl_c_interrupts():
    def work():
        with stopping.between_steps():
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_second_signal_does_not_disturb_the_end():
    saved = []

    def work():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
            saved.append(True)

    with pytest.raises(stopping.Stopped), stopping.at_once():
        work()
    assert saved == [True]


def test_a_signal_that_is_ignored_stays_so():
    """`nohup` starts programs so."""
    program = (
        "import os, signal; from s3prl_plugin import stopping\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "with stopping.at_once(), stopping.between_steps() as asked:\n"
        "    os.kill(os.getpid(), signal.SIGHUP); print(bool(asked))"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"


def test_in_another_thread_nothing_changes():
    before = signal.getsignal(signal.SIGTERM)
    found = []

    def work():
        with stopping.between_steps() as asked:
            found.append((bool(asked), signal.getsignal(signal.SIGTERM) is before))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, True)]


def test_a_forked_process_ends_as_it_would_have():
    program = (
        "import os, signal, time; from s3prl_plugin import stopping\n"
        "with stopping.at_once():\n"
        "    child = os.fork()\n"
        "    if child == 0:\n        time.sleep(20); os._exit(0)\n"
        "    time.sleep(0.2); os.kill(child, signal.SIGTERM)\n"
        "    print(os.WTERMSIG(os.waitpid(child, 0)[1]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{int(signal.SIGTERM)}\n", "")
