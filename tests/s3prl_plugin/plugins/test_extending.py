"""docs/extending.md, as a stranger follows it: its package is built, installed and run by every command."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

ROOT = Path(__file__).resolve().parents[3]
RATE = 16000
SPEAKERS, EACH, PHONES, PHONE_S = 8, 4, "abcde", 0.15


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """The files of the page, with recordings, in a folder in which nothing else is."""
    folder = tmp_path_factory.mktemp("extending")
    page = (ROOT / "docs" / "extending.md").read_text()
    for name, content in re.findall(r'^```\w+ title="(\S+)"\n(.*?)^```$', page, re.M | re.S):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    _record(folder / "recordings")
    return folder


def _record(folder):
    """Each phone is a tone of its own pitch, and every speaker has a noise of another loudness."""
    draw = np.random.default_rng(0)
    folder.mkdir()
    lines = []
    for speaker in range(SPEAKERS):
        for number in range(EACH):
            spoken = draw.permutation(np.repeat(list(PHONES), 2))
            time = np.arange(int(PHONE_S * RATE)) / RATE
            tones = [np.sin(2 * np.pi * (300 + 600 * PHONES.index(phone)) * time) for phone in spoken]
            samples = 0.2 * np.concatenate(tones)
            samples += 0.01 * (1 + speaker) * draw.standard_normal(len(samples))
            soundfile.write(folder / f"s{speaker}_{number}.wav", samples, RATE)
            labels = [f"{phone}:{i * PHONE_S:.3f}:{(i + 1) * PHONE_S:.3f}" for i, phone in enumerate(spoken)]
            lines.append(" ".join([f"s{speaker}_{number}.wav", f"s{speaker}", *labels]))
    (folder / "list.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def installed(clean, tmp_path_factory):
    """A folder with the wheel's content, as `pip install` leaves it."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    source = shutil.copytree(clean, wheels / "source")  # in which building leaves traces
    alone = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "-q"]
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, "wheel", *alone, "-w", wheels, source], check=True, capture_output=True, text=True)
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", *alone, "--target", target, wheel], check=True, capture_output=True, text=True)
    return target


@pytest.fixture
def command(tmp_path):
    """Run a command of the plugin in a process of its own, in a folder, with another one on the path."""

    def run(*words, cwd=tmp_path, path=(), status=0):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
        command = [sys.executable, "-m", "s3prl_plugin", *map(str, words)]
        ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended

    return run


def _rows(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]


def _constant_shares(clean):
    """|mean|^2 over the mean of |frame|^2 of every layer of `bands`, from all frames at once."""
    code = (
        "import sys, numpy, soundfile, torch; sys.path.insert(0, '.')\n"
        "from speech_extras.bands import Bands\n"
        "from pathlib import Path\n"
        "model, layers = Bands(bands=8, stop_at=2), []\n"
        "for file in sorted(Path('recordings').glob('*.wav')):\n"
        "    wave = torch.from_numpy(soundfile.read(file, dtype='float32')[0])\n"
        "    layers.append([x[0].double().detach().numpy() for x in model([wave])['hidden_states']])\n"
        "for frames in map(numpy.concatenate, zip(*layers)):\n"
        "    print((frames.mean(0) ** 2).sum() / (frames ** 2).sum(1).mean())\n"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=clean, capture_output=True, text=True, check=True).stdout
    return [float(line) for line in said.splitlines()]


@pytest.mark.slow
def test_an_installed_package_is_seen_by_every_command(clean, installed, command, tmp_path):
    (tmp_path / "recordings").symlink_to(clean / "recordings")
    (tmp_path / "study.yaml").write_text((clean / "study.yaml").read_text())
    here = {"path": [installed]}

    listed = json.loads(command("ls", "measures", "--json", **here).stdout)
    assert {"measure": "offset", "downstream": "offset", "default": "yes"}.items() <= listed[-1].items()
    command("run", "-m", "train", "-d", "suite", "-c", "study.yaml", "-p", "out", **here)  # whose runs are suites
    rows = _rows(tmp_path / "out" / "eight")
    assert all(row["versions"]["speech-extras"] == "0.1" for row in rows)
    assert {row["measure"] for row in rows} >= {"offset", "cca_phone"}
    found = [row["value"] for row in rows if row["measure"] == "offset"]
    assert found == pytest.approx(_constant_shares(clean), rel=1e-5)
    assert "cca_phone" in command("select", "out", "--task", "PR", "-o", "head.yaml", **here).stdout
    assert "-u bands" in (tmp_path / "head.yaml").read_text()
    command("report", "out", "-o", "report.html", **here)
    page = (tmp_path / "report.html").read_text()
    for told in ("what all frames have in common", "speech-extras", "one constant vector"):
        assert told in page


@pytest.mark.slow
def test_a_file_of_ones_own_is_passed_on_to_the_runs_of_a_study(clean, command, tmp_path):
    out = tmp_path / "out"
    run = ("run", "--plugin", "my_own.py", "-m", "train", "-d", "suite", "-c", "study.yaml", "-p", out)
    command(*run, cwd=clean)
    rows = _rows(out / "eight")
    assert all(row["versions"]["--plugin my_own.py"].startswith("sha256 ") for row in rows)
    assert all(row["versions"]["speech_extras"].startswith("sha256 ") for row in rows)
    assert [row["value"] for row in rows if row["measure"] == "offset"] == pytest.approx(
        _constant_shares(clean), rel=1e-5
    )
    # choosing reads results alone, and says what running needs
    command("select", out, "--task", "PR", "-o", tmp_path / "head.yaml")
    written = (tmp_path / "head.yaml").read_text()
    assert "needs --plugin my_own.py" in written
    assert "run_downstream -m train -d suite -c" in written
    assert yaml.safe_load(written)["suite"]["tasks"]
    kept = yaml.safe_load((next((out / "eight").glob("args_*.yaml"))).read_text())
    assert "plugin" not in kept, "no file of a run asks for code to be run"
