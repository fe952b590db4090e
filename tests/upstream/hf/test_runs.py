"""Runs with `-u hf` as a user gives them: in one word, and a study over six families of several rates."""

import hf_models
import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.torch import load_file

import s3prl_plugin
from s3prl_plugin import results
from s3prl_plugin.config import remote_code
from s3prl_plugin.errors import UserError
from s3prl_plugin.run_downstream import main as run
from s3prl_plugin.running.arguments import Parser

pytest.importorskip("transformers")
s3prl_plugin.register()
FAMILIES = {
    "wavlm-stable": {"layer0": 320, "layer1": 320, "out": 320, "front": 320},
    "wav2vec2-bert": {"layer0": 320, "layer1": 320, "layer2": 320, "adapter1": 640},
    "sew": {"layer0": 640, "layer1": 640, "layer2": 640, "front": 320, "up": 320},
    "whisper": {"layer0": 320, "layer1": 320, "out": 320, "front": 320},
    "parakeet": {"layer0": 1280, "layer1": 1280, "layer2": 1280},
    "encodec": {"layer0": "640/3", "layer1": "640/3", "latent": "640/3"},
}


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A corpus of noises: two utterances of each of four speakers."""
    root, draw, lines = tmp_path_factory.mktemp("speech"), np.random.default_rng(0), ["utt\taudio\tspeaker"]
    for i in range(8):
        soundfile.write(root / f"u{i}.wav", 0.1 * draw.standard_normal(12000 + 777 * i), 16000)
        lines.append(f"u{i}\tu{i}.wav\ts{i // 2}")
    (root / "utterances.tsv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return {name: hf_models.save(name, tmp_path_factory.mktemp(name)) for name in FAMILIES}


@pytest.mark.slow
def test_a_study_over_six_families(speech, folders, tmp_path):
    config = {
        "study": {"upstreams": {name: {"upstream": f"hf:{path}"} for name, path in folders.items()}},
        "suite": {"corpus": f"manifest:{speech}", "analyses": {"rank": {}}},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    out = tmp_path / "out"
    assert run(["-m", "train", "-d", "suite", "-c", str(tmp_path / "study.yaml"), "-p", str(out)]) == 0
    for name, wanted in FAMILIES.items():
        rows = results.read(out / name)
        assert {row.measure for row in rows} == {"rank"}
        written = {row.tap: results.written_stride(row.stride) for row in rows}
        assert written == wanted
        assert {row.checkpoint for row in rows} == {folders[name]}
        assert {row.block for row in rows if row.tap in ("front", "up", "adapter1")} <= {"aside"}
    lines = (out / "encodec" / results.FILE_NAME).read_text()
    assert '"stride": "640/3"' in lines


def parsed(*words):
    return Parser().parse_known_args([*words])[0]


def test_one_word_and_two_are_the_same():
    from s3prl_plugin import registry

    assert registry.named("hf:facebook/hubert-base-ls960", None) == ("hf", "facebook/hubert-base-ls960")
    assert registry.named("hf", "facebook/x") == ("hf", "facebook/x")
    assert registry.named("hubert_base", None) == ("hubert_base", None)
    with pytest.raises(UserError, match="two models for one upstream"):
        registry.named("hf:a/b", "c")


def test_the_flag_is_kept_nowhere():
    args = parsed(remote_code.FLAG)
    remote_code.take_flag(args)
    try:
        assert remote_code.is_allowed()
        assert "trust_remote_code" not in vars(args)
    finally:
        remote_code.take_flag(parsed())
    assert not remote_code.is_allowed()


@pytest.mark.parametrize("key", ["last_hidden_state", "hidden_states"])
def test_a_head_is_trained_and_the_encoder_with_it(folders, tmp_path, key):
    """s3prl's own example of a downstream, as `doctor` trains it; frozen up to layer1."""
    runner = {"total_steps": 3, "gradient_clipping": 1, "gradient_accumulate_steps": 1, "max_keep": 1}
    config = {
        "runner": {**runner, "log_step": 1, "eval_step": 9, "save_step": 3, "eval_dataloaders": ["dev"]},
        "optimizer": {"name": "TorchOptim", "torch_optim_name": "Adam", "lr": 1e-3},
        "downstream_expert": {
            "datarc": {"train_batch_size": 2, "eval_batch_size": 1, "num_workers": 0},
            "modelrc": {"input_dim": 8},
        },
    }
    (tmp_path / "example.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "options.yaml").write_text("freeze_to: layer1\n")
    flags = ["-m", "train", "-d", "example", "-c", str(tmp_path / "example.yaml"), "-p", str(tmp_path / "out")]
    flags += ["-g", str(tmp_path / "options.yaml"), "-f", "-s", key, "--device", "cpu"]
    assert run([*flags, "-u", f"hf:{folders['wavlm-stable']}"]) == 0
    saved = torch.load(tmp_path / "out" / "states-3.ckpt")
    stored = load_file(f"{folders['wavlm-stable']}/model.safetensors")
    name = "encoder.layers.{}.feed_forward.output_dense.weight"
    tuned = {key.removeprefix("network."): value for key, value in saved["Upstream"].items()}
    assert saved["Step"] == 3
    assert torch.equal(tuned[name.format(0)], stored[name.format(0)])
    assert not torch.equal(tuned[name.format(1)], stored[name.format(1)])
