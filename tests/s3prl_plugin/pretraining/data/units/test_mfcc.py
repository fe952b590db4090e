"""MFCC against torchaudio's reading of Kaldi, and their place in time."""

import numpy as np
import pytest
import torch

import s3prl_plugin
from s3prl_plugin.pretraining.data.units.mfcc import deltas, mfcc


@pytest.fixture(scope="module")
def torchaudio():
    s3prl_plugin.register()  # heals torchaudio where its extension is for another torch
    return pytest.importorskip("torchaudio")


def speech_like(samples, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / 16000
    wave = sum(np.sin(2 * np.pi * f * t * (1 + 0.1 * np.sin(7 * t))) / f for f in (120, 700, 1800, 3100))
    return torch.from_numpy((20 * wave + 0.01 * rng.standard_normal(samples)).astype(np.float32))


@pytest.mark.parametrize("samples", [400, 561, 16000, 16079])
def test_it_is_kaldis(torchaudio, samples):
    import torchaudio.compliance.kaldi as kaldi

    wave = speech_like(samples)
    theirs = kaldi.mfcc(wave[None], sample_frequency=16000, use_energy=False)
    first = torchaudio.functional.compute_deltas(theirs.T)
    expected = torch.cat([theirs.T, first, torchaudio.functional.compute_deltas(first)]).T
    found = mfcc(wave)
    assert found.shape == ((samples - 400) // 160 + 1, 39)
    assert torch.allclose(found, expected, atol=2e-3)  # logarithms of sums in float32


def test_silence_is_finite():
    assert torch.isfinite(mfcc(torch.zeros(4000))).all()


def test_the_slope_of_a_line_is_its_slope():
    line = torch.arange(12.0)[:, None] * torch.tensor([[1.0, -3.0]])
    assert torch.allclose(deltas(line)[2:-2], torch.tensor([1.0, -3.0]).expand(8, 2))


def test_the_frame_at_320_i_hears_what_the_networks_frame_i_hears():
    wave = speech_like(16000)
    other = wave.clone()
    other[5 * 320 : 5 * 320 + 400] = 0.3 * torch.randn(400, generator=torch.Generator().manual_seed(0))
    changed = (mfcc(wave) - mfcc(other))[::2, :13].abs().amax(1)
    assert changed[5] > 1
    assert changed[3] == changed[7] == 0
    assert len(changed) == (16000 - 400) // 320 + 1
