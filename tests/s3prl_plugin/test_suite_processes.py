"""A suite on two processes: both train, each on its share; the leader scores and writes; killed, it goes on."""

import json
import os
import re
import signal
import time
from collections import Counter, defaultdict

import entry_point
import numpy as np
import pytest
import soundfile
import torch
import yaml

from s3prl_plugin import results
from s3prl_plugin.results import FILE_NAME

pytestmark = pytest.mark.slow
for package in ("espeakng_loader", "lxml", "dtw"):
    pytest.importorskip(package, reason="QbE on generated speech needs s3prl-plugin[demo,superb]")

TOTAL, EVERY = 24, 3
TRAINED_ON = 4  # utterances per speaker
PITCHES_HZ = {"id10001": 200, "id10002": 900}
# the plugin's program, which notes what every sampler hands to its process, and which process scores and writes
PROGRAM = """
import json, os, sys
from torch.utils.data import DistributedSampler
import s3prl_plugin
s3prl_plugin.register()
from s3prl_plugin import results, run_downstream
from s3prl_plugin.running.runner import Runner
from s3prl_plugin.jobs.exit_status import exit_status

stock = DistributedSampler.__iter__

def noting(self):
    share = list(stock(self))
    with open("shares.jsonl", "a") as file:
        file.write(json.dumps([self.epoch, int(os.environ["RANK"]), share]) + "\\n")
    return iter(share)

def noting_calls(stock, name):
    def noted(first, *args, **kwargs):
        with open("calls.jsonl", "a") as file:
            file.write(json.dumps([name, bool(args), int(os.environ["RANK"])]) + "\\n")
        return stock(first, *args, **kwargs)
    return noted

DistributedSampler.__iter__ = noting
Runner.evaluate = noting_calls(Runner.evaluate, "evaluate")  # with a split, but for analyses
results.write = noting_calls(results.write, "write")
sys.exit(exit_status(run_downstream.main))
"""


def write_corpus(root):
    """VoxCeleb1's layout: two speakers who hum, in one utterance more for dev and three more for test."""
    rng = np.random.default_rng(0)
    lines = []
    for speaker, pitch_hz in PITCHES_HZ.items():
        for i, split in enumerate([1] * TRAINED_ON + [2, 3, 3, 3]):
            path = root / ("test" if split == 3 else "dev") / "wav" / speaker / "video" / f"{i:05d}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            t = np.arange(16000 + 500 * i) / 16000
            soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch_hz * t) + 0.02 * rng.standard_normal(len(t)), 16000)
            lines.append(f"{split} {speaker}/video/{i:05d}.wav\n")
    (root / "veri_test_class.txt").write_text("".join(lines))


class Processes:
    """Two processes of one run."""

    def __init__(self, folder, checkpoint):
        words = ["-m", "train", "-d", "suite", "-c", "suite.yaml", "-p", "out", "-u", "mr_hubert_local"]
        words += ["-k", checkpoint, "--device", "cpu"]
        self.running = entry_point.group(2, *words, cwd=folder, program="program.py")

    def kill_when(self, moment):
        while not moment():
            assert not any(process.ended for process in self.running), "one ended before the moment came"
            time.sleep(0.002)
        for process in self.running:
            os.kill(process.pid, signal.SIGKILL)
        for process in self.running:
            process.finish()

    def finish(self):
        """What each printed."""
        ended = [process.finish() for process in self.running]
        assert [process.returncode for process in ended] == [0, 0], ended
        return [(process.stdout, process.stderr) for process in ended]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_checkpoint):
    """A run that was killed in its first task and given again: its folder, the step it went on from, what it said."""
    folder = tmp_path_factory.mktemp("processes")
    write_corpus(folder / "corpus")
    (folder / "program.py").write_text(PROGRAM)
    runner = {"total_steps": TOTAL, "gradient_accumulate_steps": 1, "log_step": EVERY, "max_keep": 1}
    runner |= {"eval_step": 2 * EVERY, "save_step": EVERY}
    override = {"runner": runner, "optimizer": {"lr": 0.01}, "downstream_expert": {"datarc": {"num_workers": 0}}}
    by_example = {"override": {"downstream_expert": {"max_workers": 1, "datarc": {"num_workers": 0}}}}
    analysis = {"measures": ["cca_intra"], "frame_utterances": 33, "batch_size": 2, "intervals": "none"}
    tasks = {"SID": {"corpus": str(folder / "corpus"), "override": override}, "QbE": by_example}
    suite = {"analyses": {"cca": analysis}, "tasks": tasks, "store": True}
    (folder / "suite.yaml").write_text(yaml.safe_dump({"suite": suite}, sort_keys=False))

    task = folder / "out" / "SID"
    Processes(folder, small_checkpoint).kill_when((task / f"states-{2 * EVERY}.ckpt").is_file)
    rows = {row.measure for row in results.read(folder / "out")}
    assert rows == {"cca_intra"}  # its analyses were finished, and it was in the middle of the task
    before = logged(task)
    said = Processes(folder, small_checkpoint).finish()
    return folder, before, said


def logged(task):
    """The steps that training logged, over all runs."""
    return [int(step) for step in re.findall(r"train at step (\d+)", (task / "log.log").read_text())]


def test_it_goes_on_from_the_checkpoint_and_trains_to_the_end(finished):
    folder, before, ((stdout, _), _) = finished
    (step,) = re.findall(r"SID: goes on from SID/states-(\d+)\.ckpt", stdout)
    after = logged(folder / "out" / "SID")[len(before) :]
    assert after == list(range(int(step) + EVERY, TOTAL + 1, EVERY))
    last = torch.load(folder / "out" / "SID" / f"states-{TOTAL}.ckpt", weights_only=False)
    assert (last["Step"], last["WorldSize"]) == (TOTAL, 2)


def test_every_process_has_its_share_of_every_epoch_and_epochs_are_shuffled(finished):
    folder, _, _ = finished
    epochs = defaultdict(set)  # epoch -> the shares of both; an epoch that was cut off by the kill comes again
    for line in (folder / "shares.jsonl").read_text().splitlines():
        epoch, rank, share = json.loads(line)
        epochs[epoch].add((rank, tuple(share)))
    everything = list(range(TRAINED_ON * len(PITCHES_HZ)))
    for shares in epochs.values():
        assert sorted(rank for rank, _ in shares) == [0, 1]
        assert sorted(number for _, share in shares for number in share) == everything
    assert len(epochs) > 2
    assert len({tuple(sorted(shares)) for shares in epochs.values()}) > len(epochs) / 2


def test_the_leader_scores_all_of_the_test_split_and_writes_complete_results_once(finished):
    folder, _, _ = finished
    lines = (folder / "out" / "SID" / "test_predict.txt").read_text().splitlines()
    assert len(lines) == 3 * len(PITCHES_HZ)
    rows = results.read(folder / "out")
    assert {row.measure for row in rows} >= {"cca_intra", "SID", "QbE"}
    calls = Counter(map(tuple, map(json.loads, (folder / "calls.jsonl").read_text().splitlines())))
    assert calls["evaluate", False, 0] == calls["evaluate", False, 1] > 0  # analyses are everybody's
    assert calls["evaluate", True, 0] > 0
    assert calls["write", True, 0] > 0
    assert calls["evaluate", True, 1] == calls["write", True, 1] == 0
    assert max(Counter(row.identity for row in rows).values()) == 1
    assert len((folder / "out" / FILE_NAME).read_text().splitlines()) == len(rows)
    scores = {row.measure: row.value for row in rows if row.headline}
    assert scores["SID"] == 1.0  # a hum of 200 Hz and one of 900 Hz are easily told apart
    trials = json.loads((folder / "out" / "QbE" / "run.json").read_text())["trials"]
    on_dev = [name for name in trials if name.endswith("on dev")]
    assert len(trials) == len(on_dev) + 1
    assert len(list((folder / "out" / "QbE" / "trials").iterdir())) == len(trials)


def test_only_the_leader_speaks(finished):
    _, _, ((leader, _), (other, _)) = finished
    assert re.search(r"SID\s+\d+:\d\d  accuracy 1\.0000", leader)
    assert "[suite]" not in other
