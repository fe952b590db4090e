"""Models of which a part was not in the file are not taken for trained ones."""

import argparse

import pytest
import torch
from torch import nn

import s3prl_plugin
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.loaded_weights import LoadedWeights

s3prl_plugin.register()


class Upstream(nn.Module):
    """Two layers and a head that no state depends on; dropout, which must not make states differ."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, wavs):
        x = nn.functional.dropout(self.first(wavs[0].reshape(1, -1, 4)), training=self.training)
        return {"hidden_states": (x, self.second(x))}


def loaded(*parts_of_files):
    """A model into which files were loaded that lack some parts, and what is said of it."""
    whole, watch = Upstream().state_dict(), LoadedWeights()
    with watch.watching():
        model = Upstream()
        for parts in parts_of_files:
            model.load_state_dict({k: v for k, v in whole.items() if k.startswith(parts)}, strict=False)
    assert model.training
    return model, watch.random(model)


def test_what_was_not_in_the_file_and_matters_is_named():
    assert loaded(("first", "second", "head"))[1] == []
    assert loaded(("first", "second"))[1] == [], "no state depends on the head"
    assert loaded(("first", "second.weight", "head"))[1] == ["second.bias"]
    assert loaded(("head",))[1] == ["first.weight", "first.bias", "second.weight", "second.bias"]


def test_several_files_make_one_model():
    assert loaded(("first",), ("second",))[1] == []
    assert loaded(("first",), ("head",))[1] == ["second.weight", "second.bias"]


def test_looking_changes_nothing():
    stock = nn.Module.load_state_dict
    torch.manual_seed(0)
    state = torch.get_rng_state()
    model, _ = loaded(("head",))
    assert nn.Module.load_state_dict is stock
    torch.set_rng_state(state)
    again = LoadedWeights()
    Upstream()
    with again.watching():
        other = Upstream()  # drawn like the first
    for name, parameter in model.named_parameters():
        if not name.startswith("head"):
            assert torch.equal(parameter, other.get_parameter(name))
    assert again.random(other) == [], "of what was loaded in another way nothing is known"


@pytest.fixture(scope="module")
def cpc(tmp_path_factory):
    """A checkpoint for `cpc_local`, which s3prl loads with strict=False; written without some weights."""
    from s3prl.upstream.cpc.cpc_default_config import get_default_cpc_config
    from s3prl.upstream.cpc.feature_loader import getAR, getEncoder, loadArgs
    from s3prl.upstream.cpc.model import CPCModel

    sizes = {"hiddenEncoder": 16, "hiddenGar": 16, "nLevelsGRU": 1, "arMode": "LSTM", "onEncoder": False}
    config = get_default_cpc_config()
    loadArgs(config, argparse.Namespace(**sizes))
    torch.manual_seed(0)
    weights = CPCModel(getEncoder(config), getAR(config)).state_dict()

    def write(*without):
        path = tmp_path_factory.mktemp("cpc") / "cpc.pt"
        kept = {name: w for name, w in weights.items() if not name.startswith(without)} if without else weights
        torch.save({"config": sizes, "weights": kept}, path)
        return str(path)

    return write


def test_an_upstream_of_s3prl_that_loads_whatever_there_is(cpc):
    assert len(second_upstream.load("cpc_local", cpc(), {}, "cpu").taps) > 1
    lacking = cpc("gEncoder.conv1")
    with pytest.raises(UserError, match=f"{lacking}: model.gEncoder.conv1.weight.* are missing in the file"):
        second_upstream.load("cpc_local", lacking, {}, "cpu")
