"""What a checkpoint says of itself: against what was written into it."""

import pytest
import torch

from s3prl_plugin.upstream.mr_hubert import small, variants
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.checkpoint.published import PublishedUpstream
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert


def write(path, ratios=((1, 2),), heads=2, **said):
    config = small.small_config(dim=32, layers=(1,) * (2 * len(ratios) + 1), ratios=ratios)
    parameters = {f"final_projs.{i}.weight": torch.zeros(4, 32) for i in range(heads)}
    return load.save(path / "c.pt", small.random_network(config), heads=parameters, **said)


def weights(training):
    return [(each["block"], each["resolution_ms"], each["weight"]) for each in training["loss_weights"]]


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [
        (((1, 2),), [("dec0", 20, 1), ("mid", 40, 0.5)]),
        (((1, 1),), [("dec0", 20, 1), ("mid", 20, 1)]),
        (((1, 2), (1, 2)), [("dec1", 20, 1), ("dec0", 40, 0.5), ("mid", 80, 0.25)]),
    ],
)
def test_the_weights_of_the_losses_are_fairseqs(tmp_path, ratios, expected):
    """Masked frames at a rate over those at the finest: half as many at half the rate."""
    architecture, training = UpstreamExpert(write(tmp_path, ratios, heads=len(expected), train_step=7)).facts()
    assert weights(training) == expected
    assert (training["auxiliary_loss"], training["auxiliary_loss_from"]) == (True, "heads")
    assert (training["prediction_heads"], training["train_step"]) == (len(expected), 7)
    assert architecture["resolutions_ms"] == [rate for _, rate, _ in expected]


def test_one_head_means_one_loss_whatever_the_configuration_says(tmp_path):
    _, training = UpstreamExpert(write(tmp_path, heads=1, single_target=True)).facts()
    assert weights(training) == [("dec0", 20, 1)]
    assert (training["auxiliary_loss"], training["single_prediction"], training["single_target"]) == (
        False,
        False,
        True,
    )
    _, two = UpstreamExpert(write(tmp_path, heads=2, single_prediction=True)).facts()
    assert (two["auxiliary_loss"], two["single_prediction"]) == (True, True)


@pytest.mark.parametrize("single", [True, False])
def test_without_heads_the_configuration_decides_and_it_says_so(tmp_path, single):
    _, training = UpstreamExpert(write(tmp_path, heads=0, single_prediction=single)).facts()
    assert training["auxiliary_loss"] is not single
    assert training["auxiliary_loss_from"] == "configuration"


def test_random_weights_were_not_trained_whatever_the_checkpoint_says(tmp_path):
    path = write(tmp_path)
    architecture, training = UpstreamExpert(path, random_weights=True).facts()
    assert training is None
    assert architecture == UpstreamExpert(path).facts()[0]


def test_the_architecture_is_the_checkpoints_under_any_grid(tmp_path):
    path = write(tmp_path)
    plain = UpstreamExpert(path).facts()
    assert UpstreamExpert(path, pool_to="decimate:40").facts() == plain
    assert (plain[0]["kind"], plain[0]["blocks"], plain[0]["block_ms"]) == (
        "MR-HuBERT",
        ["enc0", "mid", "dec0"],
        [20, 40, 20],
    )


def test_a_published_variant_adds_what_is_published(tmp_path, monkeypatch):
    monkeypatch.setattr(variants.Variant, "differences", lambda self, config: [])
    _, training = PublishedUpstream("mr_hubert_base", write(tmp_path)).facts()
    assert (training["pretraining"], training["unit_iteration"]) == ("LibriSpeech 960 h", 3)
    assert PublishedUpstream("mr_hubert_base", write(tmp_path), random_weights=True).facts()[1] is None


def test_our_own_pre_training_says_how_its_losses_were_weighed(tmp_path):
    objective = {"loss": "mean", "lambdas": [1.0, 0.3], "auxiliary_every": 2, "seed": 5}
    path = write(tmp_path, objective=objective)
    _, training = UpstreamExpert(path).facts()
    assert weights(training) == [("dec0", 20, 1.0), ("mid", 40, 0.3)]
    assert (training["auxiliary_every"], training["seed"]) == (2, 5)
    _, training = UpstreamExpert(write(tmp_path, objective={**objective, "loss": "fairseq"})).facts()
    assert weights(training) == [("dec0", 20, 1), ("mid", 40, 0.5)]
    _, training = UpstreamExpert(write(tmp_path, heads=1, objective={**objective, "lambdas": [1.0]})).facts()
    assert weights(training) == [("dec0", 20, 1.0)]
