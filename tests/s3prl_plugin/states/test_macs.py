"""Counted multiply-accumulates against sums written out by hand, and this plugin's closed form against the counter."""

import random
from types import SimpleNamespace

import foreign_models
import numpy as np
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.states import macs, provenance
from s3prl_plugin.upstream.mr_hubert import small
from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_local


class Upstream(torch.nn.Module):
    """A layer that sees a second of audio as 50 frames of 320 samples."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.calls = 0

    def forward(self, wavs):
        self.calls += 1
        return {"hidden_states": [self.layer(wavs[0].view(1, 50, 320))]}


LAYERS = {
    "linear": (torch.nn.Linear(320, 8), 50 * 320 * 8),
    "lstm": (torch.nn.LSTM(320, 16, batch_first=True), 50 * 4 * 16 * (320 + 16)),
    "gru": (torch.nn.GRU(320, 16, batch_first=True), 50 * 3 * 16 * (320 + 16)),
    "transformer": (
        torch.nn.TransformerEncoderLayer(320, 4, 64, batch_first=True),
        50 * (4 * 320**2 + 2 * 320 * 64) + 2 * 50 * 50 * 320,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_of_a_layer_by_hand(name):
    layer, expected = LAYERS[name]
    assert macs.for_one_second(Upstream(layer)) == expected


def test_it_is_counted_once_and_leaves_everything_as_it_was():
    upstream = Upstream(torch.nn.TransformerEncoderLayer(320, 4, 64, dropout=0.5, batch_first=True)).train()
    upstream.layer.norm1.eval()
    upstream.register_forward_hook(lambda *_: (torch.rand(1), random.random(), np.random.rand()))
    torch.manual_seed(5)
    before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist())
    assert macs.for_one_second(upstream) == macs.for_one_second(upstream)
    assert upstream.calls == 1
    modes = (upstream.training, upstream.layer.dropout.training, upstream.layer.norm1.training)
    assert modes == (True, True, False)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.mkldnn.enabled


def test_what_cannot_be_counted_is_said_and_does_not_end_the_run(capsys):
    class Broken(torch.nn.Module):
        def forward(self, wavs):
            raise RuntimeError("needs two seconds\nat least")

    assert macs.for_one_second(Broken()) is None
    assert "could not be counted (needs two seconds)" in capsys.readouterr().err


@pytest.mark.parametrize(
    "sizes",
    [
        {"layer_norm_first": True},
        {"layer_norm_first": True, "layers": (1, 2, 1, 3, 1), "ratios": ((1, 2), (1, 2)), "adapter_kernel": 7},
    ],
)
def test_our_closed_form_equals_what_is_counted(tmp_path, sizes):
    upstream = mr_hubert_local(small.write_random_checkpoint(tmp_path / "c.pt", small.small_config(**sizes)))
    assert upstream.describe()["macs_per_s"] == pytest.approx(macs.for_one_second(upstream), rel=1e-3)


def test_a_hubert_of_s3prls_by_hand(tmp_path):
    s3prl_plugin.register()
    from s3prl import hub

    model = hub.hubert_custom(ckpt=foreign_models.hubert(tmp_path / "hubert.pt"))
    found = provenance.of_upstream(model, SimpleNamespace(upstream="hubert_custom"))
    frames, channels, total = 16000, 1, 0
    for outputs, kernel, stride in eval(foreign_models.CONVOLUTIONS):  # a constant of the tests
        frames = (frames - kernel) // stride + 1
        total += frames * kernel * channels * outputs
        channels = outputs
    total += frames * 16 * 32  # to the transformer's width
    total += (frames + 1) * 16 * 32 * 32 // 4  # positions, in 4 groups; an even kernel gives a frame more
    total += 2 * (frames * (4 * 32**2 + 2 * 32 * 64) + 2 * frames**2 * 32)
    assert found["macs_per_s"] == pytest.approx(total, rel=0.01)
    assert (found["pretraining"], found["unit_iteration"]) == (None, None)
    assert found["weights_id"] == provenance.weights_id(model)
