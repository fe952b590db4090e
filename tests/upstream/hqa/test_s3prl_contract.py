"""What s3prl asks of an upstream, through its own classes."""

import pytest
import torch

import s3prl_plugin

s3prl_plugin.register()
nn = pytest.importorskip("s3prl.nn")

from s3prl import hub  # noqa: E402
from s3prl.upstream.interfaces import Featurizer  # noqa: E402


def padded(*lengths):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(lengths), max(lengths), generator=generator), torch.LongTensor(lengths)


def test_its_own_wrapper_gives_every_tap_with_its_length():
    model = nn.S3PRLUpstream("hqa_tiny").eval()
    states, lengths = model(*padded(20000, 9000, 800))
    assert model.num_layers == len(states) == 10
    assert {tuple(x.shape) for x in states} == {(3, 125, 64)}
    assert {tuple(n.tolist()) for n in lengths} == {(125, 57, 5)}
    torch.stack(states).mean().backward()
    assert any(p.grad is not None and p.grad.any() for p in model.parameters())


def test_native_rates_with_their_lengths():
    model = nn.S3PRLUpstream("hqa_tiny", extra_conf={"native": True}).eval()
    states, lengths = model(*padded(20000, 9000))
    assert [x.shape[1] for x in states] == [count for count in (125, 63, 32, 16, 8) for _ in range(2)]
    assert [n.tolist() for n in lengths[::2]] == [[125, 57], [63, 29], [32, 15], [16, 8], [8, 4]]


@pytest.mark.parametrize(
    ("key", "rate"), [("hidden_states", 160), ("hidden_states_80ms", 1280), ("level4.quantised", 2560)]
)
def test_its_featurizer_takes_any_entry(key, rate):
    upstream = hub.hqa_tiny().eval()
    featurizer = Featurizer(upstream, key, upstream_device="cpu")
    assert (featurizer.output_dim, featurizer.downsample_rate) == (64, rate)
    waveforms = [wave[:n] for wave, n in zip(*padded(20000, 9000), strict=True)]
    found = featurizer(waveforms, upstream(waveforms))
    assert [len(x) for x in found] == [round(n / rate) for n in (20000, 9000)]
