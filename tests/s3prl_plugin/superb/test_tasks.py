"""Task settings: the published ones, and what a suite may change."""

from pathlib import Path

import pytest

from s3prl_plugin import superb
from s3prl_plugin.errors import UserError


def corpus(root):
    return superb.TaskCorpus(Path(root), "vox", "real", Path(root))


def test_sid_has_the_published_settings():
    # SUPERB (arXiv 2105.01051), s3prl's own configuration of the task at 0.4.18.
    settings = superb.task("SID").settings({}, corpus("vox"))
    assert settings["runner"]["total_steps"] == 200_000
    assert (
        settings["runner"]["gradient_accumulate_steps"] * settings["downstream_expert"]["datarc"]["train_batch_size"]
        == 32
    )
    assert settings["optimizer"]["lr"] == 1e-4
    assert settings["downstream_expert"]["datarc"]["max_timestep"] == 8 * 16000
    assert settings["downstream_expert"]["modelrc"]["projector_dim"] == 256


def test_the_corpus_is_filled_in():
    datarc = superb.task("SID").settings({}, corpus("/data/vox"))["downstream_expert"]["datarc"]
    assert datarc["file_path"] == "/data/vox"
    assert datarc["meta_data"] == "/data/vox/veri_test_class.txt"


def test_overrides_change_only_what_they_name():
    task = superb.task("SID")
    plain = task.settings({}, corpus("vox"))
    changed = task.settings({"override": {"runner": {"total_steps": 5}}}, corpus("vox"))
    assert changed["runner"].pop("total_steps") == 5
    plain["runner"].pop("total_steps")
    assert changed == plain


def test_an_unknown_override_is_refused_with_its_place():
    with pytest.raises(UserError, match=r"SID\.override\.runner.*'total_steps'"):
        superb.task("SID").settings({"override": {"runner": {"totalsteps": 5}}}, corpus("vox"))


def test_a_file_can_stand_in_for_the_published_settings(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("runner: {total_steps: 3}\n")
    assert superb.task("SID").settings({"config": str(path)}, corpus("vox"))["runner"] == {"total_steps": 3}


def test_an_unknown_task_gets_a_suggestion():
    with pytest.raises(UserError, match="SID"):
        superb.task("SDI")
