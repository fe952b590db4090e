"""Checkpoints as other tools leave them: other names, another weight norm, numpy's numbers; the states are the same."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert.checkpoint import load, numpy_values, torch_file

EXCERPT = Path(__file__).parents[2] / "data" / "mr_hubert" / "checkpoint.pt"
NAMES = ["excerpt", "t2res", "tplain", "tsingle", "tmono", "tlarge", "t3res", "hubert"]


@pytest.fixture(scope="module", params=NAMES)
def oracle(request):
    """A checkpoint of fairseq's, its content, and the states of its network."""
    path = EXCERPT
    if request.param != "excerpt":
        path = request.getfixturevalue("shared") / "oracle" / "mr_hubert" / request.param / "checkpoint.pt"
    content = {key: value for key, value in torch_file.read(path).items() if key != "task_state"}
    return content, states(path)


def states(path):
    wave = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return [state.x for state in load.load(path).network().eval()(wave[None], [5000])]


def named(content, change):
    return {**content, "model": {change(name): tensor for name, tensor in content["model"].items()}}


def wrapped(*prefixes):
    return lambda content: named(content, lambda name: "".join(prefixes) + name)


def new_weight_norm(content):
    names = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
    return named(content, lambda n: n.rpartition(".")[0] + "." + names.get(n.rpartition(".")[2], n.rpartition(".")[2]))


def fine_tuned(content):
    """As fairseq's own models for fine-tuning store what they were made of."""
    plain = content["cfg"]["model"]["_name"] == "hubert"
    name, key, where = (
        ("hubert_ctc", "w2v_args", "w2v_encoder.w2v_model.")
        if plain
        else ("multires_hubert_ctc", "multires_hubert_args", "multireshubert_encoder.multires_hubert_model.")
    )
    cfg = {"model": {"_name": name, "layerdrop": 0.1, key: content["cfg"]}, "task": {"_name": "audio_finetuning"}}
    head = {where.split(".")[0] + ".proj.weight": torch.zeros(3, 2)}
    kept = {where + n: x for n, x in content["model"].items() if not n.startswith(("final_proj", "label_embs"))}
    return {**content, "cfg": cfg, "model": {**head, **kept}}


def with_numpy(content):
    cfg = {**content["cfg"], "model": {**content["cfg"]["model"], "label_rate": np.float64(50.0)}}
    extra = {"best": np.float32(1.5), "steps": np.int64(7), "flag": np.bool_(True), "curve": np.arange(9.0)}
    return {**content, "cfg": cfg, "extra_state": extra}


SAME = {
    "data parallel": wrapped("module."),
    "compiled": wrapped("_orig_mod."),
    "trainer": wrapped("model."),
    "several": wrapped("model.", "module.", "_orig_mod."),
    "new weight norm": new_weight_norm,
    "fine-tuned": fine_tuned,
    "fine-tuned, wrapped": lambda content: wrapped("module.")(fine_tuned(content)),
    "numpy": with_numpy,
    "parameters": lambda content: {**content, "model": {n: torch.nn.Parameter(x) for n, x in content["model"].items()}},
}


@pytest.mark.parametrize("change", list(SAME))
def test_states_are_bit_for_bit_those_of_the_original(oracle, tmp_path, change):
    content, expected = oracle
    torch.save(SAME[change](content), tmp_path / "c.pt")
    found = states(tmp_path / "c.pt")
    assert len(found) == len(expected)
    assert all(torch.equal(x, y) for x, y in zip(found, expected, strict=True))


def test_a_folded_weight_norm_gives_the_same_states(oracle, tmp_path):
    content, expected = oracle
    model = dict(content["model"])
    for name in [name for name in model if name.endswith("weight_g")]:
        stem = name.removesuffix("_g")
        g, v = model.pop(stem + "_g").double(), model.pop(stem + "_v").double()
        model[stem] = (g * v / v.norm(dim=(0, 1), keepdim=True)).float()
    torch.save({**content, "model": model}, tmp_path / "c.pt")
    for x, y in zip(states(tmp_path / "c.pt"), expected, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-5, atol=1e-5)


@pytest.fixture
def excerpt():
    return {key: value for key, value in torch_file.read(EXCERPT).items() if key != "task_state"}


def test_a_kernel_that_is_zero_somewhere_stays_so(excerpt, tmp_path):
    model = dict(excerpt["model"])
    (name,) = [name for name in model if name.endswith("pos_conv.0.weight_g")]
    stem = name.removesuffix("_g")
    model.pop(stem + "_g")
    model[stem] = model.pop(stem + "_v").clone()
    model[stem][:, :, 0] = 0
    torch.save({**excerpt, "model": model}, tmp_path / "c.pt")
    assert all(x.isfinite().all() for x in states(tmp_path / "c.pt"))


def test_of_a_fine_tuned_model_the_pre_training_is_told_and_its_updates_are_not(excerpt, tmp_path):
    torch.save(fine_tuned(excerpt), tmp_path / "c.pt")
    torch.save(excerpt, tmp_path / "before.pt")
    found, before = (load.load(tmp_path / name) for name in ("c.pt", "before.pt"))
    assert (found.config, found.normalize) == (before.config, before.normalize)
    assert found.label_rate == before.label_rate
    assert before.train_step is not None
    assert found.train_step is None
    assert load.entry_for(tmp_path / "c.pt") == load.entry_for(tmp_path / "before.pt")


def test_numbers_of_numpy_are_what_numpy_says(tmp_path):
    numbers = [np.float16(0.1), np.float32(0.1), np.float64(0.1), np.int8(-3), np.uint8(250), np.uint16(65000)]
    numbers += [np.int64(-(2**60)), np.uint64(2**63), np.bool_(True), np.float64(np.inf)]
    big = np.array([1.5], dtype=">f8")[0]
    torch.save({"numbers": [*numbers, big], "array": np.arange(3), "text": np.str_("no number")}, tmp_path / "n.pt")
    found = torch_file.read(tmp_path / "n.pt")
    assert found["numbers"] == [number.item() for number in (*numbers, big)]
    assert isinstance(found["array"], torch_file.Inert)
    assert isinstance(found["text"], torch_file.Inert)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {**c, "model": {**c["model"], **wrapped("module.")(c)["model"]}}, "twice, .* more than one network"),
        (lambda c: {**c, "cfg": {**c["cfg"], "model": {"_name": "hubert_ctc"}}}, "its w2v_args does not say"),
        (lambda c: {**c, "cfg": {**c["cfg"], "model": {"_name": ["hubert_ctc"]}}}, "another model"),
        (lambda c: {"Args": {}, "Config": {}, "Upstream": {}}, "checkpoint of a run: load its upstream with -i"),
        (lambda c: {**c, "extra_state": np.random.default_rng(0)}, r"names numpy\.random.* never run; .* save its"),
    ],
)
def test_what_cannot_be_read_is_told(excerpt, tmp_path, change, message):
    torch.save(change(excerpt), tmp_path / "c.pt")
    with pytest.raises(UserError, match=message):
        load.load(tmp_path / "c.pt")


def test_torch_reads_as_before_afterwards(tmp_path):
    """Its own names are narrowed for one file only: bytes are not even decoded in it."""
    torch.save({"b": b"bytes"}, tmp_path / "b.pt")
    content = io.BytesIO((tmp_path / "b.pt").read_bytes())
    assert isinstance(torch_file.read(tmp_path / "b.pt")["b"], numpy_values.Bytes)
    assert torch.load(content, weights_only=True) == {"b": b"bytes"}
