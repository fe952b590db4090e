"""Fine-tuning (`-f`) through s3prl's runner: what its checkpoints hold, against autograd on the plain network."""

import argparse
import json

import entry_point
import pytest
import torch
import yaml

from s3prl_plugin import results
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import fine_tuning
from s3prl_plugin.states import provenance
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local

STEPS = {"total_steps": 3, "gradient_accumulate_steps": 1, "log_step": 3, "eval_step": 3, "save_step": 3}
SID = {
    "runner": STEPS,
    "optimizer": {"lr": 0.001},
    "downstream_expert": {"datarc": {"num_workers": 0, "max_timestep": 8000}},
}
OPTIONS = {"freeze_to": "enc0.layer0", "stop_at": "mid.layer1", "reset_top": 1, "feature_grad_mult": 1.0}


def run(folder, words):
    done = entry_point.run(*words, cwd=folder)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A suite in which a task fine-tunes, then the same task alone on one layer at 40 ms, stopped and resumed (-a)."""
    folder = tmp_path_factory.mktemp("fine_tuning")
    model = small.write_random_checkpoint(folder / "a.pt", small.small_config(dim=32, layers=(2, 2, 1)))
    (folder / "g.yaml").write_text(yaml.safe_dump(OPTIONS))
    suite = {"suite": {"corpus": "generated?voices=8&sentences=4", "tasks": {"SID": {"override": SID}}}}
    (folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    upstream = ["-m", "train", "-f", "-u", "mr_hubert_local", "-k", model, "-g", "g.yaml", "--device", "cpu"]
    run(folder, [*upstream, "-d", "suite", "-c", "suite.yaml", "-p", "out"])
    settings = json.loads((folder / "out" / "SID" / "run.json").read_text())["run"]["settings"]
    (folder / "sid.yaml").write_text(yaml.safe_dump(settings))
    alone = [*upstream, "-d", "voxceleb1", "-c", "sid.yaml", "-s", "hidden_states_40ms", "-l", "1", "-p", "alone"]
    run(folder, alone)
    run(folder, [*alone, "-a", "-o", "config.runner.total_steps=6"])
    return folder


def saved(path):
    return torch.load(path, weights_only=False)  # written by this test a moment ago


def reached(folder, *taps):
    """The parameters that some states depend on, as autograd finds them on the plain network."""
    plain = mr_hubert_local(folder / "a.pt", feature_grad_mult=1.0).eval()
    states = plain([torch.randn(4000, generator=torch.Generator().manual_seed(0))])
    sum(states[tap].square().mean() for tap in taps).backward()
    return {name for name, p in plain.named_parameters() if p.grad is not None}


def changed(folder, upstream):
    before = dict(mr_hubert_local(folder / "a.pt", **OPTIONS).named_parameters())
    assert before.keys() == upstream.keys()
    return {name for name, p in upstream.items() if not torch.equal(p, before[name])}


@pytest.mark.slow
def test_a_task_trains_what_is_kept_and_not_frozen(ran):
    content = saved(ran / "out" / "SID" / "states-3.ckpt")
    kept, frozen = reached(ran, "mid.layer1"), reached(ran, "enc0.layer0")
    assert set(content["Upstream"]) == kept
    moved = changed(ran, content["Upstream"])
    assert moved <= kept - frozen
    # the gradient of a key's bias is zero but for rounding, since softmax does not see it
    assert moved >= {name for name in kept - frozen if "k_proj.bias" not in name}
    assert content["Featurizer"]["weights"].shape == (6,)  # of enc0's three and of mid's three states
    # s3prl gives Adam all parameters there are, the upstream's, then the featurizer's; it has met those with gradients
    met = {i: state["exp_avg"].shape for i, state in content["Optimizer"]["state"].items() if i <= len(kept)}
    expected = {i: p.shape for i, (name, p) in enumerate(content["Upstream"].items()) if name not in frozen}
    assert met == expected | {len(kept): content["Featurizer"]["weights"].shape}


@pytest.mark.slow
def test_rows_say_what_was_done(ran):
    (row,) = [row for row in results.read(ran / "out") if row.headline and row.tap is None]
    assert row.upstream == (
        "mr_hubert_local[feature_grad_mult=1.0,freeze_to=enc0.layer0,reset_top=1,stop_at=mid.layer1]"
    )
    assert row.features == "hidden_states -f"
    assert row.params == sum(p.numel() for p in mr_hubert_local(ran / "a.pt", **OPTIONS).parameters())
    weights = [row for row in results.read(ran / "out") if row.score == "weight"]
    assert [row.tap for row in weights] == [f"{b}.{t}" for b in ("enc0", "mid") for t in ("pre", "layer0", "layer1")]


@pytest.mark.slow
def test_a_resumed_run_goes_on_with_one_layer_at_its_own_rate(ran):
    content = saved(ran / "alone" / "states-6.ckpt")
    assert content["Step"] == 6
    moved = changed(ran, content["Upstream"])
    learning = reached(ran, "mid.layer0") - reached(ran, "enc0.layer0")
    assert moved <= learning
    assert moved >= {name for name in learning if "k_proj.bias" not in name}
    steps = {int(state["step"]) for state in content["Optimizer"]["state"].values()}
    assert 6 in steps, "the optimizer went on from the third step"


def test_a_store_is_refused_before_anything_is_loaded():
    fine_tuning.check_suite({"store": True}, trainable=False)
    fine_tuning.check_suite({"store": {"enabled": False}}, trainable=True)
    fine_tuning.check_suite(None, trainable=True)
    for store in (True, {"dtype": "float32"}):
        with pytest.raises(UserError, match=r"^-f changes the upstream with every step.*leave out store"):
            fine_tuning.check_suite({"store": store}, trainable=True)


def test_what_spoils_or_needs_fine_tuning_is_told(small_checkpoint, capsys):
    half = mr_hubert_local(small_checkpoint, dtype="bfloat16")
    fine_tuning.check_upstream(half, trainable=False)
    with pytest.raises(UserError, match="half precision lose the small steps"):
        fine_tuning.check_upstream(half, trainable=True)
    frozen = mr_hubert_local(small_checkpoint, freeze_to="enc0.layer0")
    fine_tuning.check_upstream(frozen, trainable=True)
    assert capsys.readouterr().err == ""
    fine_tuning.check_upstream(frozen, trainable=False)
    assert "freeze_to does something in fine-tuning only" in capsys.readouterr().err


def test_an_upstream_of_several_processes_is_described_as_itself(small_checkpoint):
    model = mr_hubert_local(small_checkpoint, stop_at="mid.pre")
    distributed = torch.nn.Module()  # as DistributedDataParallel holds it
    distributed.module = model
    args = argparse.Namespace(upstream="mr_hubert_local")
    found = provenance.of_upstream(distributed, args)
    assert found == provenance.of_upstream(model, args)
    assert found["upstream"] == "mr_hubert_local[stop_at=mid.pre]"


@pytest.mark.slow
def test_the_command_refuses_a_store(tmp_path, small_checkpoint):
    suite = {"suite": {"corpus": "generated?voices=8&sentences=4", "store": True, "tasks": {"SID": {"override": SID}}}}
    (tmp_path / "suite.yaml").write_text(yaml.safe_dump(suite))
    words = ["-m", "train", "-f", "-d", "suite", "-c", "suite.yaml", "-u", "mr_hubert_local", "-k", small_checkpoint]
    done = entry_point.run(*words, "-p", "out", cwd=tmp_path)
    assert done.returncode == 2, done.stderr[-2000:]
    assert done.stderr.splitlines()[-1].endswith("leave out store")
    assert not (tmp_path / "out" / "SID").exists()
