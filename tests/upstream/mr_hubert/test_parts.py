"""What entries are made of, against the upstream's own forward."""

import pytest
import torch

from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.checkpoint import load
from s3prl_plugin.upstream.mr_hubert.expert import UpstreamExpert
from s3prl_plugin.upstream.mr_hubert.network.model import MRHuBERT

CONFIGS = {
    "two rates": small.small_config(dim=32, layers=(1, 2, 1)),
    "even kernel": small.small_config(dim=32, layers=(1, 1, 1), adapter_kernel=2),
    "20, 30 and 60 ms": small.small_config(dim=32, layers=(1,) * 5, ratios=((2, 3), (1, 2)), adapter_kernel=3),
    "plain adapters": small.small_config(dim=32, layers=(1, 1, 1), plain_adapters=True),
    "HuBERT": small.small_config(dim=32, layers=(2,), ratios=()),
}
LAYER_OF_HUBERT = 1


def noise(*lengths):
    draw = torch.Generator().manual_seed(3)
    return [torch.randn(n, generator=draw) for n in lengths]


def expert_of(tmp_path, config, **options):
    path = load.save(tmp_path / "model.pt", small.random_network(config))
    return UpstreamExpert(path, **options).eval()


def assembled(expert, key, layer, waveforms):
    parts = expert.parts(key, layer)
    with torch.no_grad():
        return parts.assemble(parts.compute(waveforms), [len(w) for w in waveforms], torch.device("cpu"))


def selected(entry, layer):
    """What s3prl's featurizer takes of an entry, as a list."""
    if isinstance(entry, torch.Tensor):
        return [entry]
    return entry if layer is None or len(entry) == 1 else [entry[layer]]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("samples", [16000, 16319, 16320, 16641, 5000])
def test_the_number_of_frames_is_the_networks(name, samples):
    config = CONFIGS[name]
    with torch.no_grad():
        states = MRHuBERT(config)(torch.randn(1, samples), [samples])
    assert config.tap_frames(samples) == {state.name: state.x.shape[1] for state in states}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("options", [{}, {"stop_at": "enc0.layer0"}, {"pool_to": "mean:120"}, {"native": True}])
def test_every_entry_and_every_layer_is_the_upstreams_own(tmp_path, name, options):
    if name == "HuBERT" and "stop_at" in options:
        options = {"stop_at": f"mid.layer{LAYER_OF_HUBERT}"}
    expert = expert_of(tmp_path, CONFIGS[name], **options)
    waveforms = noise(9000, 12000)
    with torch.no_grad():
        direct = expert(waveforms)
    keys = [key for key in direct if key != "states" and (isinstance(direct[key], torch.Tensor) or direct[key])]
    assert "hidden_states" in keys
    for key in keys:
        layers = [None] if isinstance(direct[key], torch.Tensor) else [None, *range(len(direct[key])), -1]
        for layer in layers:
            found, wanted = selected(assembled(expert, key, layer, waveforms), None), selected(direct[key], layer)
            assert [x.shape for x in found] == [x.shape for x in wanted], (key, layer)
            assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True)), (key, layer)


@pytest.mark.parametrize("name", CONFIGS)
def test_unequal_lengths_give_the_same_and_a_last_frame_is_held(tmp_path, name):
    expert = expert_of(tmp_path, CONFIGS[name])
    waveforms = noise(9001, 16320, 400 * 9)
    with torch.no_grad():
        direct = expert(waveforms)["hidden_states"]
    found = assembled(expert, "hidden_states", None, waveforms)
    assert all(torch.equal(x, y) for x, y in zip(found, direct, strict=True))
    for tap, x in zip((t for t in expert.taps if t.role == "state"), found, strict=True):
        for i, waveform in enumerate(waveforms):
            finest = min(t.stride for t in expert.taps)
            valid = min(CONFIGS[name].tap_frames(len(waveform))[tap.name] * tap.stride // finest, x.shape[1])
            assert torch.equal(x[i, valid:], x[i, valid - 1].expand_as(x[i, valid:]))


def test_only_what_is_needed_is_computed_and_kept(tmp_path, monkeypatch):
    expert = expert_of(tmp_path, CONFIGS["two rates"])
    ran = []
    for i, layer in enumerate(expert.network.layers_in_order()):
        layer.register_forward_hook(lambda *_, i=i: ran.append(i))
    parts = expert.parts("hidden_states", 3)  # enc0.pre, enc0.layer0, mid.pre, mid.layer0, mid.layer1, ...
    assert parts.names == ("mid.layer0",)
    (computed,) = parts.compute(noise(9000))
    assert ran == [0, 1]
    assert {name: len(x) for name, x in computed.items()} == {"mid.layer0": 14}  # 27 frames of 20 ms, 14 of 40 ms


def test_padded_batches_are_computed_one_by_one(tmp_path):
    """Their states depend on the batch; what is kept must not."""
    expert = expert_of(tmp_path, CONFIGS["two rates"], exact_batches=False)
    waveforms = noise(9000, 16000)
    with torch.no_grad():
        alone = [expert([waveform])["enc0.layer0"][0] for waveform in waveforms]
        together = expert(waveforms)["enc0.layer0"]
        found = expert.parts("enc0.layer0").compute(waveforms)
    assert all(torch.equal(x["enc0.layer0"], y) for x, y in zip(found, alone, strict=True))
    assert not torch.allclose(together[0, : len(alone[0])], alone[0])


@pytest.mark.parametrize(("key", "layer"), [("no_such_entry", None), ("states", None), ("hidden_states", 7)])
def test_what_is_not_there_has_no_parts(tmp_path, key, layer):
    assert expert_of(tmp_path, CONFIGS["two rates"]).parts(key, layer) is None
