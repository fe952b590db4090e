"""The epsilon that rows say against what comes out of extractors and upstreams, and epsilons that were planted."""

import dataclasses
import types
from argparse import Namespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import s3prl_plugin
from s3prl_plugin.states import provenance, waveform_normalisation
from s3prl_plugin.upstream.mr_hubert.hubconf import mr_hubert_tiny

s3prl_plugin.register()


def said_epsilon(said):
    return float(said.rpartition(" ")[2])


@pytest.mark.parametrize("kind", ["Wav2Vec2FeatureExtractor", "OmniASRFeatureExtractor"])
def test_what_is_said_of_an_extractor_explains_what_it_gives(kind):
    extractor = getattr(pytest.importorskip("transformers"), kind)()
    epsilon = said_epsilon(waveform_normalisation.of_extractor(extractor))
    quiet = 0.005 * np.random.default_rng(0).standard_normal(8000).astype(np.float32) + 0.01
    heard = extractor([quiet], sampling_rate=16000, return_tensors="pt")["input_values"].numpy().ravel()
    np.testing.assert_allclose(heard, (quiet - quiet.mean()) / np.sqrt(quiet.var() + epsilon), rtol=1e-3, atol=1e-4)


class Planted:
    """An extractor of which everything is known."""

    model_input_names = ("input_values",)
    sampling_rate = 16000

    def __init__(self, change):
        self.change = change

    def __call__(self, waveforms, **_):
        return {"input_values": torch.stack([self.change(torch.as_tensor(each)) for each in waveforms])}


@pytest.mark.parametrize("epsilon", [1e-7, 1e-5, 1e-3])
def test_a_planted_epsilon_is_found(epsilon):
    planted = Planted(lambda x: (x - x.mean()) / (x.var(unbiased=False) + epsilon).sqrt())
    assert waveform_normalisation.of_extractor(planted) == waveform_normalisation.text(epsilon)


def test_what_is_no_normalisation():
    assert waveform_normalisation.of_extractor(Planted(lambda x: F.pad(x, (0, 512)))) == "none"
    assert waveform_normalisation.of_extractor(Planted(lambda x: x / x.abs().max())) == "by Planted"
    spectra = types.SimpleNamespace(model_input_names=["input_features"])
    assert waveform_normalisation.of_extractor(spectra) == "none"


class Foreign(torch.nn.Module):
    """Normalises each waveform by layer_norm, or not, and then its features."""

    def __init__(self, **how):
        super().__init__()
        self.layer = torch.nn.Linear(320, 8)
        self.how = how

    def forward(self, wavs):
        if self.how:
            wavs = [F.layer_norm(wav, wav.shape, **self.how) for wav in wavs]
        x = torch.stack(list(wavs)).unflatten(1, (-1, 320))
        return {"hidden_states": [F.layer_norm(self.layer(x), (8,))]}


def test_an_upstream_that_does_not_tell_is_watched():
    default = F.layer_norm(torch.tensor([1e-3, -1e-3]), (2,))[0] / 1e-3  # 1 / sqrt(1e-6 + epsilon)
    found = waveform_normalisation.of_upstream(Foreign(weight=None))
    assert said_epsilon(found) == pytest.approx(float(default**-2 - 1e-6), rel=1e-2)
    assert said_epsilon(waveform_normalisation.of_upstream(Foreign(eps=1e-3))) == 1e-3
    assert waveform_normalisation.of_upstream(Foreign()) is None  # it may do so by other means
    planted = Foreign()
    planted.extractor = Planted(lambda x: x)
    assert waveform_normalisation.of_upstream(planted) == "none"


def test_rows_have_it_of_ours_and_of_s3prls_own():
    from s3prl import hub

    def of(model, name):
        return provenance.of_upstream(model, Namespace(upstream=name))["waveform_normalisation"]

    assert of(hub.fbank(), "fbank") == "none"
    tiny = mr_hubert_tiny()
    assert of(tiny, "mr_hubert_tiny") == "none"
    tiny.checkpoint = dataclasses.replace(tiny.checkpoint, normalize=True)
    assert of(tiny, "mr_hubert_tiny") == waveform_normalisation.text(F.layer_norm.__defaults__[-1])
