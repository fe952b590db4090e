"""`s3prl-plugin doctor`: what it finds is what is there."""

import importlib.metadata
import importlib.util
import json
import subprocess
import sys

import pytest
import torch

from s3prl_plugin.commands import doctor
from s3prl_plugin.compat import distributions

LIBRARIES = ("huggingface_hub", "torchaudio")


@pytest.fixture(scope="module")
def finding():
    """What `doctor --json` prints in a process of its own."""
    command = [sys.executable, "-m", "s3prl_plugin", "doctor", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_s3prl_runs(finding):
    assert finding["s3prl"]["runs"] is True
    assert finding["s3prl"]["seconds"] < 120


def test_versions_are_those_installed(finding):
    assert finding["versions"]["torch"] == importlib.metadata.version("torch")
    assert finding["versions"]["s3prl"] == str(distributions.find())
    assert finding["s3prl"]["trouble"] is None
    assert None not in finding["versions"].values()
    assert (finding["cuda"] is not None) == torch.cuda.is_available()


def test_only_shims_in_force_are_listed(finding):
    healed = "\n".join(f"{healing['library']}: {healing['what']}" for healing in finding["healed"])
    release = {name: tuple(map(int, finding["versions"][name].split(".")[:2])) for name in LIBRARIES}
    assert ("HfFolder" in healed) == (release["huggingface_hub"] >= (1, 0))
    assert ("torchaudio: info" in healed) == (release["torchaudio"] >= (2, 9))
    assert "argparse.Namespace" in healed
    assert "SID" not in healed  # its module was not imported


def test_what_is_missing_is_missing_and_has_a_command(finding):
    for part in finding["missing"]:
        assert part["command"].startswith(("pip install ", "git clone "))
        for name in part["what"].split(", ") if part["command"].startswith("pip") else ():
            assert importlib.util.find_spec(name) is None
    named = "\n".join(part["what"] for part in finding["missing"])
    for name in ("h5py", "lxml", "espeakng_loader"):
        assert (name in named) == (importlib.util.find_spec(name) is None)


def test_the_text_says_the_same(finding):
    text = doctor._text(finding)
    for part in finding["missing"]:
        assert part["command"] in text
    for healing in finding["healed"]:
        assert healing["what"] in text
    assert text.splitlines()[-1].startswith("s3prl trains and evaluates here")


def test_a_s3prl_that_does_not_run_is_status_1(monkeypatch, capsys):
    def fail(folder):
        raise ImportError("no module named anything")

    monkeypatch.setattr(doctor, "_train_example", fail)
    from s3prl_plugin import commands

    assert commands.main(["doctor"]) == 1
    assert "s3prl does not run here: ImportError: no module named anything" in capsys.readouterr().out
