"""HuBERT of s3prl's with random weights: drawn as our own network draws them, and only when it is asked for."""

import argparse

import foreign_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.states import foreign, provenance
from s3prl_plugin.upstream.mr_hubert import hubconf

s3prl_plugin.register()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    return foreign_models.hubert(tmp_path_factory.mktemp("hubert") / "hubert.pt")


def load(checkpoint, folder, options=None):
    """The upstream and the row fields that describe it, as a run has them, with `-g` where there are options."""
    from s3prl_plugin.running.runner import Runner

    path = folder / "options.yaml"
    if options is not None:
        path.write_text(options)
    args = argparse.Namespace(
        upstream="hubert_local",
        downstream="speech_commands",
        upstream_ckpt=checkpoint,
        upstream_model_config=None if options is None else str(path),
        upstream_refresh=False,
        upstream_trainable=False,
        device="cpu",
        init_ckpt=None,
    )
    runner = Runner.__new__(Runner)
    runner.args, runner.init_ckpt, runner._given_upstream = args, {}, None
    model = runner._get_upstream().model
    return model, provenance.of_upstream(model, args)


def network(model):
    return {name: tensor for name, tensor in model.state_dict().items() if "final_proj" not in name}


def test_weights_are_spread_as_those_of_our_own_plain_hubert(checkpoint, tmp_path):
    """Per tensor, against the same architecture built by upstream/mr_hubert from the same file."""
    theirs = load(checkpoint, tmp_path, "random_weights: true")[0].model.state_dict()
    ours = hubconf.mr_hubert_local(ckpt=checkpoint, random_weights=True).network.state_dict()
    for name, tensor in ours.items():
        other = theirs[name.removeprefix("middle_")]
        assert other.shape == tensor.shape
        if tensor.dim() == 1:  # biases and norms are constants, but for the one that torch draws for a linear layer
            assert torch.equal(other, tensor) or name == "post_extract_proj.bias", name
        elif name.endswith("weight_g"):
            assert other.mean() / tensor.mean() == pytest.approx(1, abs=0.15), name
        else:
            assert not torch.equal(other, tensor), name  # drawn in another order
            error = (2 / tensor.numel()) ** 0.5  # standard error of a ratio of two sample deviations, or less
            assert other.std() / tensor.std() == pytest.approx(1, abs=5 * error), name


def test_the_seed_decides_them_and_the_checkpoint_does_not(checkpoint, tmp_path):
    torch.manual_seed(1)
    other_file = foreign_models.hubert(tmp_path / "other.pt")
    first, described = load(checkpoint, tmp_path, "random_weights: true")
    before = torch.get_rng_state()
    again, _ = load(other_file, tmp_path, "random_weights: true")
    assert torch.equal(torch.get_rng_state(), before), "what a task draws does not depend on it"
    another, _ = load(checkpoint, tmp_path, "random_weights: true\nseed: 1")
    assert all(torch.equal(network(first)[name], tensor) for name, tensor in network(again).items())
    assert any(not torch.equal(network(first)[name], tensor) for name, tensor in network(another).items())
    assert (described["weights"], described["train_step"]) == ("random", 0)
    assert described["upstream"] == "hubert_local[random_weights=True]"


def test_a_grid_on_top_and_trained_weights_after_it(checkpoint, tmp_path):
    pooled, described = load(checkpoint, tmp_path, "random_weights: true\npool_to: decimate:40")
    assert pooled.get_downsample_rates("hidden_states") == 640
    assert described["upstream"] == "hubert_local[pool_to=decimate:40,random_weights=True]"
    assert described["weights"] == "random"
    trained, described = load(checkpoint, tmp_path)
    saved = torch.load(checkpoint)["model_weight"]
    assert all(torch.equal(saved[name], tensor) for name, tensor in trained.model.state_dict().items())
    assert described["weights"] == "trained"


def test_asking_for_it_in_a_program():
    assert foreign.asked_of("hubert_base", {"random_weights": True}).random_seed == 0
    assert foreign.asked_of("hubert_base", {"random_weights": False}).random_seed is None
