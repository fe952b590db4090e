"""Runs of s3prl's entry point, ours or its own, in processes that need not load torch and s3prl anew.

A process that has imported them, and run nothing, is forked for each, one after the other; it ends with the tests. What
depends on how Python was started is run by `subprocess` instead.
"""

import gc
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path


def run(*words, cwd=None, stock=False):
    """As `subprocess.run([sys.executable, "-m", "s3prl_plugin.run_downstream", *words], capture_output=True, ...)`.

    Args:
        words: the flags.
        stock: run s3prl's own entry point instead, with the plugin's upstreams and shims.
    """
    return Run(*words, cwd=cwd, stock=stock).finish()


class Run:
    """A run that has begun, and leads a process group of its own (`pid`)."""

    def __init__(self, *words, cwd=None, stock=False):
        self._words, self._folder = list(map(str, words)), tempfile.TemporaryDirectory()
        self._said = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        asked = {"words": self._words, "stock": stock, "said": list(map(str, self._said))}
        asked |= {"cwd": str(cwd or Path.cwd()), "environment": dict(os.environ)}
        _loaded().stdin.write(f"{json.dumps(asked)}\n".encode())
        self.pid = int(_loaded().stdout.readline())

    @property
    def ended(self):
        return bool(select.select([_loaded().stdout], [], [], 0)[0])

    def finish(self):
        """Wait for it; its status, negative for a signal, and what it said."""
        status = int(_loaded().stdout.readline())
        with self._folder:
            return subprocess.CompletedProcess(self._words, status, *(path.read_text("utf-8") for path in self._said))


@cache
def _loaded():
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def main():
    """Fork for every line of standard input; its process and then its status are lines of standard output."""
    import s3prl_plugin

    s3prl_plugin.register()
    from s3prl import run_downstream

    gc.freeze()  # a fork that ends need not look through all that has been loaded
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            return job(run_downstream, **json.loads(line))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
    return 0


def job(run_downstream, words, cwd, stock, environment, said):
    """What a fork does."""
    os.setpgid(0, 0)
    for number, path in enumerate([os.devnull, *said]):
        os.dup2(os.open(path, os.O_CREAT | os.O_RDWR), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["run_downstream.py", *words]
    if stock:
        from s3prl.downstream.runner import Runner

        assert run_downstream.Runner is Runner
        return run_downstream.main()
    return runpy.run_module("s3prl_plugin.run_downstream", run_name="__main__", alter_sys=True)  # exits


if __name__ == "__main__":
    sys.exit(main())
