"""A model that comes with code of its own: run by the flag alone, its stacks named by `layers`."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

import s3prl_plugin
from s3prl_plugin.config import remote_code
from s3prl_plugin.errors import UserError
from s3prl_plugin.running.arguments import Parser

pytest.importorskip("transformers")
s3prl_plugin.register()

CONFIG = """
from pathlib import Path
from transformers import PretrainedConfig

Path("RAN").touch()

class StackedConfig(PretrainedConfig):
    model_type = "stacked_for_a_test"
    def __init__(self, dim=8, factors=(1, 2, 4, 8, 4), tokens=0, **kwargs):
        self.dim, self.factors, self.tokens = dim, list(factors), tokens
        super().__init__(**kwargs)
"""
# As a Zipformer: every stack works at its own rate, time first, and is brought up again behind it.
MODEL = """
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel
from .configuration_stacked import StackedConfig

class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.linear = nn.Linear(dim, dim)
    def forward(self, x):
        return x + torch.tanh(self.linear(x + x.cumsum(0) / (1 + torch.arange(len(x)))[:, None, None]))

class Stack(nn.Module):
    def __init__(self, dim, factor):
        super().__init__()
        self.factor = factor
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList([Layer(dim), Layer(dim)])
    def forward(self, x):
        n, f = len(x), self.factor
        y = torch.cat([x, x[-1:].expand(-n % f, -1, -1)]).unflatten(0, (-1, f)).mean(1)
        for layer in self.encoder.layers:
            y = layer(y)
        return x + y.repeat_interleave(f, 0)[:n]

class StackedModel(PreTrainedModel):
    config_class = StackedConfig
    def __init__(self, config):
        super().__init__(config)
        self.front = nn.Conv1d(1, config.dim, 400, 320)
        self.encoders = nn.ModuleList([Stack(config.dim, f) for f in config.factors])
        self.post_init()
    def forward(self, audio, audio_len):
        x = self.front(audio[:, None]).permute(2, 0, 1)
        x = torch.cat([torch.ones(2 * self.config.tokens, *x.shape[1:]), x])
        for stack in self.encoders:
            x = stack(x)
        return {"encoder_out": x.transpose(0, 1)}
"""
STACKS = "encoders.*.encoder.layers"


@pytest.fixture
def folder(tmp_path):
    """A folder with code, and random weights that fit it."""
    (tmp_path / "configuration_stacked.py").write_text(CONFIG.replace("RAN", str(tmp_path / "ran")))
    (tmp_path / "modeling_stacked.py").write_text(MODEL)
    auto = {"AutoConfig": "configuration_stacked.StackedConfig", "AutoModel": "modeling_stacked.StackedModel"}
    config = {"model_type": "stacked_for_a_test", "auto_map": auto, "dim": 8, "architectures": ["StackedModel"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    draw = torch.Generator().manual_seed(0)
    shapes = {"front.weight": (8, 1, 400), "front.bias": (8,)}
    for i in range(5):
        for j in range(2):
            name = f"encoders.{i}.encoder.layers.{j}.linear"
            shapes |= {f"{name}.weight": (8, 8), f"{name}.bias": (8,)}
    weights = {name: 0.3 * torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


@pytest.fixture
def flag():
    """The flag, as a command line gives it."""
    remote_code.take_flag(Parser().parse_known_args([remote_code.FLAG])[0])
    yield
    remote_code.take_flag(Parser().parse_known_args([])[0])


def load(path, **options):
    from s3prl import hub

    return hub.hf(ckpt=str(path), **options)


def test_without_the_flag_nothing_of_it_is_run(folder):
    with pytest.raises(UserError, match=r"code of its own, which is not run; .* --trust_remote_code on the command"):
        load(folder, layers=STACKS)
    assert not (folder / "ran").exists()


@pytest.mark.parametrize("given", [{"trust_remote_code": True}, "-g"])
def test_no_option_and_no_file_gives_the_flag(folder, tmp_path, given):
    (tmp_path / "options.yaml").write_text("trust_remote_code: true\n")
    with pytest.raises(UserError, match="trust_remote_code"):
        load(folder, **(given if given != "-g" else {"model_config": str(tmp_path / "options.yaml")}))
    assert not (folder / "ran").exists()


def by_hand(folder, wave):
    """The states of every stack, from the file of weights."""
    w = load_file(folder / "model.safetensors")
    x = torch.nn.functional.conv1d(wave[None, None], w["front.weight"], w["front.bias"], 320)[0].T
    found = []
    for i, factor in enumerate((1, 2, 4, 8, 4)):
        parts = [part.mean(0) for part in torch.cat([x, x[-1:].expand(-len(x) % factor, -1)]).split(factor)]
        states = [torch.stack(parts)]
        for j in range(2):
            y, name = states[-1], f"encoders.{i}.encoder.layers.{j}.linear"
            mean = y.cumsum(0) / torch.arange(1, len(y) + 1)[:, None]
            states.append(y + (torch.nn.functional.linear(y + mean, w[f"{name}.weight"], w[f"{name}.bias"])).tanh())
        found += states
        x = x + states[-1].repeat_interleave(factor, 0)[: len(x)]
    return found


def test_every_stack_is_seen_at_its_own_rate(folder, flag):
    upstream = load(folder, layers=STACKS)
    draw = torch.Generator().manual_seed(1)
    waves = [0.1 * torch.randn(n, generator=draw) for n in (401, 16001, 17777)]
    with torch.no_grad():
        found = upstream(waves)["states"]
    strides = {tap.name: tap.stride for tap in found.taps}
    for stack, stride in enumerate((320, 640, 1280, 2560, 1280)):
        assert [strides[f"stack{stack}.layer{i}"] for i in range(3)] == [stride] * 3
    for i, wave in enumerate(waves):
        for tap, wanted in zip(found.taps, by_hand(folder, wave), strict=True):
            torch.testing.assert_close(found.utterance(tap.name, i), wanted, atol=1e-5, rtol=1e-5)
    assert (folder / "ran").exists()
    assert upstream.describe()["options"] == {"layers": STACKS, "trust_remote_code": True}


def test_tokens_in_front_of_the_audio_are_left_out(folder, flag):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tokens": 1, "factors": [1]}))
    weights = load_file(folder / "model.safetensors")
    kept = {name: w for name, w in weights.items() if name.startswith(("front", "encoders.0."))}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    upstream = load(folder, layers="encoders.0.encoder.layers")
    wave = 0.1 * torch.randn(16001, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = upstream([wave, wave[:9000]])["states"]
        layer = upstream.network.encoders[0].encoder.layers[0]
        x = upstream.network.front(wave[None, None]).permute(2, 0, 1)
        wanted = layer(torch.cat([torch.ones(2, 1, 8), x]))[2:, 0]
    assert found.lengths[0].tolist() == [49, 27]
    torch.testing.assert_close(found.utterance("layer0", 0), x[:, 0])
    torch.testing.assert_close(found.utterance("layer1", 0), wanted)


def test_the_lists_that_there_are_are_named(folder, flag):
    with pytest.raises(UserError, match=r"layers: blocks: .* its lists are: encoders, encoders\.0\.encoder\.layers"):
        load(folder, layers="blocks")
