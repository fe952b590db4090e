"""Runs of s3prl's entry point, ours or its own, in processes that need not load torch and s3prl anew.

A process that has imported them, and run nothing, is forked for each; it ends with the tests. What depends on how
Python was started is run by `subprocess` instead.
"""

import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

# What many runs import: torch._dynamo for every optimizer, the others for clusters and correlations.
OFTEN = ("torch._dynamo", "sklearn.cluster", "scipy.stats", "s3prl_plugin.running.runner")


def run(*words, cwd=None, stock=False):
    """As `subprocess.run([sys.executable, "-m", "s3prl_plugin.run_downstream", *words], capture_output=True, ...)`.

    Args:
        words: the flags.
        stock: run s3prl's own entry point instead, with the plugin's upstreams and shims.
    """
    return Run(*words, cwd=cwd, stock=stock).finish()


class Run:
    """A run that has begun, and leads a process group of its own (`pid`); several may run at a time.

    Args:
        program: a file of Python to run instead of the entry point.
        environment: variables beside those of this process.
    """

    def __init__(self, *words, cwd=None, stock=False, program=None, environment=()):
        self._words, self._folder = list(map(str, words)), tempfile.TemporaryDirectory()
        asked = {"words": self._words, "stock": stock, "program": program and str(program), "folder": self._folder.name}
        asked |= {"cwd": str(cwd or Path.cwd()), "environment": {**os.environ, **dict(environment)}}
        _loaded().stdin.write(f"{json.dumps(asked)}\n".encode())
        self.pid = int(_loaded().stdout.readline())

    @property
    def ended(self):
        return Path(self._folder.name, "status").is_file()

    def finish(self):
        """Wait for it; its status, negative for a signal, and what it said."""
        while not self.ended:
            time.sleep(0.01)
        with self._folder as folder:
            status, *said = (Path(folder, name).read_text("utf-8") for name in ("status", "stdout", "stderr"))
        return subprocess.CompletedProcess(self._words, int(status), *said)


def group(size, *words, **how):
    """Processes of one run, with the environment that torchrun gives them (and without its own process)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ranks = map(str, range(size))
    return [Run(*words, environment={**address, "RANK": rank, "LOCAL_RANK": rank}, **how) for rank in ranks]


@cache
def _loaded():
    return subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)


def main():
    """Fork for every line of standard input, and print the process that runs what it asks for."""
    import s3prl_plugin

    s3prl_plugin.register()
    from s3prl import run_downstream

    for name in OFTEN:
        importlib.import_module(name)
    gc.freeze()  # a fork that ends need not look through all that has been loaded
    for line in sys.stdin:
        with suppress(ChildProcessError):  # there is none
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        asked = json.loads(line)
        if os.fork() == 0:  # which waits, while this one listens
            process = os.fork()
            if process == 0:
                return job(run_downstream, **asked)
            print(process, flush=True)
            status = Path(asked["folder"], "status")
            written = status.with_name("written")
            written.write_text(str(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])))
            written.rename(status)
            os._exit(0)
    return 0


def job(run_downstream, words, cwd, stock, program, environment, folder):
    """What a fork does."""
    os.setpgid(0, 0)
    for number, path in enumerate([os.devnull, f"{folder}/stdout", f"{folder}/stderr"]):
        os.dup2(os.open(path, os.O_CREAT | os.O_RDWR), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["run_downstream.py", *words]
    if stock:
        from s3prl.downstream.runner import Runner

        assert run_downstream.Runner is Runner
        return run_downstream.main()
    if program:
        return runpy.run_path(program, run_name="__main__")
    return runpy.run_module("s3prl_plugin.run_downstream", run_name="__main__", alter_sys=True)  # exits


if __name__ == "__main__":
    sys.exit(main())
