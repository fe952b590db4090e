"""A run's arguments: completed from the machine, and refused in one line before anything is written."""

import argparse
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import s3prl_plugin
from s3prl_plugin import registry
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import arguments

s3prl_plugin.register()
CONFIG = "runner: {total_steps: 1}\ndownstream_expert: {a: 1}\n"
RUN = ["-m", "train", "-u", "fbank", "-d", "voxceleb1", "-p", "exp"]


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path, monkeypatch):
    """An empty working directory, without torchrun's variables, with a configuration in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "good.yaml").write_text(CONFIG)
    (tmp_path / "wrong.yaml").write_text("seed: 1\nstop: mid.layer0\n")
    (tmp_path / "value.yaml").write_text("reset_top: -1\n")


def read(*flags):
    """What s3prl's own get_downstream_args makes of the flags with our parser."""
    from s3prl import run_downstream as stock

    parser = SimpleNamespace(ArgumentParser=arguments.Parser)
    with replaced(stock, argparse=parser), replaced(sys, argv=["program", *flags]):
        return stock.get_downstream_args()


def refusal(*flags):
    """The one line that refuses the flags; nothing may have been written."""
    before = sorted(Path().rglob("*"))
    with pytest.raises(UserError) as caught:
        read(*flags)
    assert sorted(Path().rglob("*")) == before
    assert "\n" not in str(caught.value)
    return str(caught.value)


def save_run(path, **content):
    """A checkpoint of a run."""
    args, _, _ = read(*RUN, "-c", "good.yaml")
    path.parent.mkdir(exist_ok=True)
    torch.save({"Args": args, "Config": {"runner": {}}, "Step": 1, **content}, path)


def test_a_whole_command_line_passes_through():
    args, config, _ = read(*RUN, "-c", "good.yaml", "-s", "key", "-l", "3", "-f", "--seed", "7", "-v", "fold1")
    assert config == {"runner": {"total_steps": 1}, "downstream_expert": {"a": 1}}
    assert (args.upstream_feature_selection, args.upstream_layer_selection, args.upstream_trainable) == ("key", 3, True)
    assert (args.seed, args.downstream_variant, args.config, args.expdir) == (7, "fold1", "good.yaml", "exp")


@pytest.mark.parametrize(
    ("has_cuda", "flags", "device", "backend"),
    [
        (False, [], "cpu", "gloo"),
        (True, [], "cuda", "nccl"),
        (True, ["--device", "cpu"], "cpu", "gloo"),
        (True, ["--device", "cuda:1"], "cuda:1", "nccl"),
        (True, ["--backend", "gloo"], "cuda", "gloo"),
    ],
)
def test_device_and_backend_are_what_the_machine_has(monkeypatch, has_cuda, flags, device, backend):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    args, _, _ = read(*RUN, "-c", "good.yaml", *flags)
    assert (args.device, args.backend) == (device, backend)


def test_torchrun_gives_the_local_rank(monkeypatch):
    monkeypatch.setenv("RANK", "5")
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert read(*RUN, "-c", "good.yaml")[0].local_rank == 1
    assert read(*RUN, "-c", "good.yaml", "--local_rank", "0")[0].local_rank == 0
    monkeypatch.delenv("RANK")
    assert read(*RUN, "-c", "good.yaml")[0].local_rank is None


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["-u", "fbank"], "-m is missing: give one of train, evaluate, inference"),
        (["-m", "trian"], "-m trian: no such mode; did you mean 'train'?"),
        (["-m", "train", "-d", "voxceleb1"], "-n NAME or -p FOLDER is missing"),
        (["-m", "train", "-p", "exp"], "-d is missing"),
        (["-m", "train", "-p", "exp", "-d", "voxceleb1"], "-u is missing"),
        ([*RUN, "-d", "voxceleb"], "did you mean 'voxceleb1'"),
        ([*RUN, "-u", "fbankk"], "did you mean 'fbank'"),
        (RUN, "-c is missing"),
        ([*RUN, "-c", "absent.yaml"], "-c absent.yaml: no such file"),
        ([*RUN, "-c", "good.yaml", "-g", "absent.yaml"], "-g absent.yaml: no such file"),
        (
            [*RUN, "-c", "good.yaml", "-u", "mr_hubert_tiny", "-g", "wrong.yaml"],
            "wrong.yaml, line 2: unknown option",
        ),
        ([*RUN, "-c", "good.yaml", "-u", "mr_hubert_tiny", "-g", "value.yaml"], "value.yaml, line 1: reset_top: -1 is"),
        ([*RUN, "-c", "good.yaml", "-g", "value.yaml"], "value.yaml, line 1: fbank has no option 'reset_top'"),
        ([*RUN, "-c", "good.yaml", "--devise", "cpu"], "unrecognized arguments: --devise cpu"),
        ([*RUN, "-c", "good.yaml", "--seed", "x"], "argument --seed: invalid int value"),
        ([*RUN, "-c", "good.yaml", "--device", "gpu"], "--device gpu: no such device"),
        ([*RUN, "-c", "good.yaml", "--backend", "nccl", "--device", "cpu"], "--backend nccl works between GPUs"),
        ([*RUN, "-c", "good.yaml", "-o", "runner.total_steps=3"], "write config.KEY=VALUE"),
        ([*RUN, "-c", "good.yaml", "-o", "config.a"], "write config.KEY=VALUE"),
        ([*RUN, "-c", "good.yaml", "-o", "config.a=[1"], "is a bracket or a quote missing?"),
        ([*RUN, "-c", "good.yaml", "-u", "hubert_local", "-k", "absent.pt"], "-k absent.pt: no such file"),
        ([*RUN, "-c", "good.yaml", "-i", "absent.ckpt"], "-i absent.ckpt: no such file"),
        (["-m", "evaluate", "-e", "absent"], "-e absent: no such file"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(flags, told):
    assert told in refusal(*flags)


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "--device cuda: torch" in refusal(*RUN, "-c", "good.yaml", "--device", "cuda")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("runner: [1\n", "line 2: not valid YAML"),
        ("- a\n- b\n", "holds keys and values"),
        ("runner: !!python/tuple [1, 2]\n", "line 1: not valid YAML"),
        ("runer: {}\n", "did you mean 'runner'"),
    ],
)
def test_a_bad_configuration_is_named_with_its_line(tmp_path, text, told):
    (tmp_path / "bad.yaml").write_text(text)
    message = refusal(*RUN, "-c", "bad.yaml")
    assert "bad.yaml" in message
    assert told in message


def test_packaged_configurations_are_found_by_name(tmp_path):
    for given in ("superb/sid.yaml", "configs/superb/sid.yaml"):
        args, config, _ = read(*RUN, "-c", given)
        assert args.config.endswith("configs/superb/sid.yaml")
        assert config["runner"]["total_steps"] == 200000
    (tmp_path / "superb").mkdir()
    (tmp_path / "superb" / "sid.yaml").write_text(CONFIG)  # one's own comes first
    assert read(*RUN, "-c", "superb/sid.yaml")[1]["runner"]["total_steps"] == 1
    assert "did you mean 'superb/sid.yaml'" in refusal(*RUN, "-c", "superb/sit.yaml")


SUITE = ["-m", "train", "-u", "fbank", "-d", "suite", "-c", "suite.yaml", "-p", "exp"]


def test_tasks_of_a_suite_can_be_chosen(tmp_path):
    (tmp_path / "suite.yaml").write_text("suite: {tasks: {SID: {}, ER: {}, KS: {}}}\n")
    args, config, _ = read(*SUITE, "--tasks", "KS,SID")
    assert list(arguments.chosen(config, args.tasks)["suite"]["tasks"]) == ["SID", "KS"]
    assert arguments.chosen(config, None) == config
    args, config, _ = read(*SUITE, "--tasks", "ER", "-o", "config.suite.tasks.ER.corpus=/data/IEMOCAP")
    assert arguments.chosen(config, args.tasks)["suite"]["tasks"] == {"ER": {"corpus": "/data/IEMOCAP"}}


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ([*SUITE, "--tasks", "SDI"], "--tasks SDI: there is no such task; did you mean"),
        ([*SUITE, "--tasks", "SDI", "-o", "args.seed=2"], "--tasks SDI: there is no such task"),
        ([*SUITE, "--tasks", "PR"], "--tasks PR: this suite has no PR; it has SID"),
        ([*SUITE, "--tasks", "none"], "nothing would be left"),
        ([*RUN, "-c", "good.yaml", "--tasks", "SID"], "give it with -m train -d suite"),
        (["-m", "evaluate", *SUITE[2:], "--tasks", "SID"], "give it with -m train -d suite"),
    ],
)
def test_tasks_that_cannot_be_chosen_are_refused(tmp_path, flags, told):
    (tmp_path / "suite.yaml").write_text("suite: {tasks: {SID: {}}}\n")
    assert told in refusal(*flags)


def test_a_downstream_comes_with_its_configuration(tmp_path, monkeypatch):
    package = tmp_path / "thirdparty_with_config"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "config.yaml").write_text(CONFIG)
    (package / "expert.py").write_text("class DownstreamExpert: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(registry._downstreams(), "theirs", "thirdparty_with_config")
    flags = ["-m", "evaluate", "-u", "fbank", "-d", "theirs", "-p", "exp"]
    assert read(*flags)[0].config == str(package / "config.yaml")
    usual = tmp_path / "downstream" / "theirs" / "config.yaml"  # where s3prl looks comes first
    usual.parent.mkdir(parents=True)
    usual.write_text(CONFIG)
    assert read(*flags)[0].config == "downstream/theirs/config.yaml"


def test_a_run_is_taken_up_from_its_latest_checkpoint(tmp_path):
    save_run(tmp_path / "exp" / "states-10.ckpt", Step=10)
    (tmp_path / "exp" / "states-9.ckpt").write_bytes(b"not read: not the latest")
    for flags in (["-e", "exp"], ["-a", "-p", "exp"]):
        args, config, _ = read("-m", "evaluate", *flags)
        assert (args.upstream, args.downstream, args.mode) == ("fbank", "voxceleb1", "evaluate")
        assert args.init_ckpt == "exp/states-10.ckpt"
        assert config == {"runner": {}}
    assert "-d is missing" in refusal("-m", "train", "-a", "-p", "new")


def test_a_file_that_is_no_checkpoint_of_a_run_is_refused(tmp_path):
    save_run(tmp_path / "exp" / "states-1.ckpt")
    whole = (tmp_path / "exp" / "states-1.ckpt").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.ckpt").write_bytes(b"")
    torch.save({"model": {}}, tmp_path / "upstream.pt")
    torch.save({"Args": argparse.ArgumentParser, "Config": {}}, tmp_path / "class.ckpt")
    (tmp_path / "nothing").mkdir()
    assert "cannot be read as a checkpoint" in refusal("-m", "evaluate", "-e", "cut.ckpt")
    assert "cannot be read as a checkpoint" in refusal("-m", "evaluate", "-e", "empty.ckpt")
    assert "cannot be read as a checkpoint" in refusal("-m", "evaluate", "-e", "class.ckpt")
    assert "not the checkpoint of a run" in refusal("-m", "evaluate", "-e", "upstream.pt")
    assert "not the checkpoint of a run" in refusal(*RUN, "-c", "good.yaml", "-i", "upstream.pt")
    assert "no checkpoint (states-*.ckpt)" in refusal("-m", "evaluate", "-e", "nothing")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"Config": {"downstream_expert": {"modelrc": {"select": "1 + 1"}}}}, "'1 + 1' is not possible"),
        ({"Config": {"optimizer": {"name": "1 + 1"}}}, "optimizer.name: '1 + 1' is not possible"),
        ({"Config": {"runner": {"plugin": "x"}}}, "runner.plugin: code from outside is run for a flag"),
        ({"Args": argparse.Namespace(trust_remote_code=True)}, "trust_remote_code: code from outside"),
        ({"Args": argparse.Namespace(from_hf_hub=True)}, "its upstream is code from a hub"),
        ({"Args": argparse.Namespace(hub="huggingface")}, "its upstream is code from a hub"),
        ({"Args": {"upstream": "fbank"}}, "of another kind"),
        ({"Config": [1]}, "of another kind"),
    ],
)
def test_settings_in_a_checkpoint_are_those_of_a_file(tmp_path, content, told):
    save_run(tmp_path / "exp" / "states-1.ckpt", **content)
    if isinstance(content.get("Args"), argparse.Namespace):
        content["Args"].downstream = "voxceleb1"
    for flags in (["-m", "evaluate", "-e", "exp"], [*RUN, "-c", "good.yaml", "-i", "exp/states-1.ckpt"]):
        message = refusal(*flags)
        assert "exp/states-1.ckpt: " in message
        assert told in message


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plugin: x\n", "line 1: plugin: code from outside is run for a flag on the command line only"),
        ("runner:\n  a: [{trust-remote-code: true}]\n", "trust-remote-code: code from outside is run for a flag"),
        ("runner: {1: 2}\n", "the key 1 is no text"),
        ("optimizer: {name: 1 + 1}\n", "line 1: optimizer.name: '1 + 1' is not possible; "),
        ("runner: {eval_dataloaders: [dev, 1 + 1]}\n", "line 1: runner.eval_dataloaders: '1 + 1' is no name"),
    ],
)
def test_a_file_asks_for_no_code(tmp_path, text, told):
    (tmp_path / "bad.yaml").write_text(text)
    assert told in refusal(*RUN, "-c", "bad.yaml")
    if "code from outside" in told or "no text" in told:
        assert told in refusal(*RUN, "-c", "good.yaml", "-g", "bad.yaml")


def test_what_an_override_changes_is_checked_like_a_file():
    for override, told in (
        ("config.optimizer.name='1 + 1'", "optimizer.name: '1 + 1' is not possible"),
        ("args.mode='1 + 1'", "no such mode"),
    ):
        args, config, _ = read(*RUN, "-c", "good.yaml", "-o", override)
        with pytest.raises(UserError, match=re.escape(told)):
            arguments.check_run(args, config)


def test_what_an_override_or_a_checkpoint_changed_is_checked_too(monkeypatch):
    from s3prl_plugin.compat import packages

    args, config, _ = read(*RUN, "-c", "good.yaml")
    arguments.check_run(args, config)
    for change, told in (
        ({"downstream": "voxceleb"}, "did you mean 'voxceleb1'"),
        ({"upstream": "fbankk"}, "did you mean 'fbank'"),
        ({"mode": "inference", "evaluate_split": "absent.wav"}, "-t absent.wav: no such file"),
    ):
        with pytest.raises(UserError, match=told):
            arguments.check_run(argparse.Namespace(**{**vars(args), **change}), config)
    with pytest.raises(UserError, match="'seed' bears the name of a command-line argument"):
        arguments.check_run(args, {**config, "seed": 1})
    monkeypatch.setattr(packages, "TASKS", (("SID", "voxceleb1", (packages.Package("no_such_module", "x"),)),))
    with pytest.raises(UserError, match="pip install x"):
        arguments.check_run(args, config)


def test_hugging_face_s_hub_is_refused_at_once_where_it_would_fail_after_hours(monkeypatch):
    from s3prl_plugin.compat import huggingface_hub

    args, config, _ = read(*RUN, "-c", "good.yaml", "--push_to_hf_hub", "yes")
    monkeypatch.setattr(huggingface_hub, "is_gone", lambda name: True)
    with pytest.raises(UserError, match="--push_to_hf_hub"):
        arguments.check_run(args, config)
    monkeypatch.setattr(huggingface_hub, "is_gone", lambda name: False)
    arguments.check_run(args, config)
