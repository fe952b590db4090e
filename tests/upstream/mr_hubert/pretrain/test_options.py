"""The options of a pre-training: what the packaged list of them says, and what is refused."""

from dataclasses import asdict

import pytest
import torch

from s3prl_plugin import config
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data import settings
from s3prl_plugin.pretraining.data.datarc import DataOptions
from s3prl_plugin.upstream.mr_hubert.checkpoint.fairseq_config import Model
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT
from s3prl_plugin.upstream.mr_hubert.pretrain import options as pretrain_options


def listed(value):
    """Tuples as YAML has them."""
    return list(value) if isinstance(value, tuple) else value


def test_the_packaged_list_has_every_option_with_its_default():
    given = config.read(config.packaged("configs", "pretrain", "mr_hubert_base.yaml"))
    read = settings.read(given)
    defaults = settings.Settings()
    sections = {
        "model": Model(),
        "objective": pretrain_options.Objective(),
        "optimizer": defaults.optimizer,
        "scheduler": defaults.scheduler,
        "runner": defaults.runner,
        "datarc": DataOptions(corpus="CORPUS"),
    }
    for name, wanted in sections.items():
        said = given.section("pretrain_expert", name) if name == "datarc" else given.section(name)
        expected = {key: listed(value) for key, value in asdict(wanted).items()}
        if name == "runner":
            expected |= {"total_steps": 400_000, "save_steps": 25_000}
        assert said == expected, name
    assert read.runner.total_steps == 400_000


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        # with the heads, as published: two of (256, 768) + 256; the figure has four digits
        ({}, pytest.approx(97.39e6 - 2 * (256 * 768 + 256) - 768, rel=0.005)),
        ({"label_rate_ratios": [], "encoder_layers": 12}, 94_371_712 - 768),  # transformers' HubertModel, with its mask
    ],
)
def test_defaults_are_the_published_base_models(model, parameters):
    options = pretrain_options.read({"model": model})
    with torch.device("meta"):
        network = MRHuBERT(options.config)
    assert sum(p.numel() for p in network.parameters()) == parameters


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ({"loss": "sum"}, "loss: 'sum' is not possible"),
        ({"mask_prob": 0}, "mask_prob"),
        ({"lambdas": "1"}, "lambdas: '1' is not possible; give a list"),
        ({"auxiliary_every": 0}, "auxiliary_every: 0 is not possible; give a whole number from 1 on"),
        ({"use_single_target": 1}, "give true or false"),
        ({"use_single_prediction": True, "lambdas": [1, 1]}, "lambdas: 2 for 1 predicted resolutions"),
    ],
)
def test_what_cannot_be_is_refused(objective, message):
    with pytest.raises(UserError, match=message):
        pretrain_options.read({"objective": objective})


@pytest.mark.parametrize(
    ("written", "line", "message"),
    [
        ("encoder_embed_dims: 8", 3, "unknown key 'encoder_embed_dims' in model: did you mean 'encoder_embed_dim'"),
        ("encoder_attention_heads: 0", 3, "model.encoder_attention_heads: 0 is not possible"),
        ("conv_feature_layers: [[512, 10]]", 3, "model.conv_feature_layers: "),
        ('conv_feature_layers: "[(512,10)]"', 3, "model.conv_feature_layers: "),
        ("label_rate_ratios: [1, 2, 1]", 3, "model.label_rate_ratios: [1, 2, 1] is no list of pairs"),
        ("conv_adapator_kernal: 2", 3, "model.conv_adapator_kernal: 2 is even"),
        ("encoder_embed_dim: 100\n  encoder_attention_heads: 3", 2, "no multiple of 3 heads"),
    ],
)
def test_a_model_that_cannot_be_is_told_with_its_line(tmp_path, written, line, message):
    path = tmp_path / "model.yaml"
    path.write_text(f"objective: {{}}\nmodel:\n  {written}\n")
    with pytest.raises(UserError) as told:
        pretrain_options.read(path)
    assert str(told.value).startswith(f"{path}, line {line}: ")
    assert message in str(told.value)
