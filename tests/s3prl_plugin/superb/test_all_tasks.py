"""All ten tasks, each through s3prl's own downstream, on generated speech: a cut of superb_small.yaml."""

import json
from collections import defaultdict
from itertools import product
from pathlib import Path

import entry_point
import numpy as np
import pytest
import torch
import yaml
from scipy.signal import medfilt

from s3prl_plugin import config, results, superb

pytestmark = pytest.mark.slow
for package in ("espeakng_loader", "editdistance", "pandas", "h5py", "lxml", "dtw"):
    pytest.importorskip(package, reason="all tasks need s3prl-plugin[demo,superb]")

FEW = {"total_steps": 4, "log_step": 2, "eval_step": 4, "save_step": 2}
MADE_FOR_IT = ("KS", "IC", "SF", "ER")  # what generated speech says in these corpora
SMALLER = {
    "ASR": {"modelrc": {"project_dim": 16, "RNNs": {"dim": [16, 16]}}},
    "SF": {"model": {"project_dim": 16, "RNNs": {"dim": [16, 16]}}},
}
# headline: (score, unit, larger is better, the largest value that it can have)
HEADLINES = {
    "PR": ("per_own", "fraction", False, 50),
    "ASR": ("wer", "percent", False, 5000),
    "KS": ("accuracy", "fraction", True, 1),
    "QbE": ("mtwv", "MTWV", True, 1),
    "SID": ("accuracy", "fraction", True, 1),
    "ASV": ("eer", "fraction", False, 1),
    "SD": ("der_collar_0", "fraction", False, 3),
    "IC": ("accuracy", "fraction", True, 1),
    "SF": ("slot_type_f1", "fraction", True, 1),
    "ER": ("accuracy", "fraction", True, 1),
}
PREDICTIONS = {
    "PR": "test-hyp.ark",
    "ASR": "test-clean-noLM-hyp.ark",
    "KS": "test_predict.txt",
    "QbE": "benchmark.stdlist.xml",
    "SID": "test_predict.txt",
    "ASV": "test_predict.txt",
    "SD": "scoring/predictions/mix_0000.h5",
    "IC": "test_predict.csv",
    "SF": "test-hyp.ark",
    "ER": "fold5/test_fold5_predict.txt",
}


def run(*words):
    return entry_point.run("-m", "train", "-d", "suite", "-u", "fbank", "--device", "cpu", *words)


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder of the run."""
    folder = tmp_path_factory.mktemp("superb")
    suite = config.read(config.packaged("configs", "suite", "superb_small.yaml")).data
    del suite["suite"]["analyses"], suite["suite"]["store"]  # bit for bit as alone is without a store
    for name, chosen in suite["suite"]["tasks"].items():
        if name != "QbE":
            chosen["override"]["runner"] |= {k: v for k, v in FEW.items() if name != "ASV" or k != "eval_step"}
        if name not in MADE_FOR_IT:
            chosen["corpus"] = "generated?voices=12&sentences=6"
        for section, changes in SMALLER.get(name, {}).items():
            chosen["override"]["downstream_expert"].setdefault(section, {}).update(changes)
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    done = run("-c", folder / "suite.yaml", "-p", folder / "out")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "out"


def test_there_is_a_headline_for_every_task_and_nothing_else_is_one(out):
    found = [row.measure for row in results.read(out) if row.headline]
    assert sorted(found) == sorted(HEADLINES)


@pytest.mark.parametrize("name", HEADLINES)
def test_a_task_has_its_scores(out, name):
    task = superb.task(name)
    rows = {row.score: row for row in results.read(out) if row.measure == name}
    assert set(rows) == {score.own or score.name for score in task.scores}
    score, unit, higher_is_better, largest = HEADLINES[name]
    row = rows[score]
    assert (row.unit, row.higher_is_better, row.headline) == (unit, higher_is_better, True)
    assert 0 <= row.value <= largest
    assert (row.corpus, row.corpus_kind, row.downstream, row.split) == (
        "generated",
        "generated",
        task.downstream,
        task.split,
    )
    assert (row.upstream, row.tap, row.folds) == ("fbank", None, 5 if name == "ER" else None)
    assert (out / name / PREDICTIONS[name]).is_file()
    assert any(out / name / PREDICTIONS[name] in (out / name).glob(pattern) for pattern in row.predictions)


def test_the_error_rate_of_diarization_is_that_of_an_independent_scorer(out):
    spyder, h5py = pytest.importorskip("spyder"), pytest.importorskip("h5py")
    rows = {row.score: row.value for row in results.read(out) if row.measure == "SD"}
    assert 0 < rows["der_collar_0"] <= rows["der_collar_0_at_half"]
    (loader,) = [json.loads((out / "SD" / "run.json").read_text())["run"]["settings"]["downstream_expert"]["loaderrc"]]
    reference = defaultdict(list)
    for line in (Path(loader["test_dir"]) / "rttm").read_text().splitlines():
        _, name, _, start, length, _, _, speaker, *_ = line.split()
        reference[name].append((speaker, float(start), float(start) + float(length)))
    frame_s = int((out / "SD" / "frame_shift").read_text()) / 16000
    probable = {}
    for file in (out / "SD" / "scoring" / "predictions").glob("*.h5"):
        with h5py.File(file) as content:
            probable[file.stem] = content["T_hat"][...]
    durations = (Path(loader["test_dir"]) / "reco2dur").read_text().splitlines()
    ends = {name: float(seconds) for name, seconds in map(str.split, durations)}
    rates = []
    for median, threshold in product((1, 11), (0.3, 0.4, 0.5, 0.6, 0.7)):
        heard = {}
        for name, p in probable.items():
            active = medfilt((p > threshold).astype(float), (median, 1))
            heard[name] = [
                (str(who), start * frame_s, min(end * frame_s, ends[name]))
                for who, frames in enumerate(active.T)
                for start, end in np.flatnonzero(np.diff(np.pad(frames, (1, 1)))).reshape(-1, 2)
                if start * frame_s < ends[name]
            ]
        rates.append(spyder.DER(dict(reference), heard, collar=0.0)["Overall"].der)
    assert set(probable) == set(reference)
    assert rows["der_collar_0"] == pytest.approx(min(rates), abs=1e-3)


def test_verification_reports_the_best_of_its_checkpoints(out):
    (row,) = [row for row in results.read(out) if row.measure == "ASV"]
    trials = json.loads((out / "ASV" / "run.json").read_text())["trials"]
    assert set(trials) == {"states-2.ckpt", "states-4.ckpt"}
    assert row.value == min(trial["sv-voxceleb1/test-EER"] for trial in trials.values())
    assert trials[row.task_checkpoint]["sv-voxceleb1/test-EER"] == row.value


def test_emotion_is_the_mean_of_its_folds(out):
    (row,) = [row for row in results.read(out) if row.measure == "ER"]
    folds = [
        json.loads((out / "ER" / f"fold{i}" / "run.json").read_text())["scalars"][f"emotion-fold{i}/test-acc"]
        for i in range(1, 6)
    ]
    assert row.value == pytest.approx(sum(folds) / 5)


@pytest.mark.parametrize(("name", "folder"), [("PR", "PR"), ("KS", "KS"), ("ER", "ER/fold2")])
def test_a_task_of_the_suite_equals_stock_s3prl_alone(out, tmp_path, name, folder):
    settings = json.loads((out / folder / "run.json").read_text())["run"]["settings"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    words = [
        "-m",
        "train",
        "-d",
        superb.task(name).downstream,
        "-c",
        tmp_path / "config.yaml",
        "-p",
        tmp_path / "alone",
    ]
    done = entry_point.run(*words, "-u", "fbank", "--device", "cpu", stock=True)
    assert done.returncode == 0, done.stderr[-3000:]
    # written by this test a moment ago, so it may be read whole; torch's `safe_globals` would forget, when it ends,
    # what others had allowed
    ours, alone = (torch.load(p / "states-4.ckpt", weights_only=False) for p in (out / folder, tmp_path / "alone"))
    for part in ("Featurizer", "Downstream"):
        assert ours[part].keys() == alone[part].keys()
        assert all(torch.equal(ours[part][key], alone[part][key]) for key in alone[part])


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ("ST: {}", "line 3: suite.tasks.ST: speech translation needs fairseq"),
        ("KS: {corpus: /no/such/folder}", "KS: corpus /no/such/folder: this is not the folder of Speech Commands"),
        ("SID: {corpus: null}", "suite.tasks.SID.corpus is empty: name the folder of VoxCeleb1"),
    ],
)
def test_what_cannot_be_run_is_told_in_one_line(tmp_path, tasks, message):
    path = tmp_path / "suite.yaml"
    path.write_text(f"suite:\n  tasks:\n    {tasks}\n")
    done = run("-c", path, "-p", tmp_path / "out")
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert "Traceback" not in done.stderr
