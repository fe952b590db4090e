"""s3prl's `hf_*` entries: what they load is what was named, and what they return is what the model computes."""

import hashlib
import json
import shutil
from pathlib import Path

import foreign_models
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import s3prl_plugin
from s3prl_plugin import compat
from s3prl_plugin.compat import transformers
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import upstream_files

s3prl_plugin.register()
ENTRIES = {"Hubert": "hf_hubert_custom", "Wav2Vec2": "hf_wav2vec2_custom"}
STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
KINDS = [(kind, stable) for kind in ENTRIES for stable in (False, True)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a model, made once."""
    made = {}

    def of(kind="Hubert", **options):
        key = (kind, *sorted(options.items()))
        if key not in made:
            torch.manual_seed(len(made))
            made[key] = foreign_models.hf(kind, tmp_path_factory.mktemp(kind), **options)
        return made[key]

    return of


def load(kind, ckpt):
    from s3prl import hub

    return getattr(hub, ENTRIES[kind])(ckpt=str(ckpt), model_config=None, refresh=False)


def waveform(samples=8000, seed=0):
    return torch.randn(samples, generator=torch.Generator().manual_seed(seed))


def by_hand(path, wave):
    """The states of a folder's model, computed from its file of weights and its config.json alone.

    Returns:
        What enters the first layer and each layer's output, the last one as it leaves the model.
    """
    config, w = json.loads((path / "config.json").read_text()), load_file(path / "model.safetensors")
    stable = config["do_stable_layer_norm"]

    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"])

    def linear(x, name):
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def attention(x, name):
        q, k, v = (linear(x, f"{name}.{part}_proj") for part in "qkv")
        dim = x.shape[-1] // config["num_attention_heads"]
        q, k, v = (part.unflatten(-1, (-1, dim)).transpose(0, 1) for part in (q, k, v))
        scores = (q @ k.transpose(1, 2) / dim**0.5).softmax(-1)
        return linear((scores @ v).transpose(0, 1).flatten(1), f"{name}.out_proj")

    def feed_forward(x, name):
        return linear(F.gelu(linear(x, f"{name}.intermediate_dense")), f"{name}.output_dense")

    x = ((wave - wave.mean()) / (wave.var(correction=0) + 1e-7).sqrt())[None, None]
    for i, stride in enumerate(config["conv_stride"]):
        conv = f"feature_extractor.conv_layers.{i}"
        x = F.conv1d(x, w[f"{conv}.conv.weight"], w.get(f"{conv}.conv.bias"), stride)
        if config["feat_extract_norm"] == "layer":
            x = norm(x.transpose(1, 2), f"{conv}.layer_norm").transpose(1, 2)
        elif i == 0:
            x = F.group_norm(x, x.shape[1], w[f"{conv}.layer_norm.weight"], w[f"{conv}.layer_norm.bias"])
        x = F.gelu(x)
    x = linear(norm(x[0].T, "feature_projection.layer_norm"), "feature_projection.projection")
    gain, direction = (w[f"encoder.pos_conv_embed.conv.parametrizations.weight.original{i}"] for i in (0, 1))
    kernel = gain * direction / direction.norm(dim=(0, 1), keepdim=True)
    groups, width = config["num_conv_pos_embedding_groups"], config["num_conv_pos_embeddings"]
    positions = F.conv1d(x.T[None], kernel, w["encoder.pos_conv_embed.conv.bias"], padding=width // 2, groups=groups)
    x = x + F.gelu(positions[0, :, : len(x)]).T
    x = x if stable else norm(x, "encoder.layer_norm")
    states = [x]
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layers.{i}"
        if stable:
            x = x + attention(norm(x, f"{layer}.layer_norm"), f"{layer}.attention")
            x = x + feed_forward(norm(x, f"{layer}.final_layer_norm"), f"{layer}.feed_forward")
        else:
            x = norm(x + attention(x, f"{layer}.attention"), f"{layer}.layer_norm")
            x = norm(x + feed_forward(x, f"{layer}.feed_forward"), f"{layer}.final_layer_norm")
        states.append(x)
    states[-1] = norm(x, "encoder.layer_norm") if stable else x
    return states


@pytest.mark.parametrize(("kind", "stable"), KINDS)
def test_every_state_is_what_the_weights_give_by_hand(folder, kind, stable):
    path = folder(kind, **(STABLE if stable else {}))
    upstream, wave = load(kind, path).eval(), waveform()
    with torch.no_grad():
        found = upstream([wave])
    wanted = by_hand(Path(path), wave)
    assert len(found["hidden_states"]) == len(wanted) == 3
    for state, expected in zip(found["hidden_states"], wanted, strict=True):
        torch.testing.assert_close(state[0], expected, atol=2e-5, rtol=1e-4)
    assert found["last_hidden_state"] is found["hidden_states"][-1]


@pytest.mark.parametrize(("kind", "stable"), KINDS)
def test_training_leaves_no_layer_out_and_hides_no_frame(folder, kind, stable):
    options = {"layerdrop": 0.5, "mask_time_prob": 0.5, "mask_time_length": 2, "mask_feature_prob": 0.5}
    still = dict.fromkeys(("hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout"), 0.0)
    upstream = load(kind, folder(kind, **options, **still, **(STABLE if stable else {})))
    wave = waveform()
    with torch.no_grad():
        wanted = upstream.eval()([wave])["hidden_states"]
        upstream.train()
        for _ in range(10):
            found = upstream([wave])["hidden_states"]
            assert len(found) == 3
            assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_a_head_sums_layers_and_takes_the_last_state_while_the_upstream_is_trained(folder):
    from s3prl.upstream.interfaces import Featurizer

    upstream = load("Hubert", folder("Hubert", layerdrop=0.9, **STABLE))
    for key in ("hidden_states", "last_hidden_state"):
        head = Featurizer(upstream, key, upstream_device="cpu")
        assert head.feature_selection == key
        upstream.train()
        (feature,) = head([waveform()], upstream([waveform()]))
        assert feature.shape == (24, 32)
        feature.sum().backward()


def test_a_file_in_half_precision_is_computed_in_full(folder, tmp_path, capsys):
    path = shutil.copytree(folder(), tmp_path / "half")
    weights = {name: tensor.half() for name, tensor in load_file(path / "model.safetensors").items()}
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((path / "config.json").read_text()) | {"dtype": "float16"}
    (path / "config.json").write_text(json.dumps(config))
    capsys.readouterr()
    upstream = load("Hubert", path).eval()
    assert capsys.readouterr().err == f"[upstream] {path}: stored in float16, computed in float32\n"
    save_file({name: w.float() for name, w in weights.items()}, path / "model.safetensors", metadata={"format": "pt"})
    with torch.no_grad():
        found = upstream([waveform()])["hidden_states"]
    for state, expected in zip(found, by_hand(path, waveform()), strict=True):
        torch.testing.assert_close(state[0], expected, atol=2e-5, rtol=1e-4)


def test_the_digest_is_that_of_all_that_decides_the_states(folder, tmp_path):
    path = shutil.copytree(folder(), tmp_path / "copy")
    names = ("config.json", "model.safetensors", "preprocessor_config.json")
    listed = "".join(f"{hashlib.sha256((path / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    described = load("Hubert", path).describe()
    assert {name: value for name, value in described.items() if name != "config_id"} == {
        "checkpoint": str(path),
        "checkpoint_sha256": hashlib.sha256(listed.encode()).hexdigest(),
        "model_type": "hubert",
        "weights": "trained",
    }
    prepared = json.loads((path / names[2]).read_text()) | {"do_normalize": False}
    (path / names[2]).write_text(json.dumps(prepared))
    assert load("Hubert", path).describe()["checkpoint_sha256"] != described["checkpoint_sha256"]


@pytest.mark.parametrize(("kind", "loaded_as", "told"), [
    ("WavLM", "Hubert", "its model_type is wavlm, not hubert; load it with -u hf"),
    ("SEW", "Wav2Vec2", "its model_type is sew, not wav2vec2"),
    ("Wav2Vec2", "Hubert", "its model_type is wav2vec2, not hubert; load it with -u hf_wav2vec2_custom"),
    ("Hubert", "Wav2Vec2", "its model_type is hubert, not wav2vec2; load it with -u hf_hubert_custom"),
])  # fmt: skip
def test_another_architecture_is_refused(folder, kind, loaded_as, told):
    options = {"squeeze_factor": 2, "conv_stride": (5, 2, 2, 2, 2, 2, 2), "conv_kernel": (10, 3, 3, 3, 3, 2, 2)}
    with pytest.raises(UserError, match=told):
        load(loaded_as, folder(kind, **(options if kind == "SEW" else {})))


def changed(path, **options):
    """A folder whose config.json says something else."""
    config = json.loads((path / "config.json").read_text()) | options
    (path / "config.json").write_text(json.dumps(config))


def without(path, *names):
    """A folder whose weights lack some."""
    weights = load_file(path / "model.safetensors")
    assert set(names) <= set(weights)
    kept = {name: tensor for name, tensor in weights.items() if name not in names}
    save_file(kept, path / "model.safetensors", metadata={"format": "pt"})


DAMAGES = {
    "another model under this one's name": (
        lambda path: changed(path, model_type="hubert"), "WavLM", r"gru_rel_pos_const and 6 more are in its file"
    ),
    "a weight less": (
        lambda path: without(path, "encoder.layers.1.attention.q_proj.weight"), "Hubert",
        r"encoder.layers.1.attention.q_proj.weight are missing in its file of weights and would be random",
    ),
    "a layer less than there is": (
        lambda path: changed(path, num_hidden_layers=1), "Hubert", r"encoder.layers.1.\S+ and 15 more are in its file"
    ),
    "a layer more than there is": (lambda path: changed(path, num_hidden_layers=3), "Hubert", "are missing"),
    "another width": (lambda path: changed(path, hidden_size=64), "Hubert", "cannot be loaded|do not fit"),
    "no config.json": (lambda path: (path / "config.json").unlink(), "Hubert", "no config.json in this folder"),
    "half a config.json": (lambda path: (path / "config.json").write_text("{"), "Hubert", "config.json cannot be read"),
    "a list": (lambda path: (path / "config.json").write_text("[]"), "Hubert", "names no model_type"),
    "no weights": (lambda path: (path / "model.safetensors").unlink(), "Hubert", "no weights in this folder"),
    "half the weights": (
        lambda path: (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:5000]),
        "Hubert", "cannot be loaded",
    ),
    "no extractor": (
        lambda path: (path / "preprocessor_config.json").unlink(), "Hubert",
        "no preprocessor_config.json, which says whether waveforms are normalised; copy it from the model",
    ),
    "half an extractor": (
        lambda path: (path / "preprocessor_config.json").write_text("{"), "Hubert", "preprocessor_config.json, .* read"
    ),
    "an index that lists nothing": (
        lambda path: (path / "model.safetensors").rename(path / "model.safetensors.index.json").write_text("[]"),
        "Hubert", "does not list the files of weights",
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_that_is_not_all_there_is_one_line(folder, tmp_path, damage):
    change, kind, told = DAMAGES[damage]
    path = shutil.copytree(folder(kind), tmp_path / "damaged")
    change(path)
    with pytest.raises(UserError, match=told) as caught:
        load("Hubert", path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_heads_and_what_only_training_needs_may_differ(folder, tmp_path):
    import transformers

    path = tmp_path / "ctc"
    config = transformers.HubertConfig(**foreign_models.HF_SIZES, vocab_size=12)
    transformers.HubertForCTC(config).save_pretrained(path)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(path)
    weights = load_file(path / "model.safetensors")
    assert {"lm_head.weight", "hubert.masked_spec_embed"} <= weights.keys()
    without(path, "hubert.masked_spec_embed")
    upstream = load("Hubert", path).eval()
    stored = weights["hubert.encoder.layers.1.attention.q_proj.weight"]
    assert torch.equal(upstream.model.encoder.layers[1].attention.q_proj.weight, stored)


def test_weights_in_several_files_and_in_two_formats(folder, tmp_path, capsys):
    import transformers

    path = shutil.copytree(folder(), tmp_path / "parts")
    model = transformers.HubertModel.from_pretrained(path)
    torch.save({"not": "loaded"}, path / "pytorch_model.bin")
    capsys.readouterr()
    load("Hubert", path)
    assert (
        capsys.readouterr().err
        == f"[upstream] {path}: model.safetensors is loaded, and not pytorch_model.bin beside it\n"
    )
    (path / "model.safetensors").unlink()
    (path / "pytorch_model.bin").unlink()
    model.save_pretrained(path, max_shard_size="50kB")
    assert len(list(path.glob("model-*.safetensors"))) > 1
    before = load("Hubert", path).describe()["checkpoint_sha256"]
    last = max(path.glob("model-*.safetensors"))
    save_file({name: w + 1 for name, w in load_file(last).items()}, last, metadata={"format": "pt"})
    assert load("Hubert", path).describe()["checkpoint_sha256"] != before


def test_a_model_of_the_hub_is_found_in_its_cache(folder, tmp_path, monkeypatch):
    from huggingface_hub import constants

    snapshot = tmp_path / "models--someone--small" / "snapshots" / ("0123456789ab" + "c" * 28)
    shutil.copytree(folder(), snapshot)
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text(snapshot.name)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    described = load("Hubert", "someone/small").describe()
    assert described["checkpoint"] == "someone/small@0123456789ab"
    assert described["checkpoint_sha256"] == load("Hubert", folder()).describe()["checkpoint_sha256"]
    with pytest.raises(UserError, match=r"^someone/large: no such folder, and no such model can be fetched"):
        load("Hubert", "someone/large")


@pytest.mark.parametrize("name", ["../no/such", "/no/such/folder", "./none", "http://somewhere/model"])
def test_a_folder_that_is_not_there_is_one_line_that_names_it(name):
    with pytest.raises(UserError, match=f"{name}: no such folder"):
        load("Hubert", name)


def test_a_configuration_that_nothing_reads_is_refused(folder, tmp_path):
    from s3prl import hub

    with pytest.raises(UserError, match=r"own.yaml: hf_hubert_custom reads no options of its own; leave -g out"):
        hub.hf_hubert_custom(ckpt=folder(), model_config=str(tmp_path / "own.yaml"))


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"1")
    with pytest.raises(UserError, match=r"model.pt: a file; hf_hubert_custom reads a folder"):
        load("Hubert", tmp_path / "model.pt")


def test_what_is_healed_is_listed():
    import s3prl.hub  # noqa: F401

    healed = [healing.what for healing in compat.healed()]
    for entry in ENTRIES.values():
        assert f"{entry}: the last of hidden_states is last_hidden_state, after the model's final norm" in healed
        assert f"{entry}: no LayerDrop and no SpecAugment in training" in healed


def test_a_name_of_the_hub_is_for_the_entries_that_fetch_it():
    for entry in ENTRIES.values():
        assert transformers.fetches(entry)
        upstream_files.check(entry, "someone/model")
    assert not transformers.fetches("hubert_local")
    with pytest.raises(UserError, match="no such file; hubert_local loads a local checkpoint"):
        upstream_files.check("hubert_local", "someone/model")
