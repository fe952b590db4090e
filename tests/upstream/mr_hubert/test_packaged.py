"""The small trained models of the package: they load by name, offline, and their cards say what they are."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

import s3prl_plugin
from s3prl_plugin import config
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.loop.cells import plan
from s3prl_plugin.upstream.mr_hubert import architecture, hubconf, packaged
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.pretrain import options

MODELS = ("hubert_tiny", "mr_hubert_tiny")
MOST_BYTES = 3_000_000  # of the package, for both


def wave(samples=8000, seed=0):
    return 0.1 * torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def test_both_are_there_and_small():
    assert packaged.names() == MODELS
    assert sum(packaged.checkpoint(name).stat().st_size for name in MODELS) <= MOST_BYTES


@pytest.mark.parametrize("name", MODELS)
def test_it_is_an_entry_of_the_hub(name):
    s3prl_plugin.register()
    from s3prl import hub

    found = getattr(hub, name)().eval()([wave()])
    assert all(torch.isfinite(state).all() for state in found["hidden_states"])
    with pytest.raises(UserError, match=f"{name} has its checkpoint in the package"):
        getattr(hubconf, name)(ckpt="mine.pt")


@pytest.mark.parametrize("name", MODELS)
def test_the_file_is_fairseqs_in_half_precision_and_trained(name):
    loaded = load.load(packaged.checkpoint(name))
    assert {tensor.dtype for tensor in loaded.weights.values()} == {torch.float16}
    assert loaded.train_step > 0
    assert loaded.heads == len(loaded.config.ratios) + 1
    described = getattr(hubconf, name)().describe()
    assert described["weights"] == "trained"
    assert described["params"] < 1_000_000


@pytest.mark.parametrize("name", MODELS)
def test_the_card_is_of_this_file(name):
    card, loaded = packaged.card(name), load.load(packaged.checkpoint(name))
    assert card["sha256"] == loaded.sha256
    assert card["steps"] == loaded.train_step
    assert card["dim"] == loaded.config.dim
    assert card["layers"] == "-".join(map(str, loaded.config.layers))
    assert card["is_not"]
    assert set(card["measured"]) == {"generated", "timit"}
    log = packaged.checkpoint(name).with_suffix(".jsonl").read_text().splitlines()
    assert sum(cell["steps"] for cell in card["grown"]["cells"]) >= json.loads(log[-1])["step"]


@pytest.mark.parametrize("name", MODELS)
def test_the_recipe_is_of_this_model(name):
    recipe = config.read(config.packaged("configs", "pretrain", f"{name}.yaml"))
    asked = options.read({key: recipe.data[key] for key in ("model", "objective")})
    assert dataclasses.asdict(asked.config) == dataclasses.asdict(load.load(packaged.checkpoint(name)).config)
    cells = plan.trainings(recipe, Path("OUT"), ("model", "objective", "initial"))
    steps = [{"cell": cell.cell, "steps": cell.config["runner"]["total_steps"]} for cell in cells]
    assert packaged.card(name)["grown"]["cells"] == steps
    assert packaged.card(name)["steps"] == sum(cell["steps"] for cell in steps)


@pytest.mark.parametrize("name", MODELS)
def test_its_taps_are_known_without_the_hub(name):
    assert architecture.taps(name) == load.load(packaged.checkpoint(name)).config.taps()


def test_an_unknown_name():
    with pytest.raises(UserError, match="did you mean 'mr_hubert_tiny'"):
        packaged.checkpoint("mr_hubert_tyni")
