"""A task's folder: taken up again when it is the same run, refused when it is another."""

import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.superb import Record

SETTINGS = {"runner": {"total_steps": 10}, "optimizer": {"lr": 0.1}}
DECISIVE = {"upstream": ["u", None], "seed": 1}


def test_the_same_run_is_taken_up_with_its_scores(tmp_path):
    Record.open(tmp_path / "SID", SETTINGS, DECISIVE).finish("states-10.ckpt", {"acc": 0.5})
    again = Record.open(tmp_path / "SID", SETTINGS, DECISIVE)
    assert again.finished
    assert again.scalars == {"acc": 0.5}
    assert again.checkpoint == "states-10.ckpt"


@pytest.mark.parametrize(
    ("settings", "decisive", "named"),
    [
        ({**SETTINGS, "runner": {"total_steps": 20}}, DECISIVE, r"runner\.total_steps \(10, now 20\)"),
        (SETTINGS, {**DECISIVE, "seed": 2}, r"seed \(1, now 2\)"),
        (SETTINGS, {**DECISIVE, "upstream": ["u", "abc"]}, "upstream"),
        ({**SETTINGS, "specaug": {"a": 1}}, DECISIVE, "specaug"),
    ],
)
def test_another_run_is_refused_with_what_differs(tmp_path, settings, decisive, named):
    Record.open(tmp_path / "SID", SETTINGS, DECISIVE)
    with pytest.raises(UserError, match=named):
        Record.open(tmp_path / "SID", settings, decisive)


def test_checkpoints_are_ordered_by_step_not_by_name(tmp_path):
    record = Record.open(tmp_path, SETTINGS, DECISIVE)
    assert record.last_checkpoint() is None
    with pytest.raises(UserError, match="no checkpoint"):
        record.best_checkpoint()
    for step in (5, 100, 20):
        (tmp_path / f"states-{step}.ckpt").touch()
    assert record.last_checkpoint().name == "states-100.ckpt"
    assert record.best_checkpoint().name == "states-100.ckpt"
    (tmp_path / "dev-best.ckpt").touch()
    assert record.best_checkpoint().name == "dev-best.ckpt"


def test_trials_and_parts_outlast_the_process(tmp_path):
    record = Record.open(tmp_path / "ER", SETTINGS, DECISIVE)
    record.remember("states-1.ckpt", {"eer": 0.5})
    record.remember("states-2.ckpt", {"eer": 0.4})
    record.part("fold1", {"runner": {"total_steps": 1}}).finish("dev-best.ckpt", {"acc": 0.25})
    again = Record.open(tmp_path / "ER", SETTINGS, DECISIVE)
    assert again.trials == {"states-1.ckpt": {"eer": 0.5}, "states-2.ckpt": {"eer": 0.4}}
    assert not again.finished
    assert again.part("fold1", {"runner": {"total_steps": 1}}).scalars == {"acc": 0.25}
    assert again.part("fold1", {"runner": {"total_steps": 1}}).seed == 1
    with pytest.raises(UserError, match="total_steps"):
        again.part("fold1", {"runner": {"total_steps": 2}})


def test_the_best_checkpoint_has_the_name_that_the_downstream_gives_it(tmp_path):
    record = Record.open(tmp_path, SETTINGS, DECISIVE)
    for name in ("states-1.ckpt", "states-30.ckpt", "best-states-dev.ckpt"):
        (tmp_path / name).touch()
    assert record.best_checkpoint("best-states-dev.ckpt").name == "best-states-dev.ckpt"
    assert record.best_checkpoint().name == "states-30.ckpt"
    assert [path.name for path in record.checkpoints()] == ["states-1.ckpt", "states-30.ckpt"]


def checkpoints(record, *steps):
    for step in steps:
        torch.save({"Step": step, "weights": torch.zeros(1000)}, record.folder / f"states-{step}.ckpt")
    torch.save({"Step": steps[-1]}, record.folder / "dev-best.ckpt")


def torn(path, how):
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({"cut": whole[:middle], "empty": b"", "a bit": flipped(whole, middle)}[how])


def flipped(content, position):
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


@pytest.mark.parametrize("how", ["cut", "empty", "a bit"])
def test_training_goes_on_from_the_last_whole_checkpoint(tmp_path, how):
    record = Record.open(tmp_path / "SID", SETTINGS, DECISIVE)
    checkpoints(record, 5, 10)
    torn(record.folder / "states-10.ckpt", how)
    (record.folder / ".states-15.ckpt.4711").write_bytes(b"to become one")
    (note,) = record.remove_torn("dev-best.ckpt")
    assert "states-10.ckpt" in note
    assert "states-5.ckpt" in note
    assert record.last_checkpoint().name == "states-5.ckpt"
    assert sorted(path.name for path in record.folder.iterdir()) == ["dev-best.ckpt", "run.json", "states-5.ckpt"]


def test_whole_checkpoints_stay(tmp_path):
    record = Record.open(tmp_path / "SID", SETTINGS, DECISIVE)
    checkpoints(record, 5, 10)
    assert record.remove_torn("dev-best.ckpt") == []
    assert [path.name for path in record.checkpoints()] == ["states-5.ckpt", "states-10.ckpt"]


@pytest.mark.parametrize("name", ["dev-best.ckpt", "states-5.ckpt"])
def test_what_was_trained_from_a_torn_checkpoint_or_beside_a_torn_best_one_is_trained_anew(tmp_path, name):
    record = Record.open(tmp_path / "SID", SETTINGS, DECISIVE)
    checkpoints(record, 5, 10)
    torn(record.folder / name, "cut")
    (note,) = record.remove_torn("dev-best.ckpt")
    assert "begins anew" in note
    assert record.last_checkpoint() is None
