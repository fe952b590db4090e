"""Which folders are checkpoints of one training run."""

from dataclasses import replace

import numpy as np
import planted_runs
import pytest

from s3prl_plugin import results
from s3prl_plugin.inference.folders import folders as study_folders
from s3prl_plugin.inference.folders import remember
from s3prl_plugin.questions.trajectories import runs


def flat(share):
    return {"cca_mel": [0.2 + 0.1 * share] * 11}


@pytest.mark.parametrize(
    ("folder", "update", "name"),
    [
        ("grown_checkpoint_4000", 4000, "grown"),
        ("grown_seed3_checkpoint_3", 3, "grown_seed3"),
        ("seed1_states-000200", 200, "seed1"),
        ("grown_checkpoint_last", 4000, "grown"),
        ("run0_checkpoint_0", 0, "run0"),
        ("d256_checkpoint_256", 256, "d256"),
        ("400", 400, "checkpoints"),
        ("grown_checkpoint_4000_pooled", 4000, "grown_pooled"),
    ],
)
def test_a_runs_name_is_its_folders_without_the_updates(folder, update, name):
    assert runs.run_name(folder, update) == name


def test_checkpoints_of_a_run_are_in_the_order_of_their_updates(tmp_path):
    made = planted_runs.study(tmp_path, "a", [900, 0, 20], flat) + planted_runs.study(tmp_path, "b", [5, 7], flat)
    found, left_out = runs.find(made)
    assert [(run.name, [c.update for c in run.checkpoints]) for run in found] == [("a", [0, 20, 900]), ("b", [5, 7])]
    assert left_out == []
    assert found[0].measures == ["cca_mel"]
    assert [row.tap for row in found[0].checkpoints[0].of("cca_mel")][3:6] == ["mid.pre", "mid.layer0", "mid.layer1"]


def test_what_is_no_course_is_left_out(tmp_path):
    made = planted_runs.study(tmp_path, "a", [10, 20], flat)
    made += planted_runs.study(tmp_path, "b", [5], flat)
    for name, changes in {
        "random": {"upstream": "mr_hubert_local[random_weights=True]"},
        "unknown": {"train_step": None},
    }.items():
        rows = [replace(row, **changes) for row in results.read(made[0])]
        made.append(planted_runs.write(tmp_path / f"{name}_checkpoint_10", rows))
    found, left_out = runs.find(made)
    assert [run.name for run in found] == ["a"]
    assert left_out == [
        "unknown_checkpoint_10: its results do not say after how many updates it was saved",
        "b_checkpoint_5: the only checkpoint of its run",
    ]


def test_the_last_checkpoint_is_not_counted_twice(tmp_path):
    made = planted_runs.study(tmp_path, "a", [10, 20], flat)
    made.append(planted_runs.write(tmp_path / "a_checkpoint_last", results.read(made[1])))
    (run,), _ = runs.find(made)
    assert [c.name for c in run.checkpoints] == ["a_checkpoint_10", "a_checkpoint_20"]


def test_other_taps_or_another_corpus_are_another_run(tmp_path):
    made = planted_runs.study(tmp_path, "a", [10, 20], flat)
    rng = np.random.default_rng(0)
    extra = planted_runs.network("cca_mel", [0.2] * 11, rng, corpus="second", train_step=10)
    made.append(planted_runs.write(tmp_path / "second" / made[0].name, extra))
    pooled = [replace(row, stride=640) for row in results.read(made[1])]
    made.append(
        planted_runs.write(tmp_path / "a_pooled" / "a_checkpoint_30", [replace(r, train_step=30) for r in pooled])
    )
    found, left_out = runs.find(made)
    assert [(run.name, run.corpus, len(run.checkpoints)) for run in found] == [("a", "planted", 2)]
    assert left_out == ["a_checkpoint_10, a_checkpoint_30: the only checkpoint of its run"]


def test_a_studys_folders_are_read_as_they_lie(tmp_path):
    made = planted_runs.study(tmp_path, "a", [10, 20], flat)
    remember(tmp_path, [path.name for path in made])
    (run,), _ = runs.find(study_folders(tmp_path))
    assert [c.update for c in run.checkpoints] == [10, 20]
