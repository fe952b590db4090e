"""A run in a process of its own, that ends with the one that started it.

    python -m s3prl_plugin.jobs.process PROGRAM FOLDER FLAGS...

runs run_downstream (or run_pretrain) with FLAGS and leaves in FOLDER why it failed, in one line. A process of its own
gives back all memory, begins with nothing left behind by the run before it, and takes nothing down when it crashes.
"""

from __future__ import annotations

import importlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from s3prl_plugin.errors import UserError, reason
from s3prl_plugin.files.addresses import shown
from s3prl_plugin.plugins import plugin_flag

REASON = "failed.txt"
GRACE_S = 15.0  # to end in peace, for a run whose study was stopped


def run(flags: Sequence[str], folder: Path, program: str = "run_downstream") -> None:
    """Run run_downstream, or another program, with these flags.

    Args:
        folder: of the run, where the process may leave a line.
        program: the module of this package whose `main` it is, such as "run_pretrain".

    Raises:
        UserError: it did not end well, with the reason.
    """
    leave_reason(folder, "")
    words = [sys.executable, "-m", __name__, program, str(folder), *flags, *plugin_flag.flags()]
    out = sys.stderr.fileno() if sys.stdout is sys.stderr else None  # with --json
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=out) as process:
        try:
            status = process.wait()
        except BaseException:
            process.stdin.close()  # type: ignore[union-attr]  # which is how it learns that it shall stop
            try:
                process.wait(GRACE_S + 5)
            except BaseException:
                process.kill()
            raise
    if status:
        raise UserError(_reason(status, folder / REASON))


def _reason(status: int, reason_file: Path) -> str:
    """Why a process ended with this status."""
    if reason_file.is_file():
        return reason_file.read_text(encoding="utf-8").strip()
    if status < 0:
        name = signal.Signals(-status).name
        return f"killed by {name}" + (" (was memory short?)" if name == "SIGKILL" else "")
    return f"ended with status {status}; its output above says why"


def leave_reason(folder: Path, told: str) -> None:
    """Leave in the folder of a run why it failed; an empty line takes away what an earlier one has left."""
    (folder / REASON).unlink(missing_ok=True)
    if told:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REASON).write_text(f"{told}\n", encoding="utf-8")


def command() -> str:
    """The command line of this process, to be given again; addresses in it without passwords."""
    return shown(shlex.join(["python", "-m", *sys.argv]))


def main(words: Sequence[str]) -> int:
    """The process's own part."""
    listen()
    from s3prl_plugin.jobs.exit_status import exit_status

    program, folder, *flags = words
    module = importlib.import_module(f"s3prl_plugin.{program}")

    def job() -> int:
        try:
            return module.main(flags)
        except KeyboardInterrupt:
            return 130  # the study says that it was interrupted
        except Exception as error:
            leave_reason(Path(folder), reason(error))
            raise

    return exit_status(job)


def listen() -> None:
    """Stop, as at Ctrl-C, when the process that started this one is gone."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell's background jobs are started without
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the study holds open as long as it lives; then stop."""
    while os.read(0, 1024):
        pass
    time.sleep(1)  # Ctrl-C has reached this process as well, and a second one would disturb it
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(GRACE_S)
    os._exit(130)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
