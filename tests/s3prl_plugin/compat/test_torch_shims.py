"""Checkpoints with a Namespace, and CUDA calls without CUDA."""

import argparse
import contextlib
import pickle
import subprocess
import sys
import textwrap

import torch

from s3prl_plugin.compat.torch import cuda_is_hidden, cuda_is_identity


def test_a_run_s_checkpoint_loads_and_other_classes_stay_refused(tmp_path):
    torch.save({"Args": argparse.Namespace(upstream="fbank", seed=1), "Step": 3}, tmp_path / "run.ckpt")
    torch.save({"hostile": argparse.ArgumentParser}, tmp_path / "other.ckpt")
    code = f"""
    import pickle, torch, s3prl_plugin
    folder = {str(tmp_path)!r}
    s3prl_plugin.register()
    import s3prl
    found = torch.load(folder + "/run.ckpt", map_location="cpu")
    print(found["Args"].upstream, found["Args"].seed, found["Step"])
    try:
        torch.load(folder + "/other.ckpt", map_location="cpu")
    except pickle.UnpicklingError as error:
        print("refused", "ArgumentParser" in str(error))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True)
    assert ended.stdout == "fbank 1 3\nrefused True\n", ended.stderr


def test_without_the_shim_such_a_checkpoint_is_refused(tmp_path):
    torch.save(argparse.Namespace(), tmp_path / "run.ckpt")
    code = f"import torch; torch.load({str(tmp_path / 'run.ckpt')!r})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert pickle.UnpicklingError.__name__ in ended.stderr


def test_cuda_calls_do_nothing_inside_the_block_only():
    before = torch.Tensor.cuda, torch.nn.Module.cuda
    tensor, module = torch.ones(2), torch.nn.Linear(2, 2)
    with cuda_is_identity():
        assert tensor.cuda() is tensor
        assert tensor.cuda(device=0, non_blocking=True) is tensor
        assert module.cuda() is module
    assert (torch.Tensor.cuda, torch.nn.Module.cuda) == before
    assert "cuda" not in vars(torch.Tensor)  # it is inherited, and is again


def test_no_gpu_is_seen_inside_the_block_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    choose = torch.cuda.set_device
    with contextlib.suppress(KeyError), cuda_is_hidden():
        assert not torch.cuda.is_available()
        torch.cuda.set_device(3)
        raise KeyError  # it ends with an error, too
    assert torch.cuda.is_available()
    assert torch.cuda.set_device is choose
