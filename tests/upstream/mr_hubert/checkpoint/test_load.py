"""Checkpoints in both formats, and everything that may be wrong with one."""

import dataclasses
import hashlib
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load

EXCERPT = Path(__file__).parents[3] / "data" / "mr_hubert" / "checkpoint.pt"


@pytest.fixture
def content():
    """What is in a good checkpoint, to be spoilt."""
    return torch.load(EXCERPT, weights_only=True)


@pytest.fixture
def spoilt(tmp_path, content):
    """Write the content and read it: the message of the refusal."""

    def read(value=None):
        path = tmp_path / "spoilt.pt"
        torch.save(content if value is None else value, path)
        with pytest.raises(UserError) as error:
            load.load(path)
        message = str(error.value)
        assert message.startswith(str(path))
        assert "\n" not in message
        return message

    return read


def test_what_a_file_of_fairseq_says():
    loaded = load.load(EXCERPT)
    assert loaded.config.layers == (2, 2, 2)
    assert loaded.config.ratios == ((1, 2),)
    assert loaded.config.conv_layers[1:5] == ((32, 3, 2),) * 4
    assert (loaded.normalize, loaded.train_step, loaded.heads, loaded.label_rate) == (False, 2, 0, 50.0)
    assert loaded.sha256 == hashlib.sha256(EXCERPT.read_bytes()).hexdigest()


@pytest.mark.parametrize(("name", "heads", "single"), [("t2res", 2, False), ("t3res", 3, False), ("tsingle", 2, True)])
def test_prediction_heads_are_counted(shared, name, heads, single):
    loaded = load.load(shared / "oracle" / "mr_hubert" / name / "checkpoint.pt")
    assert (loaded.heads, loaded.single_target, loaded.single_prediction) == (heads, single, False)


def test_plain_hubert_has_one_head_and_its_block_is_mid(shared):
    loaded = load.load(shared / "oracle" / "mr_hubert" / "hubert" / "checkpoint.pt")
    assert loaded.heads == 1
    assert [block.name for block in loaded.config.blocks] == ["mid"]


def test_saved_and_loaded_again(tmp_path):
    network = small.random_network(small.small_config(layers=(1, 2, 1, 3, 1), ratios=((1, 2), (1, 2))), seed=5)
    head = {"final_projs.0.weight": torch.ones(3, 64), "mask_emb": torch.ones(64)}
    path = load.save(tmp_path / "c.pt", network, normalize=True, train_step=7, label_rate=25, heads=head)
    loaded = load.load(path)
    assert loaded.config == network.config
    assert (loaded.normalize, loaded.train_step, loaded.label_rate, loaded.heads) == (True, 7, 25.0, 1)
    for name, tensor in loaded.network().state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name])
    stored = torch.load(path, weights_only=True)
    # fairseq lists the decoders' layers from the finest rate.
    assert stored["cfg"]["model"]["override_encoder_layers"] == "[1, 2, 1, 1, 3]"
    assert list(tmp_path.iterdir()) == [path]


def test_random_checkpoints_are_seeded_and_say_so(tmp_path):
    state = torch.get_rng_state()
    paths = [small.write_random_checkpoint(tmp_path / f"{i}.pt", seed=seed) for i, seed in enumerate((1, 1, 2))]
    assert torch.equal(torch.get_rng_state(), state)
    first, same, other = map(load.load, paths)
    assert first.train_step == 0
    assert first.sha256 == same.sha256 != other.sha256
    assert first.config.hop == 320
    assert first.config.min_samples == 400
    assert paths[0].stat().st_size < 3e6


def test_half_precision_and_optimizer_state(tmp_path, content):
    content["model"] = {name: tensor.half() for name, tensor in content["model"].items()}
    content["last_optimizer_state"] = {"state": {i: {"exp_avg": torch.zeros(10)} for i in range(3)}, "param_groups": []}
    content["cfg"]["model"]["label_rate"] = 50
    content["cfg"]["task"].pop("label_rate")
    torch.save(content, tmp_path / "half.pt")
    loaded = load.load(tmp_path / "half.pt")
    assert loaded.label_rate == 50.0
    weights = loaded.network().state_dict()
    assert all(tensor.dtype == torch.float32 for tensor in weights.values())
    assert torch.equal(weights["layer_norm.weight"], content["model"]["layer_norm.weight"].float())


def test_s3prl_s_conversion(tmp_path, content):
    converted = {
        "task_cfg": content["cfg"]["task"],
        "model_cfg": {key: value for key, value in content["cfg"]["model"].items() if key != "_name"},
        "model_weight": content["model"],
        "dictionaries_symbols": [["<s>", "a"], ["<s>"]],
    }
    torch.save(converted, tmp_path / "converted.pt")
    loaded, original = load.load(tmp_path / "converted.pt"), load.load(EXCERPT)
    assert loaded.config == original.config
    assert loaded.train_step is None
    for name, tensor in loaded.network().state_dict().items():
        assert torch.equal(tensor, original.weights[name])


def test_s3prl_s_conversion_of_a_plain_hubert(tmp_path):
    config = dataclasses.replace(small.small_config(layers=(2,), ratios=()), middle_residual=False)
    network = small.random_network(config)
    content = torch.load(load.save(tmp_path / "c.pt", network), weights_only=True)
    assert "encoder.layers.1.fc1.weight" in content["model"]
    content["cfg"]["model"].pop("_name")
    parts = {"task_cfg": content["cfg"]["task"], "model_cfg": content["cfg"]["model"], "model_weight": content["model"]}
    torch.save(parts | {"dictionaries_symbols": []}, tmp_path / "converted.pt")
    assert load.load(tmp_path / "converted.pt").config == network.config


def test_network_outlives_its_file(tmp_path):
    path = small.write_random_checkpoint(tmp_path / "c.pt")
    network = load.load(path).network()
    before = network.middle_encoder.layers[0].fc1.weight.clone()
    path.write_bytes(b"\0" * path.stat().st_size)
    assert torch.equal(network.middle_encoder.layers[0].fc1.weight, before)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.pt: no such file"):
        load.load(tmp_path / "nowhere.pt")
    with pytest.raises(UserError, match="is a folder"):
        load.load(tmp_path)


@pytest.mark.parametrize("kept", [0, 2, 100, 5000, 1_000_000, -1])
def test_truncated_file(tmp_path, kept):
    path = tmp_path / "cut.pt"
    path.write_bytes(EXCERPT.read_bytes()[:kept])
    with pytest.raises(UserError, match="again"):
        load.load(path)


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path):
    data = bytearray(EXCERPT.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "flipped.pt").write_bytes(data)
    with pytest.raises(UserError, match="checksum"):
        load.load(tmp_path / "flipped.pt")


@pytest.mark.parametrize("data", [b"RIFF0000WAVE", b"hello world\n" * 50, b"\x00" * 4096, b"PK\x03\x04 something"])
def test_not_a_checkpoint(tmp_path, data):
    (tmp_path / "other.pt").write_bytes(data)
    with pytest.raises(UserError, match=r"other\.pt: "):
        load.load(tmp_path / "other.pt")


def test_format_of_before_torch_1_6(tmp_path, content):
    torch.save(content, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    with pytest.raises(UserError, match=r"before 1\.6"):
        load.load(tmp_path / "old.pt")


def test_torchscript_and_foreign_archives(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(UserError):
        load.load(tmp_path / "script.pt")
    subprocess.run([sys.executable, "-m", "zipfile", "-c", tmp_path / "a.pt", __file__], check=True)
    with pytest.raises(UserError, match="archive"):
        load.load(tmp_path / "a.pt")


def test_state_dict_alone(spoilt, content):
    assert "state dict" in spoilt(content["model"])


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, {}, torch.zeros(3), None, 5])
def test_other_things_that_torch_saves(spoilt, value):
    assert "MR-HuBERT" in spoilt({"holder": value} if value is None else value)


def test_load_of_another_model(spoilt, content):
    content["cfg"]["model"]["_name"] = "wav2vec2"
    assert "another model (wav2vec2)" in spoilt()


def test_load_without_configuration(spoilt, content):
    content["cfg"] = None
    assert "without a configuration" in spoilt()


def test_missing_and_misshapen_weights(spoilt, content):
    weight = content["model"].pop("encoders.0.layers.1.fc1.weight")
    assert "lacks encoders.0.layers.1.fc1.weight" in spoilt()
    content["model"]["encoders.0.layers.1.fc1.weight"] = weight.T
    assert "encoders.0.layers.1.fc1.weight has shape (64, 128)" in spoilt()
    content["model"]["encoders.0.layers.1.fc1.weight"] = weight.int()
    assert "real numbers" in spoilt()
    content["model"]["encoders.0.layers.1.fc1.weight"] = [1.0]
    assert "real numbers" in spoilt()
    content["model"]["encoders.0.layers.1.fc1.weight"] = weight * float("nan")
    assert "not finite" in spoilt()


def test_swapped_weights(spoilt, content):
    model = content["model"]
    names = "encoders.0.layers.0.fc1.weight", "encoders.0.layers.0.fc2.weight"
    model[names[0]], model[names[1]] = model[names[1]], model[names[0]]
    assert "has shape" in spoilt()


def test_weights_that_the_configuration_does_not_know(spoilt, content):
    content["model"]["encoders.0.layers.2.fc1.weight"] = torch.zeros(128, 64)
    assert "has no place" in spoilt()


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("encoder_layers", 10**6, "layers"),
        ("override_encoder_layers", "[1000000,2,2]", "layers"),
        ("override_encoder_layers", "[2] * 1000000", "override_encoder_layers: "),
        ("override_encoder_layers", "[2,2]", "blocks"),
        ("override_encoder_layers", "[0,2,2]", "layers"),
        ("encoder_embed_dim", 10**9, "dim"),
        ("encoder_embed_dim", 32768, "shape"),
        ("encoder_ffn_embed_dim", 2**40, "ffn"),
        ("encoder_ffn_embed_dim", -1, "a whole number from 1 to"),
        ("encoder_attention_heads", 0, "heads"),
        ("encoder_attention_heads", 5, "heads"),
        ("conv_feature_layers", "[(10**9,10,5)]", "not allowed"),
        ("conv_feature_layers", "[(2000000000,10,5)]", "convolution"),
        ("conv_feature_layers", "[(32,10,0)]", "convolution"),
        ("conv_feature_layers", "[(32,10,5)] * 500", "convolutions"),
        ("conv_feature_layers", "len('ab')", "not allowed"),
        ("conv_feature_layers", [("a", 1, 1)], "conv_feature_layers"),
        ("conv_pos", 10**8, "conv_pos: 100000000 is not possible"),
        ("conv_adapator_kernal", 0, "conv_adapator_kernal: 0"),
        ("conv_adapator_kernal", None, "whole number"),
        ("label_rate_ratios", [1, 2] * 50, "resolutions"),
        ("label_rate_ratios", [1], "pairs"),
        ("label_rate_ratios", [0, 2], "0/2"),
        ("label_rate_ratios", [3, 2], "stride"),
        ("label_rate_ratios", "None", "not allowed"),
        ("layer_type", "conformer", "conformer"),
        ("activation_fn", "relu", "relu"),
        ("dropout", "high", "number"),
        ("dropout", 1.5, "dropout: 1.5 is not possible; give a number from 0 to below 1"),
        ("extractor_mode", "none", "extractor_mode"),
    ],
)
def test_configurations_that_cannot_be(spoilt, content, key, value, reason):
    content["cfg"]["model"][key] = value
    assert reason in spoilt()


def test_a_shape_of_stride_zero_does_not_take_memory(spoilt, content):
    # 2^15 x 2^17 numbers, every one of them the same four bytes.
    content["cfg"]["model"].update(encoder_ffn_embed_dim=2**17)
    for name in list(content["model"]):
        if "fc1.weight" in name:
            content["model"][name] = torch.zeros(1).expand(2**17, 64)
        elif "fc2.weight" in name:
            content["model"][name] = torch.zeros(1).expand(64, 2**17)
        elif "fc1.bias" in name:
            content["model"][name] = torch.zeros(1).expand(2**17)
    assert "larger than the file" in spoilt()


class _Runs:
    """An object whose unpickling calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


RAN = []


def mark(place):
    """What a file below asks to be called; harmless, and seen."""
    RAN.append(place)


@pytest.mark.parametrize("place", ["args", "cfg", "model", "task_state", "everything"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_names_a_function_is_refused(tmp_path, content, place, protocol):
    named = _Runs(mark, place)
    value = named if place == "everything" else content | {place: named}
    torch.save(value, tmp_path / "named.pt", pickle_protocol=protocol)
    with pytest.raises(UserError, match=r"names [\w.]*test_load\.mark") as error:
        load.load(tmp_path / "named.pt")
    assert "\n" not in str(error.value)
    assert RAN == []


def test_a_bare_pickle_that_names_a_function_is_refused(tmp_path):
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(_Runs(mark, "bare")))
    with pytest.raises(UserError, match=r"test_load\.mark"):
        load.load(tmp_path / "bare.pt")
    assert RAN == []


def test_what_torch_allows_and_a_checkpoint_does_not_need(tmp_path, content):
    torch.save(content | {"args": _Runs(bytearray, 10**12)}, tmp_path / "large.pt", pickle_protocol=2)
    with pytest.raises(UserError, match="bytearray"):
        load.load(tmp_path / "large.pt")
