"""Checkpoints: what was written is read, and nothing else is taken for one."""

import json

import pytest
import torch
from safetensors.torch import save_file

from s3prl_plugin import own_upstreams
from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.hqa.checkpoint import load
from s3prl_plugin.upstream.hqa.network.config import Config
from s3prl_plugin.upstream.hqa.network.model import HQA

CONFIG = Config(channels=80, hidden=8, codes=6, code_dim=4, halvings=(1, 1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = HQA(CONFIG)
    made.level(0).normaliser.update(torch.randn(2, 80, 9))
    return made


def rewritten(path, model, about=None, **changes):
    """A file like ours with other tensors, or that says something else of itself."""
    load.save(path, model)
    said, weights = load._read(path)
    weights = {name: tensor for name, tensor in {**weights, **changes}.items() if tensor is not None}
    text = json.dumps({**said, **about} if isinstance(about, dict) else said)
    save_file(weights, path, metadata={load.FORMAT: text})
    return path


def test_what_was_written_is_read_to_the_bit(tmp_path, model):
    path = load.save(tmp_path / "a.safetensors", model, train_step=7, pretraining="noise")
    found = load.load(path)
    assert (found.config, found.train_step, found.pretraining) == (CONFIG, 7, "noise")
    written, read = model.state_dict(), found.model().state_dict()
    assert written.keys() == read.keys()
    assert all(torch.equal(written[name], read[name]) and written[name].dtype == read[name].dtype for name in read)
    assert len(found.sha256) == 64


def test_half_precision_takes_half_the_space_and_keeps_the_moments(tmp_path, model):
    whole = load.save(tmp_path / "a", model)
    half = load.save(tmp_path / "b", model, dtype="float16")
    assert half.stat().st_size < 0.75 * whole.stat().st_size
    found = load.load(half).model()
    assert all(p.dtype == torch.float32 for p in found.parameters())
    assert torch.equal(found.level(0).normaliser.mean, model.level(0).normaliser.mean)


def test_a_file_that_changes_later_changes_no_model(tmp_path, model):
    path = load.save(tmp_path / "a", model)
    found = load.load(path).model()
    path.write_bytes(bytes(path.stat().st_size))
    assert torch.equal(found.level(0).quantiser.codebook, model.level(0).quantiser.codebook)


def test_a_study_learns_its_step(tmp_path, model, small_checkpoint):
    assert own_upstreams.train_step(load.save(tmp_path / "checkpoint_9.pt", model, train_step=9)) == 9
    assert own_upstreams.train_step(small_checkpoint) == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"levels.0.encoder.out.bias": None}, "lacks levels.0.encoder.out.bias"),
        ({"more": torch.zeros(2)}, "'more' has no place"),
        ({"levels.1.quantiser.codebook": torch.zeros(5, 4)}, r"shape \(5, 4\); its configuration asks for \(6, 4\)"),
        ({"levels.1.quantiser.codebook": torch.full((6, 4), float("nan"))}, "not finite"),
        ({"levels.1.quantiser.codebook": torch.zeros(6, 4, dtype=torch.int64)}, "not finite numbers"),
        ({"about": {"config": None}}, "sizes of its model"),
        ({"about": {"config": {"codes": 5}}}, "sizes of its model"),
        ({"about": {"train_step": -1}}, "how long it was trained"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, model, changes, named):
    with pytest.raises(UserError, match=named) as error:
        load.load(rewritten(tmp_path / "a.safetensors", model, **changes))
    assert "a.safetensors" in str(error.value)
    assert "\n" not in str(error.value)


def test_other_files_are_refused(tmp_path, model, small_checkpoint):
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("not a checkpoint")
    save_file({"x": torch.zeros(1)}, tmp_path / "tensors")
    cut = load.save(tmp_path / "cut", model)
    cut.write_bytes(cut.read_bytes()[:-100])
    for path in (tmp_path / "empty", tmp_path / "text", tmp_path / "tensors", cut, small_checkpoint):
        with pytest.raises(UserError, match="give a checkpoint that"):
            load.load(path)
    with pytest.raises(UserError, match="no such file"):
        load.load(tmp_path / "absent")
    with pytest.raises(UserError, match="is a folder"):
        load.load(tmp_path)


@pytest.mark.parametrize("name", ["channels", "hop", "hidden", "codes", "code_dim", "residual_blocks"])
@pytest.mark.parametrize("size", [10**12, 10**400, 2**31, True, 2.0, None, "8"])
def test_a_file_that_asks_for_more_than_makes_sense_is_refused_before_it_is_made(tmp_path, model, name, size):
    path = load.save(tmp_path / "a", model)
    said, weights = load._read(path)
    said["config"][name] = size
    save_file(weights, path, metadata={load.FORMAT: json.dumps(said)})
    with pytest.raises(UserError, match=f"{name}: .* is not possible; give a whole number ") as error:
        load.load(path)
    assert len(str(error.value)) < 300 + len(str(path))
