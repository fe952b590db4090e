"""What commands cost beside `import torch` alone: processor time, of all that a process and its children do."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.ratios import Measuring, Ratio, of_times
from s3prl_plugin.errors import UserError

IN_ROUNDS = False
PLUGIN = ("-m", "s3prl_plugin")
RUN = ("-m", "s3prl_plugin.run_downstream", "-m", "evaluate", "-d", "rank", "-u", "fbank")
SMALL = "config.downstream_expert.corpus=generated?utterances=20"  # a minute of speech


def measure(settings: Measuring) -> Iterator[Ratio]:
    """Yield a ratio per command: the processor time of `import torch` over its own.

    Args:
        settings: how often; the quick size leaves the run out.
    """
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        compiled = f"{folder}/compiled"
        _spent((*RUN, "-p", str(results), "-o", SMALL), compiled)  # makes the speech, too, which later runs find
        commands: dict[str, tuple[Callable[[int], Sequence[str]], float]] = {
            "ls measures": (lambda _: (*PLUGIN, "ls", "measures"), 6.0),
            "ls upstreams --all": (lambda _: (*PLUGIN, "ls", "upstreams", "--all"), 6.0),
            "run --help": (lambda _: (*PLUGIN, "run", "--help"), 6.0),
            "report": (lambda _: (*PLUGIN, "report", str(results)), 4.0),
            "select": (lambda _: (*PLUGIN, "select", str(results), "--task", "PR"), 4.0),
        }
        if not settings.quick:
            again = Path(folder) / "again"
            commands["run -d rank -u fbank"] = (lambda n: (*RUN, "-p", f"{again}{n}", "-o", SMALL), 0.6)
        for name, (words, bar) in commands.items():
            _spent(words(-1), compiled)
            there, here = [], []
            for number in range(settings.rounds):
                there.append(_spent(("-c", "import torch"), compiled))
                here.append(_spent(words(number), compiled))
            yield of_times(name, there, here, None if settings.quick else bar)


def _spent(words: Sequence[str], compiled: str) -> float:
    """The seconds of processor time of a Python process, on one thread.

    Args:
        words: after `python`.
        compiled: where Python keeps compiled modules, as it does for a user; this process may have been told not to.

    Raises:
        UserError: it fails.
    """
    before = os.times()
    command = [sys.executable, *words]
    here = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env = {**here, "OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": compiled}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    after = os.times()
    if "Traceback" in done.stderr or done.returncode not in (
        0,
        1,
    ):  # 1: select finds nothing to go by in so small a run
        raise UserError(f"{' '.join(command)}: {done.stderr.strip().rpartition(os.linesep)[2]}")
    return after.children_user + after.children_system - before.children_user - before.children_system
