"""Stand-ins for packages: there while a downstream's module runs, and nowhere else."""

import importlib
import importlib.util
import subprocess
import sys

import pytest
import torch
from torch.utils.data import WeightedRandomSampler

from s3prl_plugin.compat import stand_ins
from s3prl_plugin.errors import UserError

LOOK = """
import importlib.util, sys
import s3prl_plugin
s3prl_plugin.register()
import s3prl.downstream.{module} as module
print({name!r} in sys.modules, importlib.util.find_spec({name!r}) is None)
print(module.{attribute}.__module__)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "name", "attribute"),
    [
        ("speech_commands.expert", "catalyst", "DistributedSamplerWrapper"),
        ("sv_voxceleb1.dataset", "sox", "Transformer"),
    ],
)
def test_s3prls_module_is_imported_without_the_package(module, name, attribute):
    if importlib.util.find_spec(name) is not None:
        pytest.skip(f"{name} is installed")
    code = LOOK.format(module=module, name=name, attribute=attribute)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["False True", "s3prl_plugin.compat.stand_ins"]


def test_a_package_that_is_there_is_used(tmp_path, monkeypatch):
    (tmp_path / "sox.py").write_text("class Transformer: pass\n")
    (tmp_path / "user_of_sox.py").write_text("from sox import Transformer\n")
    monkeypatch.syspath_prepend(tmp_path)
    stand_ins.hooks.rescue_import("user_of_sox", (ModuleNotFoundError,), stand_ins._run_again)
    assert importlib.import_module("user_of_sox").Transformer.__module__ == "sox"


def test_another_missing_package_stays_an_error(tmp_path, monkeypatch):
    (tmp_path / "user_of_nothing.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    stand_ins.hooks.rescue_import("user_of_nothing", (ModuleNotFoundError,), stand_ins._run_again)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        importlib.import_module("user_of_nothing")


def test_nothing_can_be_done_with_sox():
    with pytest.raises(UserError, match="pip install sox"):
        stand_ins._sox()["sox"].Transformer()


def test_ranks_share_what_a_sampler_draws(monkeypatch):
    wrap = stand_ins._catalyst()["catalyst.data.sampler"].DistributedSamplerWrapper
    shares = []
    for rank in range(2):
        monkeypatch.setattr(torch.distributed, "is_available", lambda: True)
        monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        torch.manual_seed(0)
        shares.append(list(wrap(WeightedRandomSampler([1.0, 0.0, 3.0, 2.0], 100))))
    torch.manual_seed(0)
    drawn = list(WeightedRandomSampler([1.0, 0.0, 3.0, 2.0], 100))
    assert len(shares[0]) == len(shares[1]) == 50
    assert sorted(shares[0] + shares[1]) == sorted(drawn)
    assert 1 not in drawn
