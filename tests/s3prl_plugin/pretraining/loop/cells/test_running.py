"""Trainings one after another: what is finished is not run again, units are made once, a failure stays alone."""

import argparse
import json
import shutil
from pathlib import Path

import pytest
import tones
import torch
import yaml

from s3prl_plugin import config, run_downstream, run_pretrain
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.loop.cells import running
from s3prl_plugin.questions import factorial, trajectories
from s3prl_plugin.states import upstream_facts
from s3prl_plugin.upstream.mr_hubert.checkpoint import load


class Started:
    """Stands in for processes: notes what was started, and writes what a training would have become."""

    def __init__(self, fails=()):
        self.fails = set(fails)
        self.configs = {}

    def __call__(self, flags, folder, program):
        said = {flag: flags[i + 1] for i, flag in enumerate(flags) if flag in ("-g", "-p", "--seed")}
        assert folder == Path(said["-p"])
        name = f"{folder.parent.name} {said['--seed']}"
        assert program == "run_pretrain"
        assert "-a" in flags
        self.configs[name] = config.read(said["-g"]).data
        if name in self.fails:
            raise UserError("no such luck")
        (folder / "checkpoint_last.pt").write_text(name)

    @property
    def names(self):
        return list(self.configs)


@pytest.fixture
def speech(tmp_path):
    return tones.write(tmp_path / "speech", utterances=4)


def write(path, speech, chosen, seeds=(1, 2), **sections):
    path.write_text(yaml.safe_dump({"seeds": list(seeds), "cells": chosen, **tones.experiment(speech), **sections}))
    return path


def start(monkeypatch, file, out, fails=()):
    started = Started(fails)
    monkeypatch.setattr(running.process, "run", started)
    status = run_pretrain.main(["-u", "mr_hubert", "-g", str(file), "-p", str(out), "--device", "cpu"])
    return status, started


TWO = {"a": {}, "b": {"objective": {"use_single_prediction": True}}}


def test_what_is_finished_is_not_run_again(monkeypatch, tmp_path, speech):
    file = write(tmp_path / "f.yaml", speech, TWO)
    assert start(monkeypatch, file, tmp_path / "out", fails=["b 2"])[0] == 1
    status, started = start(monkeypatch, file, tmp_path / "out")
    assert (status, started.names) == (0, ["b 2"])
    changed = write(tmp_path / "f.yaml", speech, {**TWO, "b": {"objective": {"mask_length": 5}}})
    assert start(monkeypatch, changed, tmp_path / "out")[1].names == ["b 1", "b 2"]


def test_other_values_leave_what_was_trained_and_its_file_alone(monkeypatch, tmp_path, speech, capsys):
    out = tmp_path / "out"
    start(monkeypatch, write(tmp_path / "f.yaml", speech, TWO, seeds=[1]), out)
    (out / "b/seed1/states-3.ckpt").touch()
    before = (out / "b/seed1/pretrain.yaml").read_bytes()
    changed = {**TWO, "b": {"objective": {"mask_length": 5}}}
    status, started = start(monkeypatch, write(tmp_path / "f.yaml", speech, changed, seeds=[1]), out)
    assert (status, started.names) == (1, [])
    assert "what was trained here has other values" in capsys.readouterr().out
    assert (out / "b/seed1/pretrain.yaml").read_bytes() == before
    shutil.move(out / "b/seed1", tmp_path / "kept")
    assert start(monkeypatch, tmp_path / "f.yaml", out)[1].names == ["b 1"]


def test_the_first_seed_is_whole_before_the_second_begins(monkeypatch, tmp_path, speech):
    _, started = start(monkeypatch, write(tmp_path / "f.yaml", speech, TWO), tmp_path / "out")
    assert started.names == ["a 1", "b 1", "a 2", "b 2"]
    assert started.configs["b 2"]["objective"]["use_single_prediction"] is True
    assert "cells" not in started.configs["b 2"]


def test_what_begins_with_a_failure_is_not_begun(monkeypatch, tmp_path, speech, capsys):
    chosen = {"a": {}, "later": {"initial": {"checkpoint": "cell:a"}}, "other": {}}
    file = write(tmp_path / "f.yaml", speech, chosen, seeds=[1])
    status, started = start(monkeypatch, file, tmp_path / "out", fails=["a 1"])
    assert (status, started.names) == (1, ["a 1", "other 1"])
    assert "a with seed 1, from which it begins, is not there" in capsys.readouterr().out
    status, started = start(monkeypatch, file, tmp_path / "out")
    assert (status, started.names) == (0, ["a 1", "later 1"])
    found = Path(started.configs["later 1"]["initial"]["checkpoint"])
    assert found == (tmp_path / "out" / "a" / "seed1" / "checkpoint_last.pt").resolve()


def test_an_earlier_cell_that_changes_changes_the_later_one(monkeypatch, tmp_path, speech):
    chosen = {"a": {}, "later": {"initial": {"checkpoint": "cell:a"}}}
    start(monkeypatch, write(tmp_path / "f.yaml", speech, chosen, seeds=[1]), tmp_path / "out")
    changed = {"a": {"objective": {"mask_length": 5}}, "later": chosen["later"]}
    _, started = start(monkeypatch, write(tmp_path / "f.yaml", speech, changed, seeds=[1]), tmp_path / "out")
    assert started.names == ["a 1", "later 1"]


def test_a_checkpoint_from_elsewhere_counts_by_what_it_holds(monkeypatch, tmp_path, speech):
    first = tmp_path / "first.pt"
    first.write_text("1")
    file = write(tmp_path / "f.yaml", speech, {"a": {"initial": {"checkpoint": str(first)}}}, seeds=[1])
    for content, ran in (("1", ["a 1"]), ("1", []), ("2", ["a 1"])):
        first.write_text(content)
        assert start(monkeypatch, file, tmp_path / "out")[1].names == ran


def test_units_are_made_once_for_all_cells_that_ask_for_the_same(monkeypatch, tmp_path, speech):
    units = {"features": "mfcc", "clusters": 4}
    chosen = {"a": {}, "b": TWO["b"], "more": {"units": {"clusters": 6}}}
    file = write(tmp_path / "f.yaml", speech, chosen, seeds=[1], units=units)
    _, started = start(monkeypatch, file, tmp_path / "out")
    said = {name: each["pretrain_expert"]["datarc"] for name, each in started.configs.items()}
    assert said["a 1"] == said["b 1"] != said["more 1"]
    assert len(list((tmp_path / "out" / "units").iterdir())) == 2
    (labels,) = (Path(path) for path in said["more 1"]["units"])
    frames = [line.split() for line in labels.read_text().splitlines()]
    assert len(frames) == 4
    assert {unit for line in frames for unit in line} <= {str(k) for k in range(6)}
    assert started.configs["a 1"]["objective"]["label_rate"] == 50


def test_a_cell_that_cannot_be_trained_is_refused_before_the_first_one_is(monkeypatch, tmp_path, speech):
    file = write(tmp_path / "f.yaml", speech, {"a": {}, "b": {"model": {"encoder_layer": 3}}})
    with pytest.raises(UserError, match="cell b: unknown key 'encoder_layer' in model"):
        start(monkeypatch, file, tmp_path / "out")
    assert not (tmp_path / "out" / "a").exists()


def test_flags_that_do_not_go_with_cells(tmp_path, speech):
    args = argparse.Namespace(past_exp=None, config="c.yaml", local_rank=None, upstream_config=str(tmp_path))
    with pytest.raises(UserError, match="-c does not go with `cells`"):
        running.run(args)


def in_this_process(flags, folder, program):
    """Train without the seconds that a process takes to load everything."""
    assert run_pretrain.main(flags) == 0


@pytest.mark.slow
def test_from_training_to_effects(monkeypatch, tmp_path, speech):
    """Four cells, three seeds, a few updates; analysed on generated speech, and what the report makes of them."""
    chosen = {
        f"rate{40 if ratio == 2 else 20}_{'single' if single else 'aux'}": {
            "model": {"label_rate_ratios": [1, ratio]}, "objective": {"use_single_prediction": single}
        }
        for ratio in (2, 1) for single in (False, True)
    }  # fmt: skip
    runner = {"total_steps": 2, "save_step": 2, "log_step": 2, "save_steps": [0, 1]}
    file = write(
        tmp_path / "f.yaml", speech, chosen, seeds=(1, 2, 3), units={"features": "mfcc", "clusters": 4}, runner=runner
    )
    monkeypatch.setattr(running.process, "run", in_this_process)
    out = tmp_path / "out"
    assert run_pretrain.main(["-u", "mr_hubert", "-g", str(file), "-p", str(out), "--device", "cpu"]) == 0
    begun = {path.parts[-3:-1]: load.load(path).weights for path in out.glob("*/seed*/checkpoint_0.pt")}
    assert len(begun) == 12
    for name, tensor in begun["rate40_aux", "seed2"].items():
        assert all(torch.equal(tensor, begun[cell, "seed2"][name]) for cell in chosen), (
            "a seed begins alike in all cells"
        )
    assert not torch.equal(
        *(begun["rate40_aux", seed]["middle_encoder.layers.0.fc1.weight"] for seed in ("seed1", "seed2"))
    )

    monkeypatch.setattr("s3prl_plugin.study.runner.process.run", lambda flags, folder: run_downstream.main(flags))
    patterns = {"grown": "*/seed*/checkpoint_last.pt", "course": "rate40_aux/seed1/checkpoint_[0-9].pt"}
    study = {
        "study": {"upstreams": {name: {"upstream": "mr_hubert_local", "checkpoints": f"{out}/{pattern}"}
            for name, pattern in patterns.items()}},
        "suite": {
            "corpus": "generated?voices=8&sentences=4",
            "analyses": {"mi": {"measures": ["mi_phone"]}, "rank": {"measures": ["rank"]}},
        },
    }  # fmt: skip
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    flags = ["-m", "train", "-d", "suite", "-c", str(tmp_path / "study.yaml"), "-p", str(tmp_path / "study")]
    assert run_downstream.main([*flags, "--device", "cpu"]) == 0
    folders = sorted(path.parent for path in (tmp_path / "study").glob("*/results.jsonl"))
    assert upstream_facts.read(folders[0]).training["seed"] == 1
    section = factorial.sections(folders)[0]
    effects = [c for c in section.contrasts if c.measure == "mi_phone"]
    assert {c.family for c in effects} == {"loss", "rate", "interaction"}
    assert all(c.value is not None and c.grey is None for c in effects), [c.refused for c in effects]
    assert all("(3 seeds)" in c.label for c in effects)
    overview, maps = trajectories.sections(folders)
    assert [row[0] for row in overview.tables[0].rows] == [0, 1, 2]
    assert {table.title.split(":")[0] for table in overview.tables} == {"course"}
    assert [figure.title for figure in maps.figures] == ["mi_phone over updates", "rank over updates"]
    assert json.loads((out / "rate20_aux" / "seed3" / "finished.json").read_text())["seconds"] > 0
