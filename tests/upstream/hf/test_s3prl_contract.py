"""What s3prl asks of an upstream, through its own classes."""

import hf_models
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.errors import UserError

pytest.importorskip("transformers")
s3prl_plugin.register()
nn = pytest.importorskip("s3prl.nn")

from s3prl.upstream.interfaces import Featurizer  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return {name: hf_models.save(name, tmp_path_factory.mktemp(name)) for name in ("hubert", "sew", "encodec")}


def padded(*lengths):
    draw = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(len(lengths), max(lengths), generator=draw), torch.LongTensor(lengths)


@pytest.mark.parametrize(("name", "stride"), [("hubert", 320), ("sew", 640)])
def test_its_own_wrapper_takes_it(folder, name, stride):
    model = nn.S3PRLUpstream("hf", path_or_url=folder[name]).eval()
    waves, lengths = padded(20000, 9000, 4000)
    states, counts = model(waves, lengths)
    assert model.num_layers == len(states) == 3
    assert {tuple(n.tolist()) for n in counts} == {tuple(-(-int(n) // stride) for n in lengths)}
    torch.stack(states).mean().backward()
    assert any(p.grad is not None and p.grad.any() for p in model.parameters())


def test_its_own_wrapper_refuses_fractions_in_one_line(folder):
    for options in ({}, {"native": True}):
        with pytest.raises(
            UserError, match=r"frames 213\.333 samples apart, and it counts with whole numbers; .*pool_to"
        ):
            nn.S3PRLUpstream("hf", path_or_url=folder["encodec"], extra_conf=options)
    model = nn.S3PRLUpstream("hf", path_or_url=folder["encodec"], extra_conf={"pool_to": "mean:40"}).eval()
    assert model.downsample_rates == [640] * 2


def test_the_runners_featurizer_takes_fractions(folder):
    from s3prl import hub

    upstream = hub.hf(ckpt=folder["encodec"])
    featurizer = Featurizer(upstream, "hidden_states", upstream_device="cpu")
    assert featurizer.downsample_rate == pytest.approx(640 / 3)
    waves = [torch.randn(16000), torch.randn(8000)]
    with torch.no_grad():
        found = featurizer(waves, upstream(waves))
    assert [len(x) for x in found] == [75, 38]
