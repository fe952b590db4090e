"""Rows of learned weights, against checkpoints whose weights are written down beforehand."""

import argparse
import math

import pytest
import torch

import s3prl_plugin
from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.superb import weights
from s3prl_plugin.superb.tasks import Task, TaskScore
from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local

SCORES = (TaskScore("wrong", "task/test-wrong", "fraction", higher_is_better=False, headline=True),)


class Foreign(torch.nn.Module):
    def get_downsample_rates(self, key):
        return 160


def task(**changes):
    fields = {"name": "T", "title": "a test", "downstream": "d", "config": "c", "dataset": "D", "layout": "l"}
    fields |= {"needs": (), "corpus": {}, "split": "test", "scores": SCORES}
    return Task(**fields | changes)


def finished(folder, learned, features=("hidden_states", None), name="T"):
    """The record of a run that was scored with these weights."""
    s3prl_plugin.register()
    import s3prl.hub  # noqa: F401  the reader of checkpoints trusts a Namespace once s3prl is there

    record = superb.Record.open(folder / name, {"runner": {}}, {"seed": 3, "features": features})
    content = {"Args": argparse.Namespace(a=1), "Downstream": {}, "Featurizer": {}}
    if learned is not None:
        content["Featurizer"] = {"weights": torch.tensor(learned)}
    torch.save(content, record.folder / "dev-best.ckpt")
    torch.save({"Featurizer": {"weights": torch.tensor([9.0, 0.0])}}, record.folder / "states-1.ckpt")
    record.finish("dev-best.ckpt", {"task/test-wrong": 0.5})
    return record


def rows(record, model, **changes):
    corpus = superb.TaskCorpus(record.folder, "c", "generated", record.folder)
    return weights.rows(task(**changes), record, {"upstream": "u"}, corpus, model)


def test_they_are_the_softmax_of_the_scored_checkpoint_and_sum_to_one(tmp_path):
    found = rows(finished(tmp_path, [0.0, math.log(2.0), math.log(5.0)]), Foreign())
    assert [row.value for row in found] == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert sum(row.value for row in found) == pytest.approx(1, abs=1e-12)
    assert [(row.tap, row.tap_index, row.stride) for row in found] == [
        ("layer0", 0, 160),
        ("layer1", 1, 160),
        ("layer2", 2, 160),
    ]
    assert {(r.measure, r.score, r.headline, r.seed, r.task_checkpoint) for r in found} == {
        ("T", "weight", False, 3, "dev-best.ckpt")
    }


@pytest.mark.parametrize("key", ["hidden_states", "hidden_states_40ms"])
def test_our_taps_have_their_names_in_the_order_of_the_entry(tmp_path, small_checkpoint, key):
    upstream = mr_hubert_local(small_checkpoint).eval()
    with torch.no_grad():
        features = upstream([torch.randn(16000, generator=torch.Generator().manual_seed(0))])
    learned = [float(i) for i in range(len(features[key]))]
    found = rows(finished(tmp_path, learned, (key, None)), upstream)
    assert [row.value for row in found] == sorted(row.value for row in found)
    assert {row.features for row in found} == {key}
    for row, state in zip(found, features[key], strict=True):
        own = features[row.tap].repeat_interleave(row.stride // upstream.get_downsample_rates(key), dim=1)
        assert torch.equal(own[:, : state.shape[1]], state[:, : own.shape[1]])
        assert row.stride == upstream.get_downsample_rates(row.tap)


def test_folds_have_the_mean_of_theirs(tmp_path):
    record = superb.Record.open(tmp_path / "T", {}, {"seed": 3})
    for name, learned in (("f1", [0.0, 0.0]), ("f2", [0.0, math.log(3.0)])):
        finished(record.folder, learned, name=name)
    record.finish("dev-best.ckpt of f1, f2", {})
    found = rows(record, Foreign(), parts={"f1": {}, "f2": {}})
    assert [(row.value, row.folds) for row in found] == [(pytest.approx(0.375), 2), (pytest.approx(0.625), 2)]


def test_no_sum_no_rows(tmp_path):
    assert rows(finished(tmp_path, None, ("hidden_states", 2)), Foreign()) == []
    gone = finished(tmp_path / "gone", [0.0])
    (gone.folder / "dev-best.ckpt").unlink()
    assert rows(gone, Foreign()) == []


def test_a_damaged_checkpoint_is_named(tmp_path):
    record = finished(tmp_path, [0.0])
    (record.folder / "dev-best.ckpt").write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"dev-best\.ckpt: this checkpoint of the task cannot be read"):
        rows(record, Foreign())


def test_what_a_task_saw_stands_as_on_the_command_line(tmp_path):
    def name(number, **decisive):
        return superb.Record.open(tmp_path / str(number), {}, {"seed": 1, **decisive}).features_name

    assert name(1) == "hidden_states"
    assert name(2, features=["hidden_states_40ms", 2], upstream=["u", None, False]) == "hidden_states_40ms -l 2"
    assert name(3, features=["hidden_states", None], upstream=["u"], trainable=True, normalize=True) == (
        "hidden_states -f --upstream_feature_normalize"
    )
