"""Stock s3prl after register(): it imports and runs, and its own files stay as they are."""

import argparse
import builtins
import collections
import hashlib
import importlib.util
import subprocess
import sys
import textwrap
import types
from pathlib import Path

import pytest
import torch

import s3prl_plugin
from s3prl_plugin.compat import distributed
from s3prl_plugin.compat import s3prl as shims

s3prl_plugin.register()


def package_digest():
    """A digest of every file of the s3prl package but its byte code."""
    root = Path(importlib.util.find_spec("s3prl").submodule_search_locations[0])
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_every_entry_point_imports_in_a_fresh_process():
    code = """
    import s3prl_plugin; s3prl_plugin.register()
    import s3prl.run_downstream, s3prl.downstream.runner, s3prl.nn, s3prl.hub
    import s3prl.downstream.voxceleb1.expert, s3prl.downstream.asr.dataset, s3prl.downstream.emotion.expert
    import s3prl.downstream.phone_linear.expert, s3prl.downstream.fluent_commands.dataset
    s3prl.run_downstream.hack_isinstance()
    import collections
    print(isinstance(collections.defaultdict(), dict), isinstance(collections.defaultdict(), (list, dict)))
    """
    before = package_digest()
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "True True\n"), ended.stderr
    assert ended.stderr == ""  # no noise either
    assert package_digest() == before


def test_hack_isinstance_is_harmless_wherever_it_was_imported():
    import s3prl.run_downstream
    from s3prl.utility import helper

    own = builtins.isinstance
    for module in (helper, s3prl.run_downstream):
        module.hack_isinstance()
        assert builtins.isinstance is own
    assert isinstance(collections.defaultdict(list), (list, dict))


class OneBatch(torch.nn.Module):
    """A downstream of one utterance that counts its forward passes."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.passes = 0

    def get_dataloader(self, split):
        return [([torch.zeros(800)], 0)]

    def forward(self, split, features, labels, records, **kwargs):
        self.passes += 1

    def log_records(self, split, **kwargs):
        return ["dev-best.ckpt"]


class PassOn(torch.nn.Module):
    """An upstream and a featurizer that pass on what they get."""

    def forward(self, *given):
        return given[-1]


def stock_runner(device):
    """s3prl's Runner around such models, past the constructor that loads real ones."""
    from s3prl.downstream.runner import ModelEntry, Runner

    runner = Runner.__new__(Runner)
    runner.args = argparse.Namespace(device=device, seed=0, evaluate_split="dev")
    runner.config = {"runner": {}}
    runner.upstream = ModelEntry(PassOn(), "Upstream", False, [])
    runner.featurizer = ModelEntry(PassOn(), "Featurizer", True, [])
    runner.downstream = ModelEntry(OneBatch(), "Downstream", True, [])
    runner.all_entries = [runner.upstream, runner.featurizer, runner.downstream]
    return runner


def test_evaluate_on_the_cpu_beside_a_gpu(monkeypatch):
    from s3prl.downstream.runner import Runner

    runner = stock_runner("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(Exception, match=r"(?i)cuda"):  # what the shim is for
        Runner.evaluate.__wrapped__(runner, "dev", None, 1)
    assert runner.evaluate("dev", None, 1) == ["dev-best.ckpt"]
    assert torch.cuda.is_available()


def test_evaluate_leaves_the_distributed_shell_off(monkeypatch):
    class Shell(torch.nn.Module):  # in place of DistributedDataParallel, which needs a process group
        def __init__(self, module):
            super().__init__()
            self.module = module

        def forward(self, *args, **kwargs):
            raise AssertionError("this waits for ranks that are not there")

    monkeypatch.setattr(torch.nn.parallel, "DistributedDataParallel", Shell)
    runner = stock_runner("cpu")
    downstream = runner.downstream.model
    runner.downstream.model = shell = Shell(downstream)
    assert runner.evaluate("dev", None, 1) == ["dev-best.ckpt"]
    assert downstream.passes == 1
    assert runner.downstream.model is shell


def test_ddp_gets_no_device_ids_on_the_cpu():
    given = []
    module = types.ModuleType("runner")
    module.DDP = lambda model, device_ids=None, **options: given.append((device_ids, options))
    distributed._wrap_anywhere(module)
    module.DDP(torch.nn.Linear(2, 2), device_ids=[0], find_unused_parameters=True)
    module.DDP(torch.nn.Linear(2, 2, device="meta"), device_ids=[1])
    assert given == [(None, {"find_unused_parameters": True}), ([1], {})]


def test_ctc_has_the_same_workers_for_every_loader():
    seen = []
    module = types.ModuleType("data")
    module.load_dataset = lambda split, tokenizer, corpus: seen.append(corpus.pop("num_workers", 12))
    shims._keep_num_workers(module)
    config = {"num_workers": 2, "name": "libriphone"}
    for split in ("train", "dev", "dev"):
        module.load_dataset(split, None, config)
    assert seen == [2, 2, 2]
    assert config == {"num_workers": 2, "name": "libriphone"}


@pytest.mark.parametrize(
    ("downstream", "device", "identity", "hidden"),
    [
        ("sv_voxceleb1", "cpu", True, True),
        ("voxceleb1", "cpu", False, True),
        ("sv_voxceleb1", "cuda:1", False, False),
    ],
)
def test_running_shims_cuda_only_where_it_must(monkeypatch, tmp_path, downstream, device, identity, hidden):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    own = torch.Tensor.cuda
    with shims.running(downstream, device, tmp_path):
        assert (torch.Tensor.cuda is not own) == identity
        assert torch.cuda.is_available() != hidden
    assert torch.Tensor.cuda is own


def test_cuda_only_names_every_downstream_with_a_hard_coded_call():
    root = Path(importlib.util.find_spec("s3prl").submodule_search_locations[0]) / "downstream"
    found = {path.relative_to(root).parts[0] for path in root.rglob("*.py") if ".cuda()" in path.read_text()}
    assert found == shims.CUDA_ONLY
