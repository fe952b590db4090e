"""`run_pretrain -u hqa` as the user starts it: levels one after another, resumable; and the flat baseline."""

import numpy as np
import pytest
import soundfile
import torch
import yaml

from s3prl_plugin import run_pretrain
from s3prl_plugin.config import packaged
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.loop import journal
from s3prl_plugin.upstream.hqa import hubconf
from s3prl_plugin.upstream.hqa.checkpoint import load
from s3prl_plugin.upstream.hqa.pretrain import options as pretrain_options
from s3prl_plugin.upstream.hqa.pretrain.expert import UpstreamPretrainExpert

SMALL = {"levels": 3, "hidden": 8, "codes": 16, "code_dim": 8}


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A list of six files of wandering tones, of different lengths."""
    folder = tmp_path_factory.mktemp("tones")
    draw = np.random.default_rng(0)
    lines = [str(folder)]
    for i in range(6):
        samples = 6400 + 1234 * i
        pitch = np.cumsum(draw.standard_normal(samples) * 2 + 300 + 100 * i) / 16000
        soundfile.write(folder / f"{i}.wav", 0.3 * np.sin(2 * np.pi * pitch), 16000, subtype="PCM_16")
        lines.append(f"{i}.wav\t{samples}")
    (folder / "train.tsv").write_text("\n".join(lines) + "\n")
    return folder / "train.tsv"


def written(path, speech, *, model=None, training=None, runner=None, **sections):
    """A configuration file."""
    content = {
        "runner": {"gradient_clipping": 1.0, "log_step": 4, "save_step": 5, **(runner or {})},
        "model": {**SMALL, **(model or {})},
        "training": {"steps": [6, 4, 4], "learning_rate": 3e-3, "reset_every": 2, **(training or {})},
        "pretrain_expert": {"datarc": {"corpus": str(speech), "batch_seconds": 2.0, "threads": 0}},
        **sections,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))
    return path


def train(folder, speech, *flags, **parts):
    """Run a small training; returns its folder."""
    config = written(folder / "experiment.yaml", speech, **parts)
    out = folder / "out"
    assert run_pretrain.main(["-u", "hqa", "-g", str(config), "-p", str(out), "--device", "cpu", *flags]) == 0
    return out


def test_all_levels_are_trained_and_the_checkpoint_is_an_upstream(tmp_path, speech):
    out = train(tmp_path, speech, runner={"save_steps": [0, 6, 10]})
    kept = {step: load.load(out / f"checkpoint_{step}.pt") for step in (0, 6, 10, 14)}
    assert {step: each.train_step for step, each in kept.items()} == {step: step for step in kept}
    for level, (begin, end) in enumerate(((0, 6), (6, 10), (10, 14))):
        mine = f"levels.{level}."
        for step, later in ((0, 6), (6, 10), (10, 14)):
            same = [
                torch.equal(tensor, kept[later].weights[name])
                for name, tensor in kept[step].weights.items()
                if name.startswith(mine)
            ]
            assert not any(same) if (step, later) == (begin, end) else all(same), (level, step)
    upstream = hubconf.hqa_local(out / "checkpoint_last.pt")
    assert [tap.stride for tap in upstream.taps] == [160, 160, 320, 320, 640, 640]
    assert upstream.describe()["pretraining"] == str(speech)
    rows = journal.read(out)
    assert [row["step"] for row in rows] == [4, 8, 12, 14]
    assert [row["train-level"] for row in rows] == [0, 0.5, 1.5, 2], "of the updates since the last row"
    assert all(np.isfinite(row["train-loss"]) for row in rows)


def test_interrupted_within_a_level_it_ends_with_the_same_bits(tmp_path, speech):
    whole = train(tmp_path / "whole", speech)
    cut = train(tmp_path / "cut", speech)
    for path in cut.glob("*"):
        if path.name != "states-10.ckpt" and path.name != "states-5.ckpt":
            path.unlink()
    state = cut / "states-10.ckpt"
    assert run_pretrain.main(["-u", "hqa", "-e", str(state), "-p", str(cut), "--device", "cpu"]) == 0
    first, second = ((folder / "checkpoint_14.pt").read_bytes() for folder in (whole, cut))
    assert first == second


def test_one_option_trains_the_flat_vq_vae_of_the_same_bits(tmp_path, speech):
    out = train(tmp_path, speech, "-o", "config.model.flat=2,,config.training.steps=8")
    flat = hubconf.hqa_local(out / "checkpoint_last.pt")
    hierarchy = pretrain_options.ModelOptions(**SMALL).config
    assert flat.config.quantiser == "nearest"
    assert flat.bits_per_s == hierarchy.bits_per_s[2:]
    assert [tap.stride for tap in flat.taps] == [640, 640]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"model": {"level": 3}}, r"line \d+: unknown key 'level' in model: did you mean 'levels'"),
        ({"model": {"hidden": 7}}, r"line \d+: model.hidden: 7 is not possible; give a whole number that is even"),
        ({"model": {"flat": 3}}, r"model.flat: 3 is no level"),
        ({"training": {"steps": [5, 5]}}, r"2 numbers for 3 levels"),
        ({"training": {"steps": 0}}, r"training.steps: 0"),
        ({"training": {"dtype": "int8"}}, r"training.dtype"),
        ({"optimizer": {"lr": 1.0}}, r"set training.learning_rate"),
    ],
)
def test_options_that_cannot_be_are_refused_with_their_line(tmp_path, speech, parts, named):
    config = written(tmp_path / "experiment.yaml", speech, **parts)
    with pytest.raises(UserError, match=named) as error:
        run_pretrain.main(["-u", "hqa", "-g", str(config), "-p", str(tmp_path / "out"), "--device", "cpu"])
    assert "experiment.yaml" in str(error.value)


def test_features_are_kept_as_far_as_memory_allows(speech):
    made = UpstreamPretrainExpert(
        {"corpus": str(speech), "batch_seconds": 5.0}, {"model": SMALL, "training": {"steps": 2}}
    )
    example = made.get_train_dataloader().speech[2]
    room = made._features._room
    first, lengths = made._features._of("a", example.waveform), len(example.waveform) // 80
    assert first.shape == (lengths, 80)
    assert made._features._of("a", example.waveform) is first
    assert room - made._features._room == first.numel() * 4
    made._features._room = 0
    assert made._features._of("b", example.waveform) is not made._features._of("b", example.waveform)


def test_the_packaged_recipe_is_that_of_the_packaged_model():
    options = pretrain_options.read(packaged("configs", "pretrain", "hqa_tiny.yaml"))
    found = load.load(hubconf.TINY)
    assert found.config == options.model.config
    assert found.train_step == sum(options.steps)
    assert found.pretraining == options.training.pretraining
