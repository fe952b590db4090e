"""The resolution-matched grid for upstreams that are not this plugin's."""

from dataclasses import fields

import foreign_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.commands import main
from s3prl_plugin.errors import UserError
from s3prl_plugin.states import foreign, pooling
from s3prl_plugin.states.featurizer import StatesFeaturizer
from s3prl_plugin.upstream.hf.options import Options as HFOptions
from s3prl_plugin.upstream.hqa.options import Options as HQAOptions
from s3prl_plugin.upstream.mr_hubert.options import Options

s3prl_plugin.register()


@pytest.fixture(scope="module")
def wavlm(tmp_path_factory):
    from s3prl import hub

    torch.manual_seed(0)
    return hub.wavlm_local(ckpt=foreign_models.wavlm(tmp_path_factory.mktemp("wavlm") / "wavlm.pt"))


@pytest.fixture
def asked(tmp_path):
    def write(text):
        (tmp_path / "options.yaml").write_text(text)
        return str(tmp_path / "options.yaml")

    return write


def test_every_second_frame_and_every_mean_of_two(wavlm):
    waves = [torch.randn(n, generator=torch.Generator().manual_seed(n)) for n in (9000, 6400)]
    with torch.no_grad():
        fine = wavlm.eval()(waves)["hidden_states"]
        decimated = foreign.PooledUpstream(wavlm, pooling.parse("decimate:40"))(waves)
        means = foreign.PooledUpstream(wavlm, pooling.parse("mean:40"))(waves)
    assert fine[0].shape[1] == 27
    for x, d, m in zip(fine, decimated["hidden_states"], means["hidden_states"], strict=True):
        assert torch.equal(d, x[:, ::2])
        assert torch.allclose(m[:, :9], x[:, :18].reshape(2, 9, 2, -1).mean(2), atol=1e-6)
        assert torch.allclose(m[0, 13], x[0, 26])
    assert decimated["states"].lengths[0].tolist() == [14, 10]


def test_heads_and_analyses_of_s3prl_find_what_they_need(wavlm):
    from s3prl.upstream.interfaces import Featurizer

    pooled = foreign.PooledUpstream(wavlm, pooling.parse("mean:80"))
    head = Featurizer(pooled, "hidden_states", upstream_device="cpu")
    assert head.downsample_rate == 1280
    waves = [torch.randn(16000), torch.randn(12000)]
    with torch.no_grad():
        assert [len(x) for x in head(waves, pooled(waves))] == [round(16000 / 1280), round(12000 / 1280)]
    assert {tap.stride for tap in StatesFeaturizer(pooled).taps} == {1280}
    assert pooled.get_downsample_rates("last_hidden_state") == 1280
    assert pooled.describe()["options"] == {"pool_to": "mean:80"}


def test_a_grid_that_the_strides_do_not_divide(wavlm):
    with pytest.raises(UserError, match="give a multiple"):
        foreign.PooledUpstream(wavlm, pooling.parse("mean:50"))


def test_only_a_file_with_our_options_alone_is_read_for_a_foreign_upstream(asked):
    assert foreign.requested("wavlm_local", asked("pool_to: mean:40")).grid == pooling.parse("mean:40")
    assert foreign.requested("baseline_local", asked("kaldi: {frame_shift: 10}")) is None
    assert foreign.requested("baseline_local", asked("kaldi: {frame_shift: 10}\nseed: 1")) is None
    assert foreign.requested("baseline_local", asked("- a list")) is None
    assert foreign.requested("wavlm_local", None) is None
    assert foreign.requested("mr_hubert_local", asked("stop_at: mid.pre")) is None, "ours reads it itself"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("dtype: bfloat16", "wavlm_local has no option 'dtype'"),
        ("pool_to: mean:40\nstop_at: layer3", "wavlm_local has no option 'stop_at'"),
        ("pool_to: mean:40\nkaldi: {}", "must stand alone"),
        ("pool_to: median:40", "mean:40"),
        ("random_weights: true\nkaldi: {}", "must stand alone"),
        ("random_weights: yes please", "random_weights: .* is not possible; give true or false"),
        ("random_weights: true", "how wavlm_local is initialised is not known"),
        ("random_weights: true\nseed: -1", "seed: -1 is not possible; give a whole number from 0"),
        (
            "kaldi: {frame_shift: 10}",
            r"reads no options of its own \(of this plugin's, it can have pool_to",
        ),
        ("- a list", "wavlm_local reads no options of its own"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(asked, text, told):
    with pytest.raises(UserError, match=told):
        foreign.requested("wavlm_local", asked(text))


def test_the_options_that_are_ours():
    of_our_upstreams = {field.name for options in (Options, HQAOptions, HFOptions) for field in fields(options)}
    assert of_our_upstreams == foreign.OWN_OPTIONS


def test_taps_of_fbank_on_a_grid(asked, capsys):
    assert main(["ls", "taps", "fbank", "-g", asked("pool_to: mean:20")]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[3:5] == ["20", "320"]


def test_a_run_takes_the_option(asked, tmp_path):
    """The runner loads a pooled upstream, for heads and for analyses."""
    import argparse

    from s3prl_plugin.running.runner import Runner

    arguments = {
        "upstream": "fbank",
        "downstream": "speech_commands",
        "upstream_ckpt": None,
        "upstream_model_config": asked("pool_to: decimate:40"),
        "upstream_refresh": False,
        "upstream_trainable": False,
        "device": "cpu",
        "init_ckpt": None,
    }
    runner = Runner.__new__(Runner)
    runner.args, runner.init_ckpt, runner._given_upstream = argparse.Namespace(**arguments), {}, None
    entry = runner._get_upstream()
    assert entry.model.get_downsample_rates("hidden_states") == 640
    assert runner.args.upstream_model_config == arguments["upstream_model_config"], "a task's runner asks for it again"


def test_the_checkpoint_of_a_fine_tuned_one_is_loaded_without_its_grid():
    """As s3prl's runner does it: the state that was saved goes into the upstream, then the grid is put over it."""
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    pooled = foreign.PooledUpstream.__new__(foreign.PooledUpstream)
    torch.nn.Module.__init__(pooled)
    pooled.upstream = model
    saved = {name: tensor + 1 for name, tensor in pooled.state_dict().items()}
    assert saved.keys() == model.state_dict().keys()
    model.load_state_dict(saved)
    assert all(torch.equal(p, saved[name]) for name, p in pooled.state_dict().items())
    assert {id(p) for p in pooled.parameters()} == {id(p) for p in model.parameters()}, "what is trained"
