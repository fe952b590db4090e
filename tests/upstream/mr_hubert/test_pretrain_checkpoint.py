"""Checkpoints of a pre-training, read by this plugin's upstreams and by s3prl's own."""

import sys
from types import ModuleType

import pytest
import torch
from tones import MODEL

from s3prl_plugin.config import schema
from s3prl_plugin.states.taps import SAMPLE_RATE
from s3prl_plugin.upstream.mr_hubert.checkpoint import load, torch_file
from s3prl_plugin.upstream.mr_hubert.checkpoint.fairseq_config import Model
from s3prl_plugin.upstream.mr_hubert.hubconf import hubert_fairseq_local, mr_hubert_local
from s3prl_plugin.upstream.mr_hubert.pretrain.expert import UpstreamPretrainExpert

CLASSES = 7
CELLS = {
    "two rates": ({}, {}),
    "three rates": ({"label_rate_ratios": [1, 2, 1, 2], "override_encoder_layers": "[1,2,1,1,2]"}, {}),
    "20 ms": ({"label_rate_ratios": [1, 1]}, {"auxiliary_every": 2}),
    "single prediction": ({}, {"use_single_prediction": True}),
    "plain sampling, normalized": ({"use_plain_updownsample": True}, {"normalize": True}),
    "plain HuBERT": ({"label_rate_ratios": [], "encoder_layers": 2}, {}),
}


class Loader:
    """In the place of data."""

    class speech:
        classes = (CLASSES,)


@pytest.fixture(params=CELLS)
def exported(request, tmp_path):
    """An expert and the checkpoint that it wrote."""
    model, objective = CELLS[request.param]
    given = {"model": {**MODEL, **model}, "objective": {"final_dim": 16, **objective}}
    expert = UpstreamPretrainExpert({}, given, seed=2, loaders=(Loader, None))
    with torch.no_grad():
        for parameter in expert.parameters():  # away from what an initialisation would give again
            parameter += 0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    path = tmp_path / "checkpoint_12.pt"
    expert.export(path, 12)
    return expert, path


def test_configuration_and_weights_come_back(exported):
    expert, path = exported
    read = load.load(path)
    assert read.config == expert.options.config
    assert read.train_step == 12
    assert read.heads == expert.options.heads
    assert read.normalize == expert.options.objective.normalize
    assert (read.single_target, read.single_prediction) == (True, expert.options.objective.use_single_prediction)
    ours = expert.model.network.state_dict()
    assert read.weights.keys() == ours.keys()
    assert all(torch.equal(read.weights[name], ours[name]) for name in ours)
    rest = torch_file.read(path)["model"].keys() - {load._stored_name(n, not read.config.middle_residual) for n in ours}
    shapes = {name: tuple(torch_file.read(path)["model"][name].shape) for name in rest}
    rows, width, dim = CLASSES + 4, 16, MODEL["encoder_embed_dim"]
    wanted = {"mask_emb": (dim,)}
    if read.config.middle_residual:
        for i in range(read.heads):
            wanted |= {f"final_projs.{i}.weight": (width, dim), f"final_projs.{i}.bias": (width,)}
            wanted[f"label_embs_concat.{i}"] = (rows, width)
    else:
        wanted |= {"final_proj.weight": (width, dim), "final_proj.bias": (width,), "label_embs_concat": (rows, width)}
    assert shapes == wanted


def test_the_upstream_computes_what_was_trained(exported):
    expert, path = exported
    entry = mr_hubert_local if expert.options.config.ratios else hubert_fairseq_local
    waveform = torch.randn(SAMPLE_RATE // 2, generator=torch.Generator().manual_seed(0))
    heard = waveform
    if expert.options.objective.normalize:
        heard = torch.nn.functional.layer_norm(waveform, waveform.shape)
    expert.eval()
    with torch.no_grad():
        found = entry(ckpt=path).eval()([waveform])
        network = expert.model.network
        convolved, frames = network.convolved(heard[None], [len(heard)], exact=True)
        states = list(network.states(network.projected(convolved), frames, True))
    outputs = [state.x for state in states if state.name.startswith("res_out")]
    assert len(found["outputs"]) == len(outputs)
    for one, other in zip(found["outputs"], outputs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_s3prl_converts_and_reads_it(exported, tmp_path, monkeypatch):
    """The conversion needs fairseq's reader and dictionary; a class with the attributes is enough for its pickle."""
    import s3prl_plugin

    s3prl_plugin.register()
    from s3prl.upstream.hubert import convert as plain
    from s3prl.upstream.multires_hubert import convert as multires

    expert, path = exported
    convert = multires if expert.options.config.ratios else plain
    for name in ("fairseq", "fairseq.data", "fairseq.data.dictionary"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["fairseq.data.dictionary"].Dictionary = type(
        "Dictionary", (), {"__module__": "fairseq.data.dictionary"}
    )

    def read(source):
        content = torch.load(source, weights_only=False)  # a file that this test has just written
        return content, content["cfg"]

    monkeypatch.setattr(convert, "load_fairseq_ckpt", read)
    convert.load_and_convert_fairseq_ckpt(path, tmp_path / "converted.pt")
    model, _ = convert.load_converted_model(tmp_path / "converted.pt")  # strict: every tensor, in its shape
    converted = load.load(tmp_path / "converted.pt")
    assert converted.config == expert.options.config
    symbols = torch.load(tmp_path / "converted.pt")["dictionaries_symbols"]
    assert symbols == [["<s>", "<pad>", "</s>", "<unk>", *map(str, range(CLASSES))]]
    if not expert.options.config.ratios:
        waveform = torch.randn(1, 8000, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            theirs = model.eval().extract_features(waveform, mask=False)[0]
            ours = hubert_fairseq_local(ckpt=path).eval()([waveform[0]])["outputs"][-1]
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_names_are_those_that_fairseq_writes(shared, tmp_path):
    """A checkpoint of fairseq itself: the same tensors, in the same shapes, and no key of the model's that it lacks."""
    for name in ("tsingle", "hubert"):
        theirs = torch_file.read(shared / "oracle" / "mr_hubert" / name / "checkpoint.pt")
        model = theirs["cfg"]["model"]
        chosen = {key: model[key] for key in schema.names(Model) if key in model}
        if name == "hubert":
            chosen["label_rate_ratios"] = []
        objective = {key: model[key] for key in ("final_dim", "mask_length", "mask_prob", "logit_temp")}
        classes = theirs["model"].get("label_embs_concat", theirs["model"].get("label_embs_concat.0")).shape[0] - 4
        loader = type("Loader", (), {"speech": type("Speech", (), {"classes": (classes,)})})
        expert = UpstreamPretrainExpert({}, {"model": chosen, "objective": objective}, loaders=(loader, None))
        expert.export(tmp_path / "ours.pt", 1)
        ours = torch_file.read(tmp_path / "ours.pt")
        assert ours.keys() == theirs.keys()
        assert {k: v.shape for k, v in ours["model"].items()} == {k: v.shape for k, v in theirs["model"].items()}
        assert ours["cfg"]["task"].keys() <= theirs["cfg"]["task"].keys()
        extra = ours["cfg"]["model"].keys() - model.keys()
        assert extra <= {"use_single_target", "use_single_prediction"}  # of the multi-resolution model only
        differ = {k for k in ours["cfg"]["model"].keys() & model.keys() if ours["cfg"]["model"][k] != model[k]}
        assert differ <= {"conv_feature_layers", "dropout_features", "skip_nomask", "override_encoder_layers"}
