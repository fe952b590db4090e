"""Layers that are drawn anew, or added, in the course of a training."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import tones
import torch

from s3prl_plugin import run_pretrain
from s3prl_plugin.config import Config
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.settings import RunnerSettings, SchedulerSettings, Settings
from s3prl_plugin.pretraining.loop.runner import Runner
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.pretrain import network as pretrain_network
from s3prl_plugin.upstream.mr_hubert.pretrain import stages
from s3prl_plugin.upstream.mr_hubert.pretrain.expert import UpstreamPretrainExpert
from s3prl_plugin.upstream.mr_hubert.pretrain.stages import Stages

PLAIN = {"label_rate_ratios": [], "encoder_layers": 3, "layer_norm_first": True}
LAYER = "middle_encoder.layers.{}."


def trained(folder, speech, said, *, steps=6, stops=None, **runner):
    """The weights at every update of a training, which may be stopped after `stops` updates and go on."""
    runner = {"total_steps": steps, "save_step": 2, "save_steps": 1, **runner}
    path = tones.write_experiment(folder.with_suffix(".yaml"), speech=speech, model=PLAIN, runner=runner, stages=said)
    flags = ["-u", "mr_hubert", "-g", str(path), "-p", str(folder), "--device", "cpu", "--seed", "3"]
    if stops is not None:

        def stop(runner, *given, save=Runner._save, **named):
            save(runner, *given, **named)
            if runner.step == stops:
                raise KeyboardInterrupt

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Runner, "_save", stop)
            with pytest.raises(KeyboardInterrupt):
                run_pretrain.main(flags)
        flags.append("-a")
    assert run_pretrain.main(flags) == 0
    return {step: load.load(folder / f"checkpoint_{step}.pt").weights for step in range(1, steps + 1)}


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return tones.write(tmp_path_factory.mktemp("speech"), utterances=4)


def part(weights, layer):
    prefix = LAYER.format(layer)
    return {name.removeprefix(prefix): tensor for name, tensor in weights.items() if name.startswith(prefix)}


def moved(earlier, later):
    """The largest change of a weight."""
    return max(float((earlier[name] - later[name]).abs().max()) for name in earlier)


def test_the_top_layer_is_drawn_anew_again_and_again_and_the_others_go_on(tmp_path, speech):
    found = trained(tmp_path / "reset", speech, {"at": [2, 4], "reset_top": 1})
    step = 2e-3  # twice what an update of Adam can move a weight by
    for at in range(1, 6):
        jumps = [moved(part(found[at], layer), part(found[at + 1], layer)) > step for layer in range(3)]
        assert jumps == [False, False, at in (2, 4)]
    anew = [part(found[at], 2)["fc1.weight"] for at in (3, 5)]
    assert moved({"": anew[0]}, {"": anew[1]}) > step, "each time other weights"
    spread = torch.cat([weight.flatten() for weight in anew]).std()
    assert float(spread) == pytest.approx(0.02, rel=0.1), "of HuBERT's spread"


def test_a_network_grows_by_copies_of_the_layer_below(tmp_path, speech):
    found = trained(tmp_path / "grow", speech, {"at": [2, 4], "layers": [1, 2, 3]})
    assert [load.load(tmp_path / "grow" / f"checkpoint_{at}.pt").config.layers for at in (2, 3, 4, 5)] == [
        (1,), (2,), (2,), (3,)
    ]  # fmt: skip
    for at, top in ((2, 0), (4, 1)):
        below, new = part(found[at], top), part(found[at + 1], top + 1)
        assert 0 < moved(below, new) < 2e-3, "an update away from where it began"
        assert moved(below, part(found[at + 1], top)) < 2e-3, "the one below goes on"


@pytest.mark.parametrize("said", [{"at": [3], "layers": [2, 3], "reset_top": 1}])
@pytest.mark.parametrize("stops", [2, 3, 4])
def test_a_training_that_goes_on_in_or_between_stages_ends_with_the_same_bits(tmp_path, speech, said, stops):
    whole = trained(tmp_path / "whole", speech, said, save_step=1)[6]
    parts = trained(tmp_path / "parts", speech, said, save_step=1, stops=stops)[6]
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_a_shallow_network_computes_what_one_of_its_size_does():
    config = replace(small.small_config(dim=16, layers=(3,), ratios=(), layer_norm_first=True), middle_residual=False)
    whole = small.random_network(config, seed=1).eval()
    shallow = pretrain_network.first_layers(whole, 2)
    alone = small.random_network(shallow.config, seed=2).eval()
    alone.load_state_dict({name: whole.state_dict()[name] for name in alone.state_dict()})
    waveforms = torch.randn(2, 4000, generator=torch.manual_seed(0))
    with torch.no_grad():
        for mine, other in zip(shallow(waveforms, [4000, 3000]), alone(waveforms, [4000, 3000]), strict=True):
            assert mine.name == other.name
            assert torch.equal(mine.x, other.x)


def test_the_learning_rate_rises_in_every_stage_and_falls_over_all_of_them():
    settings = Settings(RunnerSettings(total_steps=10), scheduler=SchedulerSettings(num_warmup_steps=2))
    network = SimpleNamespace(config=SimpleNamespace(layers=(3,)))
    model = SimpleNamespace(network=network, parameters=list, run_layers=lambda count: None)
    first, second = stages.planned(Stages(at=[6], reset_top=1), model, settings)
    assert [first.steps, second.steps] == [6, 4]
    rates = [stage.rate(step, stage.steps) for stage in (first, second) for step in range(stage.steps)]
    assert rates == [1 / 2, 1.0, 1.0, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    assert rates[:6] == [settings.scheduler.factor(step, 10) for step in range(6)]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"at": [4, 4], "reset_top": 1}, r"stages\.at: \[4, 4\] does not rise"),
        ({"at": [4]}, r"stages\.at: nothing changes there"),
        ({"reset_top": 1}, r"stages\.reset_top: at which updates"),
        ({"at": [4], "layers": [3]}, r"stages\.layers: 1 numbers for 2 stages"),
        ({"at": [4], "layers": [3, 2]}, r"stages\.layers: \[3, 2\] falls"),
        ({"at": [4], "layers": [1, 2]}, r"stages\.layers: the last stage has 2 of 3 layers"),
        ({"at": [8], "reset_top": 1}, r"stages\.at: after 8 updates, of 8 \(runner\.total_steps\), no stage"),
        ({"at": [4], "reset_top": 4}, r"stages\.reset_top: 4 layers of 3"),
        ({"at": [4], "layers": [1, 3], "reset_top": 4}, r"stages\.reset_top: 4 layers of 3"),
        ({"when": [4]}, r"unknown key 'when' in stages"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(tmp_path, speech, said, message):
    config = tones.experiment(speech, model=PLAIN, stages=said)
    with pytest.raises(UserError, match=message):
        UpstreamPretrainExpert.check(Config(tmp_path / "c.yaml", config, {}))


def test_a_network_of_several_resolutions_does_not_grow(tmp_path, speech):
    config = tones.experiment(speech, stages={"at": [4], "layers": [1, 3]})
    with pytest.raises(UserError, match="a network of several resolutions cannot grow"):
        UpstreamPretrainExpert.check(Config(tmp_path / "c.yaml", config, {}))
