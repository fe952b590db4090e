"""What a file with cells stands for."""

from pathlib import Path

import pytest

from s3prl_plugin import config
from s3prl_plugin.config import packaged
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.loop.cells import asked, plan
from s3prl_plugin.upstream.mr_hubert.pretrain import options as pretrain_options
from s3prl_plugin.upstream.mr_hubert.pretrain.expert import UpstreamPretrainExpert as Expert

FILE = """
seeds: [3, 1]
cells:
  both: {}
  single:
    objective: {use_single_prediction: true}
    runner: {total_steps: 5, save_steps: [1]}
  later:
    units: {features: mid.layer0, upstream: mr_hubert_local, checkpoint: "cell:single"}
    initial: {checkpoint: "cell:both", reset_top: 1}
model: {encoder_layers: 2, label_rate_ratios: [1, 2]}
objective: {final_dim: 8}
runner: {total_steps: 10}
"""


def read(text, tmp_path):
    path = tmp_path / "cells.yaml"
    path.write_text(text)
    return plan.trainings(config.read(path), Path("out"), Expert.SECTIONS)


def test_every_cell_with_every_seed_and_whole_seeds_first(tmp_path):
    found = read(FILE, tmp_path)
    assert [(t.cell, t.seed) for t in found] == [
        (cell, seed) for seed in (3, 1) for cell in ("both", "single", "later")
    ]
    assert str(found[1].folder) == "out/single/seed3"


def test_a_cell_is_the_file_with_its_changes(tmp_path):
    both, single, later = read(FILE, tmp_path)[:3]
    assert both.config == {
        "model": {"encoder_layers": 2, "label_rate_ratios": [1, 2]},
        "objective": {"final_dim": 8},
        "runner": {"total_steps": 10},
    }
    assert single.config["objective"] == {"final_dim": 8, "use_single_prediction": True}
    assert single.config["runner"] == {"total_steps": 5, "save_steps": [1]}
    assert set(later.first) == {"both", "single"}
    assert later.first["single"] == {"config": single.config, "first": {}}


def test_changes_are_merged_key_by_key():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert plan.merged(base, {"a": {"c": [9], "e": 0}, "d": None}) == {"a": {"b": 1, "c": [9], "e": 0}}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 3}


def test_some_of_the_cells(tmp_path):
    found = read(FILE + "only: [later]\n", tmp_path)
    assert [(t.cell, t.seed) for t in found] == [("later", 3), ("later", 1)]
    assert set(found[0].first) == {"both", "single"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeds: [3, 1]": "seeds: [1, 1]"}, r"line 2: seeds: .* holds a seed twice"),
        ({"seeds: [3, 1]": "seed: [1]"}, "unknown key 'seed': did you mean 'seeds'"),
        ({"single:": "seed2:"}, "'seed2' cannot be a folder here"),
        ({"    objective:": "    objectiv:"}, "line 6: unknown key 'objectiv' in cells.single: did you mean 'obj"),
        ({"cell:both": "cell:bot"}, "initial.checkpoint: cell:bot is none of the cells before it: did you mean 'both'"),
        ({"cell:single": "cell:later"}, "cell:later is none of the cells before it"),
        ({"cells:": "only: [x]\ncells:"}, "only: no cell is called 'x'"),
        ({"cells:": "only: []\ncells:"}, "only names no cell"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_their_line(tmp_path, change, message):
    text = FILE
    for old, new in change.items():
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(UserError, match=message):
        read(text, tmp_path)


def test_other_files_have_no_cells(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("model: {}\n")
    assert not asked(path)
    assert not asked(None)


SHIPPED = ("factorial/all.yaml", "strategies/all.yaml")


@pytest.mark.parametrize("name", SHIPPED)
def test_the_files_that_come_with_the_package_can_be_trained(name):
    for training in plan.trainings(config.read(packaged("configs", "pretrain", name)), Path("out"), Expert.SECTIONS):
        sections = {key: value for key, value in training.config.items() if key != "units"}
        Expert.check(config.Config(Path(name), sections, {}))


def test_the_factorial_differs_in_two_things():
    """All four cells as networks: as many parameters of the same shapes, one loss or two, one rate or two."""
    found = plan.trainings(
        config.read(packaged("configs", "pretrain", "factorial/all.yaml")), Path("o"), Expert.SECTIONS
    )
    options = {
        t.cell: pretrain_options.read({k: t.config[k] for k in ("model", "objective")}) for t in found if t.seed == 1
    }
    assert len({t.seed for t in found}) >= 3
    assert {name: (each.config.ratios, each.heads) for name, each in options.items() if name.startswith("rate")} == {
        "rate40_aux": (((1, 2),), 2),
        "rate40_single": (((1, 2),), 1),
        "rate20_aux": (((1, 1),), 2),
        "rate20_single": (((1, 1),), 1),
        "rate20_even": (((1, 1),), 2),
    }
    assert {each.lambdas for each in options.values() if each.heads == 2} == {(1.0, 1.0)}
    assert {sum(each.config.layers) for each in options.values()} == {6}
    from s3prl_plugin.upstream.mr_hubert.small import random_network

    shapes = {
        name: {key: tensor.shape for key, tensor in random_network(options[name].config).state_dict().items()}
        for name in ("rate40_aux", "rate20_aux", "rate20_even")
    }
    assert shapes["rate40_aux"] == shapes["rate20_aux"] == shapes["rate20_even"]
