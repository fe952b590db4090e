"""s3prl's checkpoints: whole at any moment, and never none."""

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch

from s3prl_plugin.compat import checkpoints

# As s3prl's runner does it, with max_keep: 1, on something large enough that a kill falls into the writing.
PROGRAM = """
import glob, os, sys, types
import torch
from s3prl_plugin.compat import checkpoints
runner = types.SimpleNamespace(torch=torch, os=os)
checkpoints._whole_checkpoints(runner)
os.chdir(sys.argv[1])
for step in range(1, 10_000):
    for old in glob.glob("states-*.ckpt"):
        runner.os.remove(old)
    content = {"Step": step, "weights": torch.full((1_000_000,), float(step))}
    for name in ("dev-best.ckpt", f"states-{step}.ckpt"):
        runner.torch.save(content, name)
    if step == 1:
        print("ready", flush=True)
"""


@pytest.fixture
def runner():
    """What the shim changes of s3prl's runner."""
    module = SimpleNamespace(torch=torch, os=os)
    checkpoints._whole_checkpoints(module)
    return module


@pytest.mark.parametrize("after_s", [0.0, 0.003, 0.01, 0.05, 0.1])
def test_killed_at_any_moment_there_is_a_whole_checkpoint_and_no_torn_one(tmp_path, after_s):
    with subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
    found = list(tmp_path.glob("*.ckpt"))
    assert {path.name.partition("-")[0] for path in found} == {"dev", "states"}
    for path in found:
        content = torch.load(path)
        assert (content["weights"] == content["Step"]).all()


def test_the_old_checkpoint_goes_when_the_new_one_is_there(runner, tmp_path):
    old, new = tmp_path / "states-1.ckpt", tmp_path / "states-2.ckpt"
    runner.torch.save({}, str(old))
    runner.os.remove(str(old))
    runner.torch.save({}, str(tmp_path / "dev-best.ckpt"))
    assert old.is_file()
    runner.torch.save({}, str(new))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev-best.ckpt", "states-2.ckpt"]


def test_a_save_that_fails_leaves_what_was_there(runner, tmp_path):
    old = tmp_path / "states-1.ckpt"
    runner.torch.save({"Step": 1}, str(old))
    runner.os.remove(str(old))
    with pytest.raises(AttributeError):  # a local function cannot be pickled
        runner.torch.save({"cannot": lambda: None}, str(tmp_path / "states-2.ckpt"))
    assert [path.name for path in tmp_path.iterdir()] == ["states-1.ckpt"]
    assert torch.load(old) == {"Step": 1}


def test_other_runs_keep_theirs(runner, tmp_path):
    for run in ("a", "b"):
        (tmp_path / run).mkdir()
        runner.torch.save({}, str(tmp_path / run / "states-1.ckpt"))
    runner.os.remove(str(tmp_path / "a" / "states-1.ckpt"))  # and then this run fails
    runner.torch.save({}, str(tmp_path / "b" / "states-2.ckpt"))
    assert (tmp_path / "a" / "states-1.ckpt").is_file()


def test_everything_else_is_torch_s_and_os_s_own(runner):
    assert runner.torch.load is torch.load
    assert runner.torch.cuda is torch.cuda
    assert runner.os.path is os.path
    assert torch.save is not runner.torch.save
