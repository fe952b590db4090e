"""Real processes: an analysis that is killed, and one that two of them share."""

import os
import signal
import subprocess
import sys
import time

import entry_point
import numpy as np
import pytest
import torch

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass import saved_pass
from s3prl_plugin.analysis.statistics.moments import FoldMoments

OPTIONS = {
    "corpus": "generated?voices=12&sentences=4",
    "measures": "['cca_mel','cca_intra']",
    "frame_utterances": "33",
    "batch_size": "2",
    "intervals": "none",
    "keep_statistics": "True",
    "checkpoint_minutes": "1e-9",
}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")

pytestmark = pytest.mark.slow


def flags(folder, checkpoint):
    override = ",,".join(f"config.downstream_expert.{key}={value}" for key, value in OPTIONS.items())
    words = ["-m", "evaluate", "-d", "cca", "-u", "mr_hubert_local", "-k", str(checkpoint), "-p", str(folder)]
    return [*words, "-o", override, "--device=cpu"]


def command(folder, checkpoint, launcher=()):
    return [sys.executable, *launcher, "-m", "s3prl_plugin.run_downstream", *flags(folder, checkpoint)]


@pytest.fixture(scope="module")
def alone(tmp_path_factory, small_checkpoint):
    folder = tmp_path_factory.mktemp("alone")
    assert entry_point.run(*flags(folder, small_checkpoint)).returncode == 0
    return folder


def statistics(path):
    (gathered,) = torch.load(path)["gathered"]["statistics"].values()
    return gathered


def test_killed_it_goes_on_to_the_same_bits(alone, small_checkpoint, tmp_path):
    saved = tmp_path / saved_pass.FOLDER / "cca-1-of-1.pt"
    process = entry_point.Run(*flags(tmp_path, small_checkpoint))
    while not saved.is_file():
        assert not process.ended
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.finish().returncode == -signal.SIGKILL
    assert 0 < torch.load(saved)["done"] < 20
    again = entry_point.run(*flags(tmp_path, small_checkpoint))
    assert "0/" not in next(line for line in again.stderr.splitlines() if "cca: pass" in line)
    assert (tmp_path / results.FILE_NAME).read_bytes() == (alone / results.FILE_NAME).read_bytes()


def test_two_processes_give_the_statistics_of_one(alone, small_checkpoint, tmp_path):
    processes = entry_point.group(2, *flags(tmp_path, small_checkpoint))
    assert [process.finish().returncode for process in processes] == [0, 0]
    whole = statistics(alone / saved_pass.FOLDER / "cca-1-of-1.pt")
    halves = [statistics(tmp_path / saved_pass.FOLDER / f"cca-{i}-of-2.pt") for i in (1, 2)]
    counts = [[[fold["n"] for fold in half[stride]["folds"]] for stride in whole] for half in halves]
    assert np.sum(counts[0]) != np.sum(counts[1])  # shards are uneven
    for stride, kept in whole.items():
        folds = len(kept["folds"])
        one, merged = (FoldMoments(kept["dims"], map(tuple, kept["pairs"]), folds) for _ in range(2))
        one.load_state_dict(kept)
        for half in halves:
            merged.merge_state(half[stride])
        assert merged.n == one.n
        for x, y in one.pairs:
            for a, b in zip(merged.moments(x, y), one.moments(x, y), strict=True):
                np.testing.assert_allclose(a.scatter, b.scatter, rtol=0, atol=1e-10 * np.abs(b.scatter).max())
    rows = {row.identity: row for row in results.read(alone)}
    shared = results.read(tmp_path)
    assert {row.identity for row in shared} == rows.keys()
    for row in shared:  # small eigenvalues magnify what rounding leaves
        assert row.value == pytest.approx(rows[row.identity].value, abs=1e-6)


def test_one_that_fails_ends_all_and_says_why(small_checkpoint, tmp_path):
    (tmp_path / saved_pass.FOLDER).mkdir()
    (tmp_path / saved_pass.FOLDER / "cca-2-of-2.pt").write_bytes(b"torn")
    done = subprocess.run(command(tmp_path, small_checkpoint, TORCHRUN), capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "cca-2-of-2.pt: these statistics cannot be read" in done.stderr
    assert not (tmp_path / results.FILE_NAME).exists()
