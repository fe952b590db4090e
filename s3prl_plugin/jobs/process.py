"""A run in a process of its own, that ends with the one that started it.

    python -m s3prl_plugin.jobs.process PROGRAM REASON_FILE FLAGS...

runs run_downstream (or run_pretrain) with FLAGS and leaves in REASON_FILE why it failed, in one line. A process of its
own gives back all memory, begins with nothing left behind by the run before it, and takes nothing down when it crashes.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from s3prl_plugin.plugins import plugin_flag

GRACE_S = 15.0  # to end in peace, for a run whose study was stopped


def run(flags: Sequence[str], reason_file: Path, program: str = "run_downstream") -> str | None:
    """Run run_downstream, or another program, with these flags.

    Args:
        reason_file: where the process may leave a line.
        program: the module of this package whose `main` it is, such as "run_pretrain".

    Returns:
        None where it ended well, else why it did not.
    """
    reason_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", __name__, program, str(reason_file), *flags, *plugin_flag.flags()]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            status = process.wait()
        except BaseException:
            process.stdin.close()  # type: ignore[union-attr]  # which is how it learns that it shall stop
            try:
                process.wait(GRACE_S + 5)
            except BaseException:
                process.kill()
            raise
    if status == 0:
        return None
    if reason_file.is_file():
        return reason_file.read_text(encoding="utf-8").strip()
    if status < 0:
        name = signal.Signals(-status).name
        return f"killed by {name}" + (" (was memory short?)" if name == "SIGKILL" else "")
    if status == 1:
        return "a part of it failed; its output above, or its log, says what and why"
    return f"ended with status {status}; its output above says why"


def main(words: Sequence[str]) -> int:
    """The process's own part."""
    listen()
    from s3prl_plugin.jobs.exit_status import exit_status

    program, reason_file, *flags = words
    module = importlib.import_module(f"s3prl_plugin.{program}")

    def job() -> int:
        try:
            return module.main(flags)
        except KeyboardInterrupt:
            return 130  # the study says that it was interrupted
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            kind = "" if type(error).__name__ == "UserError" else f"{type(error).__name__}: "
            Path(reason_file).parent.mkdir(parents=True, exist_ok=True)
            Path(reason_file).write_text(f"{kind}{lines[-1]}\n", encoding="utf-8")
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
