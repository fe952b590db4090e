"""HuBERT as other libraries save it, against what torchaudio's own network computes from the same weights."""

import json
import re

import pytest
import torch
from safetensors.torch import save_file

import s3prl_plugin
from s3prl_plugin import own_upstreams
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.checkpoint import foreign_names, load
from s3prl_plugin.upstream.mr_hubert.hubconf import hubert_any

s3prl_plugin.register()

DIM, LAYERS, HEADS = 48, 2, 4
CONVOLUTIONS = [[32, 10, 5], *[[32, 3, 2]] * 4, *[[32, 2, 2]] * 2]


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """A size that fits a test, beside those that are published."""
    monkeypatch.setitem(foreign_names.HEADS, (DIM, LAYERS), HEADS)


def of_torchaudio(mode):
    """torchaudio's network with random weights; the large ones normalise every convolution, and before every layer."""
    import torchaudio

    torch.manual_seed(0)
    network = torchaudio.models.wav2vec2_model(
        extractor_mode=mode,
        extractor_conv_layer_config=CONVOLUTIONS,
        extractor_conv_bias=False,
        encoder_embed_dim=DIM,
        encoder_projection_dropout=0.1,
        encoder_pos_conv_kernel=128,
        encoder_pos_conv_groups=16,
        encoder_num_layers=LAYERS,
        encoder_num_heads=HEADS,
        encoder_attention_dropout=0.1,
        encoder_ff_interm_features=96,
        encoder_ff_interm_dropout=0.0,
        encoder_dropout=0.1,
        encoder_layer_norm_first=mode == "layer_norm",
        encoder_layer_drop=0.05,
        aux_num_out=None,
    )
    with torch.no_grad():  # norms and biases are random, too, and could not be exchanged unnoticed
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network.eval()


def as_minimal_hubert(state):
    """torchaudio's parameters under minimal-hubert's names (0.0.8), and those that only its pre-training uses."""
    found = {}
    for name, tensor in state.items():
        name = name.replace("encoder.transformer.", "encoder.").replace(
            "encoder.feature_projection.", "feature_projection.0."
        )
        name = name.replace("pos_conv_embed.conv.", "pos_conv_embed.convs.0.").replace(".out_proj.", ".proj.")
        found[name] = tensor
    for kind in ("weight", "bias"):
        for i in range(LAYERS):
            at = f"encoder.layers.{i}.attention."
            found[f"{at}qkv.{kind}"] = torch.cat([found.pop(f"{at}{part}_proj.{kind}") for part in "qkv"])
    found["mask_embedding"] = torch.zeros(DIM)
    found["logit_generator.label_embeddings"] = torch.zeros(100, 16)
    found["logit_generator.logit_temp"] = torch.tensor(0.1)
    return found


def a_batch():
    torch.manual_seed(1)
    return 0.1 * torch.randn(1, 8000) + 0.02


@torch.no_grad()
def expected_layers(network, waveform):
    return network.extract_features(waveform)[0]


def agrees(upstream, network, normalised):
    """Whether every layer is what torchaudio computes, of a waveform that is normalised or not."""
    waveform = a_batch()
    given = torch.nn.functional.layer_norm(waveform, waveform.shape[1:]) if normalised else waveform
    expected = expected_layers(network, given)
    if upstream.network.config.layer_norm_first:  # whose last layer is seen through the final norm
        expected[-1] = network.encoder.transformer.layer_norm(expected[-1]).detach()
    with torch.no_grad():
        found = upstream(list(waveform))["hidden_states"]
    assert len(found) == LAYERS + 1
    for layer, tensor in zip(found[1:], expected, strict=True):
        torch.testing.assert_close(layer, tensor, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("mode", ["group_norm", "layer_norm"])
@pytest.mark.parametrize("prefix", ["", "wav2vec2."])
def test_torchaudio(tmp_path, mode, prefix):
    network = of_torchaudio(mode)
    torch.save({prefix + name: tensor for name, tensor in network.state_dict().items()}, tmp_path / "hubert.pth")
    upstream = hubert_any(tmp_path / "hubert.pth").eval()
    agrees(upstream, network, normalised=mode == "layer_norm")
    assert own_upstreams.entry_for(tmp_path / "hubert.pth") == "hubert_any"
    assert upstream.describe()["weights"] == "trained"


@pytest.mark.parametrize("mode", ["group_norm", "layer_norm"])
def test_a_checkpoint_of_minimal_huberts_training(tmp_path, mode):
    network = of_torchaudio(mode)
    state = as_minimal_hubert(network.state_dict())
    step = torch.full((1,), 4000)
    held = {"model": state, "optimizer": {"state": {}}, "scheduler": {}, "scaler": {}, "epoch": step, "step": step}
    torch.save(held, tmp_path / "step_4000.pt")
    upstream = hubert_any(tmp_path / "step_4000.pt").eval()
    agrees(upstream, network, normalised=True)
    assert upstream.describe()["train_step"] == 4000
    assert [tap.name for tap in own_upstreams.taps("hubert_any", str(tmp_path / "step_4000.pt"), None)][:2] == [
        "mid.pre",
        "mid.layer0",
    ]


def test_a_folder_of_minimal_hubert(tmp_path):
    network = of_torchaudio("group_norm")
    state = {name: tensor for name, tensor in as_minimal_hubert(network.state_dict()).items() if "logit" not in name}
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"size": "base"}))
    agrees(hubert_any(tmp_path).eval(), network, normalised=True)
    assert own_upstreams.entry_for(tmp_path) == "hubert_any"


def test_fairseq_and_s3prl(tmp_path, small_checkpoint):
    from benchmarks import converted
    from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local

    with torch.no_grad():
        expected = mr_hubert_local(small_checkpoint).eval()(list(a_batch()))["hidden_states"]
        converted.save(tmp_path / "converted.pt", load.load(small_checkpoint).network())
        for path in (small_checkpoint, tmp_path / "converted.pt"):
            found = hubert_any(path).eval()(list(a_batch()))["hidden_states"]
            assert all(map(torch.equal, found, expected))


def test_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.HubertConfig(
        hidden_size=DIM,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=96,
        conv_dim=[32] * 7,
    )
    torch.manual_seed(0)
    model = transformers.HubertModel(config).eval()
    model.save_pretrained(tmp_path)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)
    with torch.no_grad():
        expected = model(a_batch()).last_hidden_state
        found = hubert_any(tmp_path).eval()(list(a_batch()))["hidden_states"][-1]
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=1e-4)
    assert own_upstreams.taps("hubert_any", str(tmp_path), None) is None
    with pytest.raises(UserError, match=re.escape(f"give its folder, -k {tmp_path}")):
        hubert_any(tmp_path / "model.safetensors")
    said = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**said, "model_type": "wav2vec2"}))
    with pytest.raises(UserError, match="its model_type is wav2vec2, and hubert_any loads HuBERT; load it with -u hf"):
        hubert_any(tmp_path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"encoder.layers.2.feed_forward.intermediate_dense.weight": torch.zeros(96, DIM)}, "3 layers of 48"),
        ({"encoder.pos_conv_embed.convs.1.bias": torch.zeros(DIM)}, "no place"),  # SpidR's five convolutions
        ({"encoder.layers.0.attention.qkv.weight": torch.zeros(7, DIM)}, "lacks middle_encoder.layers.0.self_attn"),
        ({"feature_extractor.conv_layers.1.conv.weight": torch.zeros(32, 32, 5)}, "front end"),
        ({"encoder.pos_conv_embed.convs.0.parametrizations.weight.original1": torch.zeros(3)}, "3 dimensions"),
    ],
)
def test_another_network_under_such_names_is_refused(tmp_path, change, reason):
    torch.save({**as_minimal_hubert(of_torchaudio("group_norm").state_dict()), **change}, tmp_path / "other.pt")
    with pytest.raises(UserError, match=reason):
        hubert_any(tmp_path / "other.pt")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        hubert_any(tmp_path / "hubert.pt")
    with pytest.raises(UserError, match="give a file, a folder or a name"):
        hubert_any()
