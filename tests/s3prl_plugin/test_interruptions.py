"""A suite that is killed at any moment goes on where it was, and one whose task fails says so."""

import json
import os
import re
import signal
import time

import entry_point
import numpy as np
import pytest
import soundfile
import torch
import yaml

from s3prl_plugin import results

pytestmark = pytest.mark.slow

TOTAL, EVERY = 24, 3


def write_corpus(root):
    """VoxCeleb1's layout: two speakers who hum."""
    rng = np.random.default_rng(0)
    lines = []
    for speaker, pitch_hz in {"id10001": 200, "id10002": 900}.items():
        for i, split in enumerate([1, 1, 1, 1, 2, 3]):
            path = root / ("test" if split == 3 else "dev") / "wav" / speaker / "video" / f"{i:05d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            t = np.arange(16000 + 500 * i) / 16000
            soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch_hz * t) + 0.02 * rng.standard_normal(len(t)), 16000)
            lines.append(f"{split} {speaker}/video/{i:05d}.wav\n")
    (root / "veri_test_class.txt").write_text("".join(lines))


@pytest.fixture(scope="module")
def place(tmp_path_factory, small_checkpoint):
    """A folder with a corpus, and the flags of a suite there."""
    folder = tmp_path_factory.mktemp("interrupted")
    write_corpus(folder / "corpus")
    runner = {"total_steps": TOTAL, "gradient_accumulate_steps": 2, "log_step": EVERY, "max_keep": 1}
    runner |= {"eval_step": 2 * EVERY, "save_step": EVERY}
    # crops in workers, and epochs that end in the middle of a step: what the place in an epoch decides
    datarc = {"num_workers": 1, "max_timestep": 9000, "train_batch_size": 3}
    override = {"runner": runner, "optimizer": {"lr": 0.01}, "downstream_expert": {"datarc": datarc}}
    suite = {"suite": {"store": True, "tasks": {"SID": {"corpus": str(folder / "corpus"), "override": override}}}}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    flags = ["-m", "train", "-d", "suite", "-c", "suite.yaml", "-u", "mr_hubert_local", "-k", small_checkpoint]
    return folder, [*flags, "--device", "cpu"]


def killed(folder, flags, moment):
    """Run it and kill it when the moment has come."""
    process = entry_point.Run(*flags, cwd=folder)
    while not moment():
        assert not process.ended, "it ended before the moment came"
        time.sleep(0.0005)
    os.killpg(process.pid, signal.SIGKILL)  # with the workers of its dataloader
    assert process.finish().returncode == -signal.SIGKILL


def steps(task):
    """The steps of the checkpoints that are there, whole."""
    return sorted(torch.load(path, mmap=True, weights_only=False)["Step"] for path in task.glob("states-*.ckpt"))


def logged(task):
    """The steps that training logged, over all runs."""
    log = task / "log.log"
    return [int(step) for step in re.findall(r"train at step (\d+)", log.read_text())] if log.is_file() else []


def test_killed_at_several_moments_it_goes_on_and_ends(place):
    folder, flags = place
    task = folder / "out" / "SID"
    moments = (
        (lambda: (task / "run.json").is_file()),
        (lambda: any(task.glob(".*.ckpt.*"))),  # a checkpoint is being written
        (lambda: (task / f"states-{3 * EVERY}.ckpt").is_file()),
        (lambda: len(logged(task)) > 1 and logged(task)[-1] >= 5 * EVERY),
        (lambda: (task / f"states-{TOTAL}.ckpt").is_file()),  # what is left is the scoring
    )
    before, saved = 0, []
    for moment in moments:
        killed(folder, [*flags, "-p", "out"], moment)
        new = logged(task)[before:]
        if new:  # the first step that was logged is the one after the last checkpoint
            assert new[0] == (saved[-1] if saved else 0) + EVERY
        before += len(new)
        saved = steps(task)
        assert len(saved) <= 2  # of the next one, at most, the old one was still to be removed
        assert not results.Path(folder / "out" / "results.jsonl").exists()
    assert saved[-1] == TOTAL
    done = entry_point.run(*flags, "-p", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert f"goes on from SID/states-{TOTAL}.ckpt" in done.stdout
    assert len(logged(task)) == before  # nothing was left to train
    rows = [row for row in results.read(folder / "out") if row.measure == "SID" and row.headline]
    assert [row.value for row in rows] == [1.0]  # a hum of 200 Hz and one of 900 Hz are easily told apart
    assert sorted(path.name for path in task.glob(".*.ckpt.*")) == []
    assert (folder / "out" / "log.txt").read_text().count("---- python -m") == len(moments) + 1
    assert entry_point.run(*flags, "-p", "undisturbed", cwd=folder).returncode == 0
    for name in (f"states-{TOTAL}.ckpt", "dev-best.ckpt"):
        # written by this test a moment ago, so it may be read whole
        killed_one, other = (
            torch.load(folder / out / "SID" / name, weights_only=False) for out in ("out", "undisturbed")
        )
        assert killed_one["Step"] == other["Step"]
        for part in ("Featurizer", "Downstream"):
            assert all(torch.equal(killed_one[part][key], other[part][key]) for key in other[part])
    same = [json.loads((folder / out / "SID" / "run.json").read_text())["scalars"] for out in ("out", "undisturbed")]
    assert same[0] == same[1]


def test_a_task_that_fails_in_the_middle(place):
    folder, flags = place
    override = "config.suite.tasks.SID.override.runner.eval_dataloaders=['dev','tset']"
    done = entry_point.run(*flags, "-p", "fails", "-o", override, cwd=folder)
    assert done.returncode == 1
    assert "1 of 1 failed; the same command tries again: python -m" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert re.search(r"[\x00-\x09\x0b-\x1f]", done.stdout + done.stderr) is None
    assert re.search(r"\d\d:\d\d:\d\d Traceback", (folder / "fails" / "log.txt").read_text())
    assert logged(folder / "fails" / "SID") == [EVERY, 2 * EVERY]
    assert "scalars" not in json.loads((folder / "fails" / "SID" / "run.json").read_text())
