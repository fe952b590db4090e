"""Checkpoints by pattern: their names, and their order."""

import pytest

import s3prl_plugin
from s3prl_plugin.errors import UserError
from s3prl_plugin.study.checkpoints import named_checkpoints
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load

s3prl_plugin.register()


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(path, step):
    network = small.random_network(small.small_config(dim=16, layers=(1, 1, 1)))
    path.parent.mkdir(parents=True, exist_ok=True)
    return load.save(path, network, train_step=step)


def test_the_steps_in_the_files_decide_and_a_damaged_file_comes_last(tmp_path):
    for name, step in {"b": 5, "c": 40, "a": 300}.items():
        write(tmp_path / f"{name}.pt", step)
    (tmp_path / "0.pt").write_text("damaged")
    assert list(named_checkpoints("*.pt")) == ["b", "c", "a", "0"]


def test_without_steps_numbers_are_read_as_numbers(tmp_path):
    for name in ("s_10", "s_9", "s_100"):
        (tmp_path / f"{name}.ckpt").touch()
    assert list(named_checkpoints(str(tmp_path / "*.ckpt"))) == ["s_9", "s_10", "s_100"]


def test_another_match_does_not_change_a_name(tmp_path):
    write(tmp_path / "runs" / "seed 1" / "deep" / "last.best.pt", 1)
    before = named_checkpoints("runs/**/*.pt")
    write(tmp_path / "runs" / "seed2" / "last.best.pt", 2)
    after = named_checkpoints("runs/**/*.pt")
    assert list(before) == ["seed_1_deep_last.best"]
    assert list(after) == ["seed_1_deep_last.best", "seed2_last.best"]
    assert list(named_checkpoints("runs/seed2/last.best.pt")) == ["last.best"]


def test_two_files_of_one_name(tmp_path):
    for name in ("x_y/z.pt", "x/y_z.pt"):
        write(tmp_path / name, 1)
    with pytest.raises(UserError, match="would both be called x_y_z"):
        named_checkpoints("*/*.pt")


def test_none():
    with pytest.raises(UserError, match=r"no file matches nothing\*"):
        named_checkpoints("nothing*")
