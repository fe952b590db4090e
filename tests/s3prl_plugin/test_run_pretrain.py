"""Pre-training as the user starts it: it trains, stops, goes on, shares its work, and its checkpoints can be read."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tones
import torch
import yaml

from s3prl_plugin import run_pretrain
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.loop import journal
from s3prl_plugin.upstream.mr_hubert.checkpoint import load, torch_file
from s3prl_plugin.upstream.mr_hubert.pretrain import expert as pretrain_expert

STILL = dict.fromkeys(("dropout", "attention_dropout", "dropout_input", "encoder_layerdrop"), 0.0)


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """The list of ten utterances with units."""
    return tones.write(tmp_path_factory.mktemp("speech"))


def train(folder: Path, *flags: str, **parts) -> Path:
    """Run a small pre-training in `folder`/out; returns that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = tones.write_experiment(folder / "experiment.yaml", **parts)
    out = folder / "out"
    assert run_pretrain.main(["-u", "mr_hubert", "-g", str(config), "-p", str(out), "--device", "cpu", *flags]) == 0
    return out


def state(out: Path, step: int) -> dict:
    return torch.load(out / f"states-{step}.ckpt", weights_only=True)


def same(one, other) -> bool:
    """Whether two states hold the same, bit by bit."""
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.mark.slow
def test_it_learns_ten_utterances_by_heart(tmp_path, speech):
    model = {**STILL, "feature_grad_mult": 1.0, "encoder_embed_dim": 64, "encoder_attention_heads": 4}
    runner = {"total_steps": 420, "log_step": 60, "save_step": 500}
    out = train(
        tmp_path,
        speech=speech,
        model=model,
        objective={"mask_length": 4, "mask_prob": 0.5},
        runner=runner,
        data={"batch_seconds": 4.0},
        optimizer={"lr": 4e-3},
    )
    last = journal.read(out)[-1]
    assert last["train-accuracy-20ms"] > 0.9
    assert last["train-accuracy-40ms"] > 0.9
    assert last["train-loss-20ms"] < 0.3  # nine classes by chance: 2.2
    assert last["train-loss-40ms"] < 0.3


def test_killed_at_any_moment_it_goes_on_to_the_same_bits(tmp_path, speech):
    parts = {"speech": speech, "runner": {"total_steps": 24, "log_step": 4, "save_step": 4}}
    whole = train(tmp_path / "whole", **parts)
    config = tones.write_experiment(tmp_path / "experiment.yaml", **parts)
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "s3prl_plugin.run_pretrain", "-u", "mr_hubert", "-g", config, "-p", out]
    with subprocess.Popen([*map(str, command), "--device", "cpu"], stdout=subprocess.DEVNULL) as process:
        while not (out / "states-8.ckpt").is_file() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (out / "states-24.ckpt").exists()
    assert run_pretrain.main([*map(str, command[3:]), "--device", "cpu", "-a"]) == 0
    assert same(state(whole, 24), state(out, 24))
    assert same(state(whole, 20), state(out, 20))
    assert len(list(out.glob("states-*.ckpt"))) == 2
    timed = ("train-audio-seconds-per-second", "train-waiting-share")
    told = [[{k: v for k, v in row.items() if k not in timed} for row in journal.read(each)] for each in (whole, out)]
    assert told[0] == told[1]
    assert [row["step"] for row in told[0]] == [4, 8, 12, 16, 20, 24]


def test_asked_to_stop_it_saves_the_step_and_goes_on_to_the_same_bits(tmp_path, speech):
    parts = {"speech": speech, "runner": {"total_steps": 24, "log_step": 4, "save_step": 24}}
    whole = train(tmp_path / "whole", **parts)
    config = tones.write_experiment(tmp_path / "experiment.yaml", **parts)
    out = tmp_path / "stopped"
    command = [sys.executable, "-m", "s3prl_plugin.run_pretrain", "-u", "mr_hubert", "-g", config, "-p", out]
    command = [*map(str, command), "--device", "cpu"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("[pretrain] step 4") or " 4/24" in line:
                process.send_signal(signal.SIGTERM)
    assert process.returncode == 128 + signal.SIGTERM, "".join(said)
    (kept,) = out.glob("states-*.ckpt")
    assert f"stopped after step {kept.stem.partition('-')[2]}, which is saved" in "".join(said)
    assert f"python -m s3prl_plugin.run_pretrain -u mr_hubert -g {config} -p {out} --device cpu -a" in "".join(said)
    assert run_pretrain.main([*command[3:], "-a"]) == 0
    assert same(state(whole, 24), state(out, 24))


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(tmp_path, speech):
    model = {**STILL, "encoder_layerdrop": 0.3}
    parts = {"speech": speech, "model": model, "data": {"batch_seconds": 1.5}}
    runner = {"total_steps": 2, "save_step": 1, "gradient_clipping": 0}
    one = train(tmp_path / "one", **parts, runner={**runner, "gradient_accumulate_steps": 2})
    config = tones.write_experiment(tmp_path / "experiment.yaml", **parts, runner=runner)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "s3prl_plugin.run_pretrain", "-u", "mr_hubert", "-g", config, "-p", tmp_path / "two"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*map(str, command), "--device", "cpu"], capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for step in (1, 2):
        alone, together = state(one, step), state(tmp_path / "two", step)
        # after the first update Adam's mean is a tenth of the gradient
        means = [
            torch.cat([each["exp_avg"].flatten() for each in found["Optimizer"]["state"].values()])
            for found in (alone, together)
        ]
        assert means[0].abs().max() > 1e-3
        torch.testing.assert_close(means[1], means[0], rtol=0, atol=1e-6 * float(means[0].abs().max()))
        assert alone["Optimizer"]["state"].keys() == together["Optimizer"]["state"].keys()
    told = [journal.read(each)[0] for each in (one, tmp_path / "two")]
    for name in ("train-loss", "train-loss-40ms", "train-accuracy-20ms", "train-gradient-norm"):
        assert told[1][name] == pytest.approx(told[0][name], rel=1e-5)


def test_half_precision_is_close_and_is_gone_on_with(tmp_path, speech):
    losses = {}
    for precision in ("fp32", "bf16", "fp16"):
        runner = {"total_steps": 4, "log_step": 1, "save_step": 2, "precision": precision}
        out = train(tmp_path / precision, speech=speech, model=STILL, runner=runner)
        losses[precision] = [row["train-loss"] for row in journal.read(out)]
        assert state(out, 4)["Upstream"]["mask_emb"].dtype == torch.float32
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)
    assert losses["fp16"][0] == pytest.approx(losses["fp32"][0], rel=0.01)
    assert losses["bf16"] != losses["fp32"]
    assert state(tmp_path / "fp16" / "out", 4)["Scaler"]["scale"] > 0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_and_names_the_utterances(tmp_path, speech, monkeypatch, value):
    stock = pretrain_expert.UpstreamPretrainExpert.forward
    heard = []

    def forward(self, data, records, global_step, log_step):
        loss, records = stock(self, data, records, global_step, log_step)
        heard.append(data.names)
        return loss * (value if global_step == 4 else 1), records

    monkeypatch.setattr(pretrain_expert.UpstreamPretrainExpert, "forward", forward)
    with pytest.raises(UserError, match=r"step 4: the loss is (nan|inf) on the batch of .*states-3.ckpt") as error:
        train(tmp_path, speech=speech)
    assert all(name in str(error.value) for name in heard[-1])
    kept = state(tmp_path / "out", 3)
    assert all(bool(tensor.isfinite().all()) for tensor in kept["Upstream"].values())
    assert not (tmp_path / "out" / "states-4.ckpt").exists()


def test_units_are_made_first_where_they_are_asked_for(tmp_path, speech):
    """Iteration 1 on clusters of MFCC frames, iteration 2 on those of a tap of what iteration 1 became."""
    parts = tones.experiment(speech)
    del parts["pretrain_expert"]["datarc"]["units"]
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(parts))
    command = ["-u", "mr_hubert", "-g", str(tmp_path / "experiment.yaml"), "--device", "cpu", "-p"]
    first, second = tmp_path / "first", tmp_path / "second"
    assert run_pretrain.main([*command, str(first), "--units", "mfcc:5"]) == 0
    asked = ["--units", "mid.layer0:6", "--units_from", str(first / "checkpoint_last.pt")]
    assert run_pretrain.main([*command, str(second), *asked]) == 0
    learned = [torch_file.read(each / "checkpoint_last.pt")["model"]["label_embs_concat.0"] for each in (first, second)]
    assert [len(rows) for rows in learned] == [5 + 4, 6 + 4]
    assert run_pretrain.main([*command, str(second), *asked, "-a"]) == 0  # all steps are done
    with pytest.raises(UserError, match="units differs from what"):
        run_pretrain.main([*command, str(second), "--units", "mfcc:5", "-a"])


def test_seeds_are_shared_between_the_cells_of_a_factorial(tmp_path, speech):
    """Networks that differ in rate, or in their heads, begin with the same weights and see the same data and masks."""
    cells = {"low": {}, "fine": {"label_rate_ratios": [1, 1]}, "plain": {"label_rate_ratios": []}}
    weights, heard = {}, {}
    for name, model in cells.items():
        parts = tones.experiment(speech, model=model)
        expert = pretrain_expert.UpstreamPretrainExpert(
            parts["pretrain_expert"]["datarc"], {key: parts[key] for key in ("model", "objective")}, seed=5
        )
        weights[name] = expert.model.state_dict()
        loader = expert.get_train_dataloader()
        loader.set_epoch(1, 0)
        batches = list(loader)
        expert.before_step(batches, 7)
        heard[name] = [(batch.names, expert._plan(batch, 7).mask.tolist()) for batch in batches]
    assert weights["low"].keys() == weights["fine"].keys()
    assert same(dict(weights["low"]), dict(weights["fine"]))
    shared = weights["low"].keys() & weights["plain"].keys()
    assert "network.middle_encoder.layers.0.fc1.weight" in shared
    assert all(torch.equal(weights["low"][n], weights["plain"][n]) for n in shared if "final_projs.1" not in n)
    assert heard["low"] == heard["fine"] == heard["plain"]
    assert len(heard["low"]) > 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"objective": {"los": "mean"}}, r"line \d+: unknown key 'los' in objective: did you mean 'loss'"),
        ({"model": {"encoder_layer": 2}}, r"line \d+: unknown key 'encoder_layer' in model: did you mean"),
        ({"runner": {"precision": "fp8"}}, r"line \d+: runner.precision: 'fp8'"),
        ({"runner": {"save_steps": {"first": 1}}}, "save_steps"),
        ({"optimizer": {"lr": "5e-4"}}, r"write 5.0e-4"),
        ({"objective": {"lambdas": [1.0]}}, r"lambdas: 1 for 2 predicted resolutions"),
        ({"objective": {"loss": "fairseq", "lambdas": [1.0, 1.0]}}, "fairseq's loss has neither"),
        ({"model": {"conv_adapator_kernal": 4}}, r"line \d+: model.conv_adapator_kernal: 4 is even"),
        ({"data": {"unit": "x"}}, r"line \d+: unknown key 'unit' in pretrain_expert.datarc: did you mean 'units'"),
        ({"scheduler": {"name": "cosine"}}, r"line \d+: scheduler.name: 'cosine' is not possible"),
        ({"trainer": {}}, "unknown key 'trainer'"),
    ],
)
def test_mistakes_are_told_with_file_and_line(tmp_path, speech, changes, message):
    with pytest.raises(UserError, match=message) as error:
        train(tmp_path, speech=speech, **changes)
    assert "experiment.yaml" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_is_not_trained_in_twice(tmp_path, speech):
    out = train(tmp_path, speech=speech)
    with pytest.raises(UserError, match="holds a training; give -a"):
        train(tmp_path, speech=speech)
    with pytest.raises(UserError, match="optimizer differs from what"):
        train(tmp_path, "-a", speech=speech, optimizer={"lr": 1e-2})
    before = state(out, 8)
    assert run_pretrain.main(["-e", str(out), "--device", "cpu"]) == 0  # all steps are done
    assert same(before, state(out, 8))
    assert run_pretrain.main(["-e", str(out), "--device", "cpu", "-o", "config.runner.total_steps=10"]) == 0
    assert state(out, 10)["Step"] == 10


def test_checkpoints_are_kept_where_they_are_asked_for(tmp_path, speech, capfd, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    valid = {"valid_corpus": str(speech), "valid_units": [str(speech.with_suffix(".km"))]}
    runner = {"save_steps": [0, 3, 7], "valid_step": 4, "log_step": 8}
    out = train(tmp_path, "--json", speech=speech, runner=runner, data=valid)
    told = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert told == [{"checkpoint": str(out / "checkpoint_last.pt"), **row} for row in journal.read(out)]
    kept = {path.name: load.train_step(path) for path in out.glob("checkpoint_*.pt")}
    assert kept == {f"checkpoint_{n}.pt": n for n in (0, 3, 7, 8)} | {"checkpoint_last.pt": 8}
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic) == (False, True), "the same bits again"
    rows = journal.read(out)
    assert [row["step"] for row in rows] == [4, 8]
    assert {"valid-loss", "valid-accuracy-40ms"} <= rows[0].keys()
    # the same masks every time: what changes is the network
    assert rows[0]["valid-loss"] > rows[1]["valid-loss"]
