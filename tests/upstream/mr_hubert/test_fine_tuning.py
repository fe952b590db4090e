"""Networks that are cut, frozen and re-initialised, against autograd on the plain network."""

import copy

import pytest
import torch

from s3prl_plugin.errors import UserError
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local

CONFIGS = {
    "two": small.small_config(dim=32, layers=(2, 2, 1)),
    "pre_ln": small.small_config(
        dim=32, layers=(1, 2, 1, 1, 1), ratios=((1, 2), (1, 2)), layer_norm_first=True, adapter_kernel=3
    ),
    "plain": small.small_config(dim=32, layers=(1, 1, 1), plain_adapters=True),
}
TAPS = {
    "two": ["enc0.pre", "enc0.layer0", "mid.pre", "mid.layer1", "res_out0", "dec0.pre", "res_out1"],
    "pre_ln": ["enc0.pre", "enc0.out", "enc1.layer0", "mid.pre", "mid.out", "dec0.out", "dec1.pre"],
    "plain": ["enc0.layer0", "mid.pre", "res_out0", "dec0.layer0"],
}
CASES = [(name, tap) for name, taps in TAPS.items() for tap in taps]


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fine_tuning")
    return {name: small.write_random_checkpoint(folder / f"{name}.pt", config) for name, config in CONFIGS.items()}


def noise(*lengths):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(length, generator=generator) * 0.3 for length in lengths]


def parameters(upstream):
    return {name: p.detach().clone() for name, p in upstream.named_parameters()}


def reached_from(upstream, tap):
    """The parameters that a state depends on, as autograd finds them on a whole network; in fine-tuning, all train."""
    upstream.eval().zero_grad()
    upstream(noise(4000))[tap].square().mean().backward()
    return {name for name, p in upstream.named_parameters() if p.grad is not None}


def stormy(upstream):
    """The same network, in which nearly everything that is random in training happens."""
    for module in upstream.modules():
        for name in ("dropout", "layerdrop", "activation_dropout"):
            if hasattr(module, name):
                setattr(module, name, 0.5)
    return upstream


def train(upstream, steps=3):
    """Fine-tune with everything that could move a weight: momentum, weight decay, a loss on every state."""
    upstream.train()
    optimizer = torch.optim.AdamW(upstream.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(x.square().mean() for x in upstream(noise(4000, 2500))["hidden_states"]).backward()
        optimizer.step()
    return optimizer


@pytest.mark.parametrize(("name", "tap"), CASES)
def test_what_is_frozen_stays_bit_identical_and_the_rest_learns(paths, name, tap):
    kept = reached_from(mr_hubert_local(paths[name]), tap)
    upstream = mr_hubert_local(paths[name], freeze_to=tap, feature_grad_mult=1.0)
    assert {name for name, p in upstream.named_parameters() if not p.requires_grad} == kept
    before = parameters(upstream)
    torch.manual_seed(0)
    if len(kept) < len(before):
        train(upstream)
    changed = {name for name, p in upstream.named_parameters() if not torch.equal(p, before[name])}
    assert not changed & kept
    assert changed >= {name for name in before if name not in kept and ".layers." in name and "k_proj.bias" not in name}


@pytest.mark.parametrize(("name", "tap"), CASES)
def test_frozen_taps_do_not_know_that_this_is_training(paths, name, tap):
    plain, upstream = (stormy(mr_hubert_local(paths[name], **o)) for o in ({}, {"freeze_to": tap}))
    expected = plain.eval()(noise(4000, 2500))
    torch.manual_seed(0)
    states = [upstream.train()(noise(4000, 2500)) for _ in range(3)]
    below = {t.name for t in plain.network.config.taps(tap)}
    for t in plain.taps:
        if t.name in below:
            assert all(torch.equal(found[t.name], expected[t.name]) for found in states), t.name
            assert not any(found[t.name].requires_grad for found in states)
    if len(below) < len(plain.taps) and not tap.startswith("dec"):
        last = plain.taps[-1].name
        assert not torch.equal(states[0][last], states[1][last])
        assert all(found[last].requires_grad for found in states)


@pytest.mark.parametrize(("name", "tap"), CASES)
def test_what_is_cut_is_gone_and_the_rest_computes_the_same(paths, name, tap):
    whole, upstream = mr_hubert_local(paths[name]).eval(), mr_hubert_local(paths[name], stop_at=tap).eval()
    assert set(dict(upstream.named_parameters())) == reached_from(whole, tap)
    assert set(upstream.state_dict()) <= set(whole.state_dict())
    modules = [sum(1 for _ in found.network.modules()) for found in (upstream, whole)]
    assert modules[0] < modules[1] or len(list(upstream.parameters())) == len(list(whole.parameters()))
    assert upstream.describe()["params"] == sum(p.numel() for p in upstream.parameters())
    with torch.no_grad():
        expected, found = (u(noise(4000, 2500)) for u in (whole, upstream))
    for t in upstream.taps:
        assert torch.equal(found[t.name], expected[t.name])
    assert torch.equal(found["last_hidden_state"], expected[tap])
    optimizer = train(upstream)
    held = {p for group in optimizer.param_groups for p in group["params"]}
    assert held == set(upstream.parameters())
    assert {p.shape for p in optimizer.state} <= {p.shape for p in held}


def test_gradients_above_what_is_frozen_are_those_of_the_plain_network(paths):
    plain = mr_hubert_local(paths["two"]).eval()
    upstream = mr_hubert_local(paths["two"], freeze_to="mid.layer0", stop_at="dec0.layer0").eval()
    for found in (plain, upstream):
        found(noise(4000, 2500))["dec0.layer0"].square().mean().backward()
    expected = {name: p.grad for name, p in plain.named_parameters()}
    learning = {name: p.grad for name, p in upstream.named_parameters() if p.requires_grad}
    assert learning
    for name, gradient in learning.items():
        torch.testing.assert_close(gradient, expected[name])
    assert all(p.grad is None for p in upstream.parameters() if not p.requires_grad)


def test_the_last_of_the_layers_that_are_left_start_anew(paths):
    whole = parameters(mr_hubert_local(paths["two"]))
    upstream = mr_hubert_local(paths["two"], stop_at="mid.layer0", reset_top=2, seed=5)
    changed = {name for name, p in upstream.named_parameters() if not torch.equal(p, whole[name])}
    fresh = {name.rsplit(".", 2)[0].removesuffix(".self_attn") for name in changed}
    assert fresh == {"network.encoders.0.layers.1", "network.middle_encoder.layers.0"}


def test_random_weights_of_what_is_left_are_those_of_the_whole(paths):
    whole = parameters(mr_hubert_local(paths["pre_ln"], random_weights=True, seed=2))
    for name, p in mr_hubert_local(paths["pre_ln"], random_weights=True, seed=2, stop_at="mid.pre").named_parameters():
        assert torch.equal(p, whole[name]), name


def test_a_copy_is_frozen_and_cut_by_itself(paths):
    upstream = mr_hubert_local(paths["two"], freeze_to="enc0.layer1", stop_at="mid.layer1")
    twin = copy.deepcopy(upstream).train()
    assert not any(module.training for layer in twin.network.encoders[0].layers for module in layer.modules())
    assert twin.network.middle_encoder.layers[0].training
    before = parameters(upstream)
    train(twin)
    assert all(torch.equal(p, before[name]) for name, p in upstream.named_parameters())
    states = twin.eval()(noise(4000))
    assert torch.equal(states["enc0.layer1"], upstream.eval()(noise(4000))["enc0.layer1"])
    assert not torch.equal(states["mid.layer1"], upstream(noise(4000))["mid.layer1"])


def test_every_state_is_there_whatever_layers_are_dropped(paths):
    upstream = stormy(mr_hubert_local(paths["two"], freeze_to="enc0.layer0", stop_at="mid.layer1")).train()
    torch.manual_seed(0)
    for _ in range(5):
        assert [x.shape for x in upstream(noise(4000))["hidden_states"]] == [(1, 12, 32)] * 6


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"freeze_to": "enc0.layer9"}, r"^freeze_to: no tap is called 'enc0.layer9': did you mean 'enc0.layer"),
        ({"freeze_to": 3}, "^freeze_to: 3 is not possible"),
        ({"freeze_to": "mid.pre", "stop_at": "enc0.layer1"}, "freeze_to: mid.pre lies above stop_at: enc0.layer1"),
        ({"reset_top": 4, "stop_at": "mid.layer0"}, "reset_top: 4 layers of 3"),
        ({"reset_top": 3, "freeze_to": "mid.layer0"}, "reset_top: 3 layers, of which freeze_to keeps all but 2"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(paths, options, reason):
    with pytest.raises(UserError, match=reason) as error:
        mr_hubert_local(paths["two"], **options)
    assert "\n" not in str(error.value)


def test_a_cut_network_does_not_pretend_to_have_more(paths):
    network = mr_hubert_local(paths["two"], stop_at="enc0.layer1").network
    assert [state.name for state in network(torch.randn(1, 4000), [4000])] == ["enc0.pre", "enc0.layer0", "enc0.layer1"]
    with pytest.raises(ValueError, match=r"mid\.pre lies above"):
        network(torch.randn(1, 4000), [4000], stop_at="mid.pre")
