"""The entry point, as a user calls it: s3prl's own speaker identification on two speakers who hum."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import entry_point
import numpy as np
import pytest
import soundfile
import torch
import yaml

import s3prl_plugin

STEPS = 12


def write_corpus(root):
    """VoxCeleb1's layout, and a configuration of SID for it."""
    rng = np.random.default_rng(0)
    lines = []
    for speaker, pitch_hz in {"id10001": 200, "id10002": 900}.items():
        for i, split in enumerate([1, 1, 1, 1, 2, 3]):
            path = root / "dev" / "wav" / speaker / "video" / f"{i:05d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            t = np.arange(8000 + 500 * i) / 16000
            soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch_hz * t) + 0.02 * rng.standard_normal(len(t)), 16000)
            lines.append(f"{split} {speaker}/video/{i:05d}.wav\n")
    (root / "splits.txt").write_text("".join(lines))
    runner = {"total_steps": STEPS, "gradient_clipping": 1, "gradient_accumulate_steps": 1, "max_keep": 1}
    runner |= {"log_step": 4, "eval_step": 4, "save_step": 4, "eval_dataloaders": ["dev"]}
    data = {"file_path": str(root), "meta_data": str(root / "splits.txt"), "max_timestep": 6000, "num_workers": 0}
    data |= {"train_batch_size": 4, "eval_batch_size": 1}
    head = {"projector_dim": 16, "select": "UtteranceLevel", "UtteranceLevel": {"pooling": "MeanPooling"}}
    optimizer = {"name": "TorchOptim", "torch_optim_name": "Adam", "lr": 0.01}
    config = {"runner": runner, "optimizer": optimizer, "downstream_expert": {"datarc": data, "modelrc": head}}
    (root / "sid.yaml").write_text(yaml.safe_dump(config))


def call(folder, *flags, program=None, status=0):
    """Run the entry point in a process of its own, as it is or as `program` names it; its standard output and error."""
    if program:
        ended = subprocess.run([sys.executable, *program, *flags], cwd=folder, capture_output=True, text=True)
    else:
        ended = entry_point.run(*flags, cwd=folder)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with the corpus, and `exp`, in which SID was trained on it."""
    folder = tmp_path_factory.mktemp("run")
    write_corpus(folder / "corpus")
    flags = ["-m", "train", "-u", "fbank_no_cmvn", "-d", "voxceleb1", "-c", "corpus/sid.yaml", "-p", "exp"]
    call(folder, *flags, "--seed", "3")
    return folder


def test_training_leaves_what_s3prl_leaves(trained):
    names = {path.name for path in (trained / "exp").iterdir()}
    assert {"dev-best.ckpt", f"states-{STEPS}.ckpt", "log.log", "dev_predict.txt"} <= names
    checkpoint = torch.load(trained / "exp" / "dev-best.ckpt", weights_only=False)
    assert (checkpoint["Args"].device, checkpoint["Args"].backend, checkpoint["Args"].seed) == ("cpu", "gloo", 3)
    assert f"dev at step {STEPS}: " in (trained / "exp" / "log.log").read_text()


def test_nothing_is_cached_in_the_package(trained):
    package = Path(importlib.util.find_spec("s3prl").submodule_search_locations[0])
    assert not (package / "downstream" / "voxceleb1" / ".cache").exists()


@pytest.mark.parametrize("program", [("-m", "s3prl_plugin.run_downstream"), ("-m", "s3prl_plugin", "run")])
def test_evaluation_from_a_checkpoint_is_what_its_weights_say(trained, program):
    output, _ = call(trained, "-m", "evaluate", "-e", "exp/dev-best.ckpt", program=program)
    predicted = dict(line.split() for line in (trained / "exp" / "test_predict.txt").read_text().splitlines())

    # The same by hand: the head of the checkpoint on the upstream's features.
    s3prl_plugin.register()
    from s3prl import hub

    head = torch.load(trained / "exp" / "dev-best.ckpt", weights_only=False)["Downstream"]
    upstream = hub.fbank_no_cmvn()
    right = 0
    for speaker in ("id10001", "id10002"):
        samples, _ = soundfile.read(trained / f"corpus/dev/wav/{speaker}/video/00005.wav", dtype="float32")
        with torch.no_grad():
            frames = upstream([torch.from_numpy(samples)])["hidden_states"][0][0]
            pooled = torch.nn.functional.linear(frames, head["projector.weight"], head["projector.bias"]).mean(dim=0)
            scores = head["model.post_net.linear.weight"] @ pooled + head["model.post_net.linear.bias"]
        by_hand = f"id{10001 + int(scores.argmax())}"
        assert predicted[f"{speaker}-video-00005"] == by_hand
        right += by_hand == speaker
    assert f"test acc: {right / 2}" in output
    assert right == 2  # a hum of 200 Hz and one of 900 Hz are easily told apart


def test_a_run_goes_on_where_it_stopped(trained):
    total = STEPS + 4
    call(trained, "-m", "train", "-e", "exp", "-o", f"config.runner.total_steps={total}")
    assert (trained / "exp" / f"states-{total}.ckpt").is_file()
    steps = re.findall(r"train at step (\d+)", (trained / "exp" / "log.log").read_text())
    assert steps == [str(step) for step in range(4, total + 1, 4)]  # each once


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["-m", "train", "-u", "fbank", "-d", "voxceleb", "-p", "x"], "did you mean 'voxceleb1'"),
        (["-m", "train", "-u", "fbank", "-d", "voxceleb1"], "-n NAME or -p FOLDER"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(tmp_path, flags, told):
    output, error = call(tmp_path, *flags, status=2)
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert told in error
    assert output == ""
    assert list(tmp_path.iterdir()) == []


def test_a_program_may_call_it(trained, monkeypatch):
    from s3prl_plugin import run_downstream
    from s3prl_plugin.errors import UserError

    monkeypatch.chdir(trained)
    words = list(sys.argv)
    assert run_downstream.main(["-m", "evaluate", "-t", "dev", "-e", "exp/dev-best.ckpt"]) == 0
    assert sys.argv == words
    with pytest.raises(UserError, match="-m trian"):
        run_downstream.main(["-m", "trian"])


@pytest.mark.slow
def test_two_processes_train_on_the_cpu_and_the_leader_evaluates(trained):
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m")
    flags = ["-m", "train", "-u", "fbank_no_cmvn", "-d", "voxceleb1", "-c", "corpus/sid.yaml", "-p", "two"]
    call(trained, "s3prl_plugin.run_downstream", *flags, program=torchrun)
    checkpoint = torch.load(trained / "two" / f"states-{STEPS}.ckpt", weights_only=False)
    assert (checkpoint["WorldSize"], checkpoint["Args"].local_rank) == (2, 0)
    assert len(re.findall(r"dev at step", (trained / "two" / "log.log").read_text())) >= STEPS // 4
