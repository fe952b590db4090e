"""A study as a user runs it: two small models, a broken one between them, an analysis, and a task with two seeds."""

import entry_point
import pytest
import torch
import yaml

from s3prl_plugin import results
from s3prl_plugin.inference.folders import folders as folders_of
from s3prl_plugin.upstream.mr_hubert import small

pytestmark = pytest.mark.slow
STEPS = {"total_steps": 4, "gradient_accumulate_steps": 1, "log_step": 4, "eval_step": 4, "save_step": 4}
SID = {"override": {"runner": STEPS, "downstream_expert": {"datarc": {"num_workers": 0, "max_timestep": 8000}}}}
CONFIG = {
    "study": {
        "upstreams": {
            "whole": {"upstream": "mr_hubert_local", "checkpoint": "a.pt"},
            "broken": {"upstream": "mr_hubert_local", "checkpoint": "broken.pt"},
            "half": {"upstream": "mr_hubert_local", "checkpoint": "a.pt", "options": {"pool_to": "decimate:40"}},
        },
        "analyses_only": ["broken", "half"],
        "seeds": [5, 6],
    },
    "suite": {
        "corpus": "generated?voices=8&sentences=4",
        "analyses": {"mi": {"measures": ["mi_phone"]}},
        "tasks": {"SID": SID},
    },
}


def run(folder, *flags):
    return entry_point.run("-m", "train", "-d", "suite", "--device", "cpu", *flags, cwd=folder)


def said(ended):
    return [line for line in ended.stdout.splitlines() if line.startswith("[study]")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A folder in which the study has been run once, and what that said."""
    folder = tmp_path_factory.mktemp("study")
    small.write_random_checkpoint(folder / "a.pt", small.small_config(dim=32, layers=(1, 1, 1)))
    (folder / "broken.pt").write_text("no checkpoint")
    (folder / "study.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    return folder, run(folder, "-c", "study.yaml", "-p", "out")


def test_the_others_run_when_one_fails(ran):
    folder, ended = ran
    assert ended.returncode == 1, ended.stderr[-3000:]
    assert [path.name for path in folders_of(folder / "out")] == ["whole", "half"]
    assert said(ended)[0] == "[study] 3 upstreams, 5 runs"
    assert "[study] 2 of 5: broken, analyses: failed after" in ended.stdout
    told = ended.stdout.splitlines()
    (line,) = [line for line in told if line.startswith("broken, analyses ")]
    assert "failed: broken.pt: not a file of torch.save" in line
    assert sum(line.startswith(("whole, ", "half, ")) for line in told) == 4
    assert "results: out/UPSTREAM/results.jsonl" in told
    assert told[-1].startswith("1 of 5 failed; the same command tries again: python -m s3prl_plugin.run_downstream ")
    assert "Traceback" not in ended.stderr


def test_rows_of_every_seed_and_tap_and_the_same_folds(ran):
    folder, _ = ran
    whole, half = (results.read(path) for path in folders_of(folder / "out"))
    assert [(row.measure, row.seed) for row in whole if row.tap is None and row.headline] == [("SID", 5), ("SID", 6)]
    analysed = [[row for row in rows if row.measure == "mi_phone"] for rows in (whole, half)]
    assert {row.seed for rows in analysed for row in rows} == {5}
    assert not [row for row in half if row.measure == "SID"]
    assert len({row.folds_id for rows in analysed for row in rows}) == 1
    assert [{row.stride for row in rows} for rows in analysed] == [{320, 640}, {640}]
    assert not list((folder / "out").glob("*/data")), "tasks share the study's corpora"


def test_a_task_is_the_one_that_is_run_alone_with_its_seed(ran):
    folder, _ = ran
    alone = {"suite": {"corpus": CONFIG["suite"]["corpus"], "tasks": {"SID": SID}}}
    (folder / "alone.yaml").write_text(yaml.safe_dump(alone))
    ended = run(folder, "-c", "alone.yaml", "-u", "mr_hubert_local", "-k", "a.pt", "-p", "alone", "--seed", "6")
    assert ended.returncode == 0, ended.stderr[-3000:]
    heads = [
        torch.load(folder / path / "SID" / "states-4.ckpt", weights_only=False)
        for path in ("alone", "out/whole/seed6", "out/whole/seed5")
    ]
    assert all(torch.equal(heads[0]["Downstream"][name], tensor) for name, tensor in heads[1]["Downstream"].items())
    assert any(not torch.equal(heads[0]["Downstream"][name], t) for name, t in heads[2]["Downstream"].items())


def test_the_same_command_runs_what_is_left(ran):
    folder, _ = ran
    small.write_random_checkpoint(folder / "broken.pt", small.small_config(dim=32, layers=(1, 1, 1)), seed=1)
    ended = run(folder, "-c", "study.yaml", "-p", "out")
    assert ended.returncode == 0, ended.stderr[-3000:]
    first, begun, after, last = said(ended)
    assert first == "[study] 3 upstreams, 5 runs; 4 finished already"
    assert begun.startswith("[study] 2 of 5: broken, analyses -> out/broken (about ")
    assert after.startswith("[study] 2 of 5: broken, analyses: finished after ")
    assert last.startswith("[study] finished in ")
    assert ended.stdout.count("finished before") == 4
    assert [path.name for path in folders_of(folder / "out")] == ["whole", "broken", "half"]
