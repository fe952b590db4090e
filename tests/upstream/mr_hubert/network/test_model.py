"""The network beyond the recorded oracles: other architectures, batches, training, cost."""

import copy
import dataclasses

import literal_mr_hubert
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.flop_counter import FlopCounterMode

from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.network import front_end, model
from s3prl_plugin.upstream.mr_hubert.network.config import Config
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

TINY = {"dim": 32, "ffn_dim": 48, "heads": 2, "pos_kernel": 16, "pos_groups": 4}
CONVOLUTIONS = ((16, 10, 5), *((16, 3, 2),) * 4, *((16, 2, 2),) * 2)

ARCHITECTURES = {
    "two": {"layers": (2, 1, 2)},
    "three_unequal": {"layers": (1, 2, 1, 3, 1), "ratios": ((1, 2), (1, 2)), "adapter_kernel": 7},
    "odd_steps": {"layers": (1, 1, 2, 1, 1), "ratios": ((1, 2), (1, 3)), "adapter_kernel": 3},
    "fraction": {"layers": (1, 1, 1), "ratios": ((2, 3),), "adapter_kernel": 5},
    "even_kernel": {"layers": (1, 1, 1), "adapter_kernel": 4},
    "even_positions": {"layers": (1, 1, 1), "pos_kernel": 15},
    "same_rate": {"layers": (1, 1, 1), "ratios": ((1, 1),), "adapter_kernel": 7},
    "plain_thirds": {"layers": (1, 1, 1), "ratios": ((1, 3),), "plain_adapters": True, "adapter_kernel": 7},
    "four": {"layers": (1,) * 7, "ratios": ((1, 2),) * 3},
    "pre_ln": {"layers": (2, 1, 1), "layer_norm_first": True, "extractor_mode": "layer_norm", "conv_bias": True},
    "no_ratios": {"layers": (3,), "ratios": ()},
    "hubert": {"layers": (3,), "ratios": (), "middle_residual": False},
    "hubert_pre_ln": {"layers": (2,), "ratios": (), "middle_residual": False, "layer_norm_first": True},
    "no_projection": {"layers": (1, 1, 1), "dim": 16, "pos_groups": 2},
}


def build(name="two", seed=0, **changes):
    """A small network none of whose parameters has its trivial initial value."""
    torch.manual_seed(seed)
    config = Config(**(TINY | {"conv_layers": CONVOLUTIONS} | ARCHITECTURES[name] | changes))
    network = MRHuBERT(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network.eval()


def noise(*lengths, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(length, generator=generator) * 0.3 + 0.05 for length in lengths]


def run(network, waveforms, **options):
    return network(pad_sequence(waveforms, batch_first=True), [len(wav) for wav in waveforms], **options)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_any_architecture_equals_the_literal_definition(name, tmp_path):
    network = build(name)
    content = torch.load(load.save(tmp_path / "c.pt", network), weights_only=True)
    loaded = load.load(tmp_path / "c.pt")
    assert loaded.config == network.config
    network = loaded.network().eval()
    for waveform in noise(9231, network.config.min_samples):
        expected = literal_mr_hubert.states(content["model"], content["cfg"]["model"], waveform)
        with torch.no_grad():
            found = run(network, [waveform])
        assert {state.name for state in found} == set(expected)
        for state in found:
            torch.testing.assert_close(state.x[0], expected[state.name].float(), rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_taps_describe_the_states(name):
    network = build(name)
    with torch.no_grad():
        found = run(network, noise(32000))
    assert [tap.name for tap in network.taps] == [state.name for state in found]
    assert [tap.index for tap in network.taps] == list(range(len(found)))
    for tap, state in zip(network.taps, found, strict=True):
        assert state.x.shape[2] == tap.dim
        # 2 s hold as many frames as the stride says, but for the edges.
        assert abs(state.x.shape[1] - 32000 / tap.stride) <= 3
    states = [tap for tap in network.taps if tap.role == "state"]
    assert len(states) == sum(n + 1 for n in network.config.layers)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_exact_batches_do_not_depend_on_the_batch(name):
    network = build(name)
    shortest = network.config.min_samples
    waveforms = noise(20000, shortest, 8011, shortest + 321, 12345)
    with torch.no_grad():
        together = run(network, waveforms)
        for i, waveform in enumerate(waveforms):
            for state, alone in zip(together, run(network, [waveform]), strict=True):
                assert [state.lengths[i]] == alone.lengths == [alone.x.shape[1]]
                torch.testing.assert_close(state.x[i, : state.lengths[i]], alone.x[0], rtol=0, atol=2e-5)


def test_garbage_in_the_padding_does_not_matter():
    network = build("three_unequal")
    first, second = noise(16000, 9000)
    clean = pad_sequence([first, second], batch_first=True)
    dirty = clean.clone()
    dirty[1, 9000:] = 100.0
    with torch.no_grad():
        for a, b in zip(network(clean, [16000, 9000]), network(dirty, [16000, 9000]), strict=True):
            assert torch.equal(a.x[1, : a.lengths[1]], b.x[1, : b.lengths[1]])


def test_statistics_survive_an_offset():
    # A mean far above the deviation is where a variance from sums of squares breaks down.
    network = build("two")
    waveform = noise(8000)[0] * 0.01 + 3.0
    with torch.no_grad():
        single = run(network, [waveform])[0].x
        double = run(copy.deepcopy(network).double(), [waveform.double()])[0].x
    torch.testing.assert_close(single, double.float(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["three_unequal", "pre_ln", "hubert"])
def test_stop_at_gives_the_same_states_for_less(name):
    network = build(name)
    waveforms = noise(16000, 9000)
    with torch.no_grad():
        whole = {state.name: state.x for state in run(network, waveforms)}
        previous = 0
        for tap in network.config._execution():
            counter = FlopCounterMode(display=False)
            with counter:
                found = run(network, waveforms, stop_at=tap.name)
            assert tuple(s.name for s in found) == tuple(t.name for t in network.config.taps(tap.name))
            assert tap.name in [s.name for s in found]
            for state in found:
                assert torch.equal(state.x, whole[state.name])
            assert counter.get_total_flops() >= previous
            previous = counter.get_total_flops()
        with FlopCounterMode(display=False) as counter:
            run(network, waveforms)
        assert counter.get_total_flops() == previous


def test_layerdrop_shows_the_input_of_a_dropped_layer():
    network = build("two", layerdrop=0.9, dropout=0.0, attention_dropout=0.0, input_dropout=0.0).train()
    torch.manual_seed(0)
    dropped = 0
    for _ in range(5):
        found = run(network, noise(8000))
        assert [state.name for state in found] == [tap.name for tap in network.taps]
        x = {state.name: state.x for state in found}
        dropped += torch.equal(x["enc0.pre"], x["enc0.layer0"]) + torch.equal(x["enc0.layer0"], x["enc0.layer1"])
    assert 5 <= dropped <= 10


@pytest.mark.parametrize("name", ["two", "pre_ln", "plain_thirds", "hubert"])
def test_dropout_acts_in_training_only(name):
    network = build(name)
    waveforms = noise(8000, 5000)
    first, second = (run(network, waveforms)[-1].x for _ in range(2))
    assert torch.equal(first, second)
    network.train()
    first, second = (run(network, waveforms)[-1].x for _ in range(2))
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("exact", [True, False])
def test_gradients_reach_every_parameter(exact):
    network = build("three_unequal", layerdrop=0.0).train()
    sum(state.x.square().mean() for state in run(network, noise(9000, 5000), exact=exact)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        # The bias of a key shifts all scores of a query alike, which softmax does not see.
        if "k_proj.bias" not in name:
            assert parameter.grad.abs().max() > 0, name


def test_gradient_of_the_normalised_first_convolution():
    network = build("two", feature_grad_mult=1.0).double()
    front = network.feature_extractor.conv_layers[0]
    waveforms = pad_sequence(noise(60, 35), batch_first=True).double()

    def first(weight, scale, shift):
        parameters = {"0.weight": weight, "2.weight": scale, "2.bias": shift}
        return torch.func.functional_call(front, parameters, (waveforms, [60, 35]))

    inputs = [parameter.detach().clone().requires_grad_() for parameter in front.parameters()]
    assert torch.autograd.gradcheck(first, inputs)


def test_the_front_end_s_gradient_is_scaled_or_absent():
    def gradient(multiplier):
        network = build("two", feature_grad_mult=multiplier)
        run(network, noise(6000))[-1].x.sum().backward()
        return network.feature_extractor.conv_layers[3]["0"].weight.grad

    torch.testing.assert_close(gradient(0.1), 0.1 * gradient(1.0))
    assert gradient(0.0) is None


def test_deepcopy_is_independent():
    network = build("two")
    twin = copy.deepcopy(network)
    with torch.no_grad():
        before = run(twin, noise(6000))[-1].x
        for parameter in network.parameters():
            parameter.zero_()
        assert torch.equal(run(twin, noise(6000))[-1].x, before)


def test_initialisation_is_seeded_and_as_hubert_s():
    config = Config(dim=128, ffn_dim=256, heads=2, layers=(1, 1, 1), conv_layers=CONVOLUTIONS)
    first, second = (_seeded(config, seed).state_dict() for seed in (3, 3))
    other = _seeded(config, 4).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["encoders.0.layers.0.fc1.weight"], other["encoders.0.layers.0.fc1.weight"])
    for name, parameter in first.items():
        if ".layers." in name and name.endswith("weight") and "norm" not in name:
            assert 0.019 < parameter.std() < 0.021, name
        if ".layers." in name and name.endswith("bias"):
            assert not parameter.any(), name
    positional = first["encoders.0.pos_conv.0.weight_v"]
    assert positional.std() == pytest.approx((4 / (128 * 128)) ** 0.5, rel=0.05)
    torch.testing.assert_close(first["encoders.0.pos_conv.0.weight_g"][0, 0], positional.norm(dim=(0, 1)))


def test_published_base_size():
    # 97.39 M parameters with the prediction heads: two of (256, 768) + 256, embeddings and the mask.
    with torch.device("meta"):
        network = MRHuBERT(Config(dim=768, ffn_dim=3072, heads=12, layers=(4, 4, 4)))
    count = sum(p.numel() for p in network.parameters())
    assert count + 2 * (256 * 768 + 256) + 768 == pytest.approx(97.39e6, rel=0.005)


def _seeded(config, seed):
    torch.manual_seed(seed)
    return MRHuBERT(config)


def test_parameters_bear_fairseq_s_names():
    names = build("three_unequal").state_dict()
    assert isinstance(build("two"), nn.Module)
    for name in (
        "feature_extractor.conv_layers.0.2.weight",
        "encoders.0.pos_conv.0.weight_g",
        "decoders.1.layers.0.self_attn.out_proj.bias",
        "downsample_modules.1.upsample_conv.2.bias",
        "middle_encoder.layer_norm.weight",
    ):
        assert name in names
    assert not any("pos_conv" in name for name in names if not name.startswith("encoders.0."))
    assert "feature_extractor.conv_layers.3.2.1.weight" in build("pre_ln").state_dict()


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        build("two").config.dim = 3


@pytest.mark.parametrize("name", ["two", "pre_ln"])
def test_a_long_utterance_is_heard_in_blocks_and_is_the_same(name, tmp_path, monkeypatch):
    network = build(name)
    content = torch.load(load.save(tmp_path / "c.pt", network), weights_only=True)
    samples = 3 * 60 * 16000 + 77
    long, short = noise(samples, samples // 2)
    long[: samples // 2] *= 0.01  # what a normalisation over part of it would betray
    widest = []
    for layer in network.feature_extractor.conv_layers[1:]:
        layer.register_forward_pre_hook(lambda _, inputs: widest.append(inputs[0].shape[:2].numel()))
    with torch.no_grad():
        in_blocks, lengths = network.convolved(long[None], [samples], exact=True)
        pair, _ = network.convolved(pad_sequence([long, short], batch_first=True), [samples, samples // 2], exact=True)
        assert max(widest) <= 64 * (front_end.BLOCK + 2)
        monkeypatch.setattr(front_end, "BLOCK", samples)
        monkeypatch.setattr(front_end, "STATISTICS_BLOCK", samples)
        whole, _ = network.convolved(long[None], [samples], exact=True)
        alone, frames = network.convolved(short[None], [samples // 2], exact=True)
    assert in_blocks.shape == whole.shape == (1, lengths[0], 16)
    torch.testing.assert_close(in_blocks, whole, rtol=0, atol=1e-6)
    torch.testing.assert_close(pair[0, : lengths[0]], whole[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(pair[1, : frames[0]], alone[0], rtol=0, atol=1e-6)
    literal = literal_mr_hubert._Literal(content["model"], content["cfg"]["model"]).front_end(long.double())
    with torch.no_grad():
        projected = network.projected(in_blocks)[0]
    torch.testing.assert_close(projected, literal.float(), rtol=0, atol=2e-5)


def test_the_feed_forward_of_a_long_utterance_in_blocks_is_the_same(monkeypatch):
    network = build("two")
    with torch.no_grad():
        whole = run(network, noise(64000, 20000))
        monkeypatch.setattr(model, "FEED_FORWARD_BLOCK", 30)
        in_blocks = run(network, noise(64000, 20000))
    for one, other in zip(whole, in_blocks, strict=True):
        torch.testing.assert_close(one.x, other.x, rtol=0, atol=1e-5)


def test_it_begins_with_the_weights_that_hubert_begins_with():
    """fairseq's init_bert_params (spread 0.02, no biases) and its positional convolution."""
    torch.manual_seed(0)
    sizes = {**TINY, "dim": 64, "ffn_dim": 128}
    network = MRHuBERT(Config(layers=(1, 1, 1), conv_layers=CONVOLUTIONS, **sizes))
    for block in (network.encoders[0], network.middle_encoder, network.decoders[0]):
        for linear in (m for m in block.layers.modules() if isinstance(m, nn.Linear)):
            assert linear.weight.std().item() == pytest.approx(0.02, rel=0.1)
            assert not linear.bias.any()
    (positions,) = (m for m in network.modules() if isinstance(m, model.PositionalConv))
    assert positions.weight_v.std().item() == pytest.approx((4 / (16 * 64)) ** 0.5, rel=0.1)
    assert not positions.bias.any()
