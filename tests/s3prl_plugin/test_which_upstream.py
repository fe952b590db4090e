"""What is finished or interrupted is of one upstream; another under the same name never gets its numbers."""

import json
import shutil

import foreign_models
import numpy as np
import pytest
import soundfile
import yaml

import s3prl_plugin
from s3prl_plugin import results, run_downstream
from s3prl_plugin.errors import UserError

s3prl_plugin.register()
STEPS = {"total_steps": 4, "gradient_accumulate_steps": 1, "log_step": 2, "eval_step": 4, "save_step": 2}
OVERRIDE = {"runner": STEPS, "downstream_expert": {"datarc": {"num_workers": 0, "train_batch_size": 6}}}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two models of one architecture."""
    folder = tmp_path_factory.mktemp("models")
    return [foreign_models.apc(folder / f"{seed}.ckpt", seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def suite(models, tmp_path_factory):
    """A finished suite of the first; its command, the file of its checkpoint, and its folder."""
    folder = tmp_path_factory.mktemp("suite")
    noise, lines = np.random.default_rng(0), ["utt\taudio\tspeaker"]
    for name in ("a0", "a1", "a2", "a3", "b0", "b1", "b2", "b3"):
        soundfile.write(folder / f"{name}.wav", 0.1 * noise.standard_normal(8000), 16000, subtype="PCM_16")
        lines.append(f"{name}\t{name}.wav\t{name[0]}")
    (folder / "utterances.tsv").write_text("\n".join(lines) + "\n")
    suite = {"corpus": f"manifest:{folder}", "tasks": {"SID": {"override": OVERRIDE}}}
    (folder / "suite.yaml").write_text(yaml.safe_dump({"suite": suite}))
    ckpt = folder / "model.ckpt"
    words = ["-m", "train", "-d", "suite", "-c", folder / "suite.yaml", "-u", "apc_local", "-k", ckpt]
    words = [str(word) for word in [*words, "-p", folder / "out", "--device", "cpu"]]
    shutil.copy(models[0], ckpt)
    assert run_downstream.main(words) == 0
    return words, ckpt, folder / "out"


def test_a_finished_suite_is_of_one_model(suite, models):
    words, ckpt, out = suite
    before = (out / results.FILE_NAME).read_bytes()
    shutil.copy(models[1], ckpt)
    with pytest.raises(UserError, match=r"SID holds a run with another upstream\.checkpoint"):
        run_downstream.main(words)
    assert (out / results.FILE_NAME).read_bytes() == before
    shutil.copy(models[0], ckpt)
    trained = (out / "SID" / "states-4.ckpt").stat().st_mtime_ns
    assert run_downstream.main(words) == 0
    assert (out / "SID" / "states-4.ckpt").stat().st_mtime_ns == trained


def test_a_head_that_is_half_trained_goes_on_with_its_own_model(suite, models, tmp_path):
    _, _, out = suite
    settings = json.loads((out / "SID" / "run.json").read_text())["run"]["settings"]
    config, ckpt = tmp_path / "sid.yaml", tmp_path / "model.ckpt"
    words = ["-m", "train", "-d", "voxceleb1", "-c", config, "-u", "apc_local", "-k", ckpt, "-a"]
    words = [str(word) for word in [*words, "-p", tmp_path / "out", "--device", "cpu"]]
    config.write_text(yaml.safe_dump(settings | {"runner": settings["runner"] | {"total_steps": 2, "eval_step": 2}}))
    shutil.copy(models[0], ckpt)
    run_downstream.main(words)
    shutil.copy(models[1], ckpt)
    with pytest.raises(UserError, match=r"states-2\.ckpt: its head was trained on another upstream: checkpoint"):
        run_downstream.main(words)
    shutil.copy(models[0], ckpt)
    run_downstream.main(words)
