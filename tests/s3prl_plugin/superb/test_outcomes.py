"""What heads did with every utterance, read from predictions as s3prl's downstreams write them."""

import editdistance
import numpy as np
import pytest

from s3prl_plugin import superb
from s3prl_plugin.superb import outcomes


def write(folder, names, said, wanted):
    for name, lines in zip(names, (said, wanted), strict=True):
        (folder / name).write_text("".join(f"{line}\n" for line in lines))


def test_wrong_labels_are_counted(tmp_path):
    write(tmp_path, ("test_predict.txt", "test_truth.txt"), ["a x", "b y", "a z"], ["a x", "b x", "a x"])
    found = outcomes.read(superb.task("SID"), tmp_path, {"voxceleb1/test-acc": 1 / 3})
    assert (found.errors.tolist(), found.counts.tolist()) == ([0, 1, 1], [1, 1, 1])
    assert outcomes.read(superb.task("SID"), tmp_path, {"voxceleb1/test-acc": 0.5}) is None  # of another evaluation


def test_edits_are_those_of_editdistance(tmp_path):
    rng = np.random.default_rng(0)
    said, wanted = ([list(rng.choice(list("abcd"), rng.integers(1, 12))) for _ in range(30)] for _ in range(2))
    said[3] = []
    lines = [[f"u{i} {' '.join(each)}".rstrip() for i, each in enumerate(lists)] for lists in (said, wanted)]
    write(tmp_path, ("test-hyp.ark", "test-ref.ark"), *lines)
    expected = [editdistance.eval(a, b) for a, b in zip(said, wanted, strict=True)]
    rate = sum(expected) / sum(map(len, wanted))
    found = outcomes.read(superb.task("PR"), tmp_path, {"ctc-libriphone/test-per": rate})
    assert found.errors.tolist() == expected
    assert found.counts.tolist() == [len(each) for each in wanted]


@pytest.mark.parametrize("task", ["QbE", "ER", "ASV"])
def test_tasks_that_are_not_scored_by_utterance_have_none(task, tmp_path):
    assert outcomes.read(superb.task(task), tmp_path, {}) is None


def test_files_that_do_not_belong_together_say_nothing(tmp_path):
    write(tmp_path, ("test_predict.txt", "test_truth.txt"), ["a x", "b y"], ["a x", "c y"])
    assert outcomes.read(superb.task("SID"), tmp_path, {"voxceleb1/test-acc": 1.0}) is None
    assert outcomes.read(superb.task("KS"), tmp_path / "gone", {}) is None
