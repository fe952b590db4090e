"""What cannot be loaded is said in one line with the cure, and nothing in the folder is run."""

import json
import pickle
from pathlib import Path

import hf_models
import pytest
import torch
from safetensors.torch import load_file, save_file

import s3prl_plugin
from s3prl_plugin.errors import UserError

transformers = pytest.importorskip("transformers")
s3prl_plugin.register()


def load(path, **options):
    from s3prl import hub

    return hub.hf(ckpt=str(path), **options)


@pytest.fixture
def folder(tmp_path):
    """A small wav2vec 2.0 that can be spoilt."""
    return Path(hf_models.save("hubert-stable", tmp_path / "model"))


def refused(path, said, **options):
    with pytest.raises(UserError, match=said) as raised:
        load(path, **options)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500
    return str(raised.value)


def changed(folder, **config):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    return folder


def with_weights(folder, change):
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})
    return folder


def test_a_folder_without_config(folder):
    (folder / "config.json").unlink()
    refused(folder, r"no config\.json in this folder")


def test_a_folder_without_weights_and_one_without_an_extractor(folder):
    (folder / "preprocessor_config.json").unlink()
    refused(folder, r"no preprocessor_config\.json, .*; copy it from the model")
    (folder / "model.safetensors").unlink()
    refused(folder, "no weights in this folder")


def text(folder):
    transformers.BertConfig(hidden_size=16, num_attention_heads=2).save_pretrained(folder)


def vision(folder):
    transformers.ViTConfig(hidden_size=16, num_attention_heads=2).save_pretrained(folder)


@pytest.mark.parametrize(("kind", "takes"), [(text, "a bert takes input_ids"), (vision, "a vit takes pixel_values")])
def test_a_model_of_text_or_of_pictures(folder, kind, takes):
    kind(folder)
    refused(folder, f"{takes}, not speech")


def test_an_unknown_architecture(folder):
    refused(changed(folder, model_type="hubert3000"), r"does not know its model_type hubert3000 .*a newer version may")


def test_a_name_on_the_hub_without_a_network(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    refused("nobody/nothing", r"no such folder, and no such model can be fetched .*; check the path, or copy")


def test_no_model_at_all():
    refused_without = pytest.raises(UserError, match=r"give it with -k, or as -u hf:NAME")
    from s3prl import hub

    with refused_without:
        hub.hf()


def test_nan_in_a_weight(folder):
    def spoil(weights):
        weights["encoder.layers.1.final_layer_norm.weight"][3] = float("nan")

    refused(with_weights(folder, spoil), r"weight encoder\.layers\.1\.final_layer_norm\.weight is NaN")


def test_quantised_weights(folder):
    refused(changed(folder, quantization_config={"quant_method": "bitsandbytes"}), "its weights are quantised; give")


def test_weights_that_are_missing_or_too_many(folder):
    def without(weights):
        del weights["encoder.layers.1.attention.q_proj.weight"]

    refused(with_weights(folder, without), r"q_proj\.weight (are|is) missing in its file .* would be random")


def test_fewer_layers_than_the_file_holds(folder):
    refused(changed(folder, num_hidden_layers=1), r"encoder\.layers\.1\..* have no place in the model")


def test_a_damaged_file(folder):
    (folder / "model.safetensors").write_bytes(b"\0" * 100)
    refused(folder, "cannot be loaded .*; save the model again")


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_is_not_run(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"weight": Touch(tmp_path / "ran")}))
    refused(folder, "cannot be loaded")
    torch.save({"weight": Touch(tmp_path / "ran")}, folder / "pytorch_model.bin")
    refused(folder, "cannot be loaded")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("samples", [1, 200, 399])
def test_audio_that_is_too_short(folder, samples):
    upstream = load(folder)
    with pytest.raises(UserError, match=f"an utterance of {samples} samples is too short for this model"):
        upstream([torch.randn(samples)])


@pytest.mark.parametrize(
    ("wave", "said"),
    [
        (torch.zeros(2, 8000), "is 2 x 8000 of torch.float32; give one channel"),
        (torch.zeros(8000, dtype=torch.int16), "give one channel of floats"),
        (torch.full((8000,), torch.nan), "holds NaN"),
        (torch.zeros(0), "has no samples"),
    ],
)
def test_waveforms_that_are_none(folder, wave, said):
    with pytest.raises(UserError, match=said):
        load(folder)([wave])


def test_a_model_with_one_layer(tmp_path):
    upstream = load(hf_models.save("wavlm", tmp_path, num_hidden_layers=1))
    assert [tap.name for tap in upstream.taps if tap.role == "state"] == ["layer0", "layer1"]


def test_another_sampling_rate_is_said(tmp_path, capfd):
    load(hf_models.save("encodec", tmp_path))
    assert "hears 24000 Hz: waveforms are resampled from 16000" in capfd.readouterr().err


def test_a_model_of_no_known_family_is_seen_by_the_rule(tmp_path):
    """Speech2Text has no entry: its encoder's list of layers is found, at 40 ms, and the norm behind it."""
    sizes = {"d_model": 32, "encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "vocab_size": 20, "conv_channels": 32}
    transformers.Speech2TextModel(transformers.Speech2TextConfig(**sizes, **heads)).save_pretrained(tmp_path)
    transformers.Speech2TextFeatureExtractor().save_pretrained(tmp_path)
    upstream = load(tmp_path)
    assert {tap.name: tap.stride for tap in upstream.taps} == {"layer0": 640, "layer1": 640, "out": 640}


def test_what_has_no_frames_of_time_alone_or_none_that_are_equally_far_apart(tmp_path):
    from s3prl import hub

    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    ast = transformers.ASTModel(transformers.ASTConfig(**small))
    qwen = {"encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 32, "d_model": 32, "output_dim": 32}
    qwen3 = transformers.Qwen3ASREncoder(transformers.Qwen3ASREncoderConfig(**qwen, downsample_hidden_size=8))
    for model, extractor, reason in (
        (ast, transformers.ASTFeatureExtractor(), "no list of layers is seen here"),
        (qwen3, transformers.Qwen3ASRFeatureExtractor(), "not equally far apart"),
    ):
        folder = tmp_path / type(model).__name__
        model.save_pretrained(folder)
        extractor.save_pretrained(folder)
        with pytest.raises(UserError, match=reason):
            hub.hf(ckpt=str(folder))


def test_audio_that_the_extractor_would_cut_off_is_refused(tmp_path):
    from s3prl import hub

    upstream = hub.hf(ckpt=hf_models.save("glmasr_encoder", tmp_path), longer="cut")
    upstream([torch.zeros(30 * 16000)])
    with pytest.raises(UserError, match=r"30\.0 s: this model hears 30 s at once; leave it out or cut it"):
        upstream([torch.zeros(30 * 16000 + 1)])
