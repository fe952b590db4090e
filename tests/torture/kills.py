"""Suites of two tasks that are killed at random moments: every score is to equal that of the undisturbed run.

    python tests/torture/kills.py [--kills 40] [--seed 0] [--work FOLDER]

Not a test of pytest: it takes minutes. Prints a line for every run, and exits with 1 where one differs.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

import torch
import yaml
from torch.optim.optimizer import register_optimizer_step_post_hook

import s3prl_plugin

s3prl_plugin.register()

import s3prl.run_downstream  # noqa: E402, F401

from s3prl_plugin import run_downstream  # noqa: E402
from s3prl_plugin.upstream.mr_hubert import small  # noqa: E402

PER_ROUND = 5  # kills of one run before it may end
RUNNER = {"total_steps": 24, "log_step": 3, "eval_step": 8, "save_step": 4, "max_keep": 1}


def task(sections: dict[str, Any], accumulate: int = 1, lr: float = 1e-3) -> dict[str, Any]:
    """What a suite says of a task that is done in seconds."""
    runner = {**RUNNER, "gradient_accumulate_steps": accumulate}
    return {"override": {"runner": runner, "optimizer": {"lr": lr}, "downstream_expert": sections}}


def suites() -> dict[str, dict[str, Any]]:
    """Two suites: random crops, dropout, SpecAugment, the silences of KS; workers and none; a store and none."""
    head = {"project_dim": 16, "RNNs": {"dim": [16, 16]}}
    crops = task({"datarc": {"num_workers": 2, "max_timestep": 12000}}, accumulate=2, lr=1e-2)
    masks = task({"datarc": {"num_workers": 0, "batch_size": 4}, "modelrc": head})
    stored = {"corpus": "generated", "store": True, "tasks": {"SID": crops, "ASR": masks}}
    noise = task({"datarc": {"num_workers": 2, "batch_size": 16}}, lr=1e-2)
    chunks = task({"loaderrc": {"num_workers": 0, "train_batchsize": 4}, "modelrc": {"hidden_size": 32}}, accumulate=2)
    return {"store": stored, "fresh": {"corpus": "generated", "tasks": {"KS": noise, "SD": chunks}}}


def outcome(folder: Path) -> dict[str, Any]:
    """All scores of a run, and what its heads have learned."""
    found: dict[str, Any] = {}
    for record in sorted(folder.glob("*/run.json")):
        name = record.parent.name
        found[name] = json.loads(record.read_text())["scalars"]
        last = torch.load(record.parent / f"states-{RUNNER['total_steps']}.ckpt", weights_only=False)
        found[f"{name} head"] = {
            f"{part}.{key}": float(value.double().abs().sum())
            for part in ("Featurizer", "Downstream")
            for key, value in last[part].items()
        }
    return found


def run(words: list[str], steps: int | None = None, then_s: float = 0.0) -> bool:
    """Run to the end, or to be killed so many steps and seconds after the beginning; whether it came to the end.

    The process is a fork of this one, which has imported everything and run nothing: what is killed is work.
    """
    job = os.fork()
    if job == 0:
        os.setsid()
        said = os.open(f"{words[-1]}.said", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        try:
            if steps is not None:
                kill_after(steps, then_s)
            os._exit(run_downstream.main(words))
        except BaseException:
            traceback.print_exc()
            os._exit(70)
    _, status = os.waitpid(job, 0)
    if os.WIFSIGNALED(status):
        return False
    if status:
        raise SystemExit(f"{' '.join(words)}: ended with {os.waitstatus_to_exitcode(status)}")
    return True


def kill_after(steps: int, then_s: float) -> None:
    """Kill this process and the workers of its dataloaders so many steps from now, and so many seconds after that."""
    blow = threading.Timer(then_s, os.killpg, (os.getpid(), signal.SIGKILL))
    blow.daemon = True
    done = []

    def count(*_: Any) -> None:
        done.append(1)
        if len(done) == steps:
            blow.start()

    if steps == 0:
        blow.start()
    register_optimizer_step_post_hook(count)


def main() -> int:
    """Kill, go on, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    work = args.work or Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)
    for task in ("voxceleb1", "asr", "speech_commands", "diarization"):
        importlib.import_module(f"s3prl.downstream.{task}.expert")
    program = ["-m", "train", "-d", "suite", "-u", "mr_hubert_local", "--device", "cpu"]
    program += ["-k", str(small.write_random_checkpoint(work / "small.pt"))]
    undisturbed, commands = {}, {}
    for name, suite in suites().items():
        (work / f"{name}.yaml").write_text(yaml.safe_dump({"suite": suite}, sort_keys=False))
        commands[name] = [*program, "-c", str(work / f"{name}.yaml"), "-p"]
        run([*commands[name], str(work / f"{name}_undisturbed")])
        undisturbed[name] = outcome(work / f"{name}_undisturbed")
    kills = differing = 0
    rounds = len([path for path in work.glob("*_[0-9]*") if path.is_dir()])  # of an earlier call
    while kills < args.kills:
        name = list(commands)[rounds % len(commands)]
        folder, before = work / f"{name}_{rounds}", kills
        while kills - before < min(PER_ROUND, args.kills - before):
            # 0 steps: in the first seconds, in which corpora and models are read
            if run([*commands[name], str(folder)], draw.randint(0, 15), draw.uniform(0, 1) ** 2):
                break  # it was faster than the blow
            kills += 1
        run([*commands[name], str(folder)])
        equal = outcome(folder) == undisturbed[name]
        differing += not equal
        rounds += 1
        scores = {task: values for task, values in outcome(folder).items() if "head" not in task}
        verdict = "equal" if equal else "DIFFERS"
        print(f"{name}, killed {kills - before} times ({kills} in all): {verdict} {scores}", flush=True)
    print(f"{kills} kills in {rounds} runs: {differing} differ from the undisturbed one")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
