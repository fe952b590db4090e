"""SoX's effects against their definitions, scipy, and SoX itself where it is installed."""

import os
import shutil
import subprocess

import numpy as np
import pytest
import scipy.signal
import soundfile
import torch

from s3prl_plugin.compat import sox_effects
from s3prl_plugin.compat.sox_silence import trim_silence
from s3prl_plugin.errors import UserError

RATE = 16000


@pytest.fixture
def noise():
    """(2, 4000) samples of noise below full scale."""
    return (0.2 * np.random.default_rng(0).standard_normal((2, 4000))).clip(-0.9, 0.9).astype(np.float32)


def bursts(seed, duration_s=3.0, rate=RATE):
    """(1, samples): tones of random length and loudness, from inaudible to loud, with pauses and faint noise."""
    rng = np.random.default_rng(seed)
    total = int(duration_s * rate)
    envelope, k = np.zeros(total), 0
    while k < total:
        tone, pause = (int(rate * rng.uniform(0.02, 0.4)) for _ in range(2))
        envelope[k : k + tone] = 10 ** rng.uniform(-3.2, -0.1)
        k += tone + pause
    wave = np.sin(2 * np.pi * 300 * np.arange(total) / rate) * envelope + 3e-4 * rng.standard_normal(total)
    return wave[None].astype(np.float32)


def apply(samples, *effects, rate=RATE):
    """The effects, on arrays."""
    result, rate = sox_effects.apply_effects_tensor(torch.from_numpy(samples), rate, [list(e) for e in effects])
    assert result.dtype == torch.float32
    return result.numpy(), rate


def test_channels_and_gain_are_what_they_say(noise):
    close = {"rtol": 0, "atol": 1e-7}
    np.testing.assert_allclose(apply(noise, ["channels", "1"])[0], noise.mean(axis=0, keepdims=True), **close)
    np.testing.assert_array_equal(apply(noise[:1], ["channels", "2"])[0], noise[[0, 0]])
    np.testing.assert_allclose(apply(noise, ["gain", "-3.0"])[0], noise * 10 ** (-3 / 20), **close)


def test_samples_saturate_after_every_effect(noise):
    loud = np.clip(noise.astype(np.float64) * 10, -1, 1)
    np.testing.assert_allclose(apply(noise, ["gain", "20"], ["gain", "-20"])[0], loud / 10, rtol=0, atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_rate_keeps_a_tone_and_drops_what_cannot_be_kept(rate):
    t = np.arange(2 * rate) / rate
    tone, y_rate = apply(0.5 * np.sin(2 * np.pi * 1000 * t)[None].astype(np.float32), ["rate", str(RATE)], rate=rate)
    assert y_rate == RATE
    assert tone.shape == (1, 2 * RATE)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)
    inner = slice(RATE // 10, -RATE // 10)  # the ends ring
    assert np.abs(tone[0] - expected)[inner].max() < 1e-3
    if rate > 2 * 9000:
        high, _ = apply(0.5 * np.sin(2 * np.pi * 9000 * t)[None].astype(np.float32), ["rate", str(RATE)], rate=rate)
        assert np.abs(high[0][inner]).max() < 1e-3


def test_rate_agrees_with_scipy_below_the_edge():
    rng = np.random.default_rng(0)
    low = scipy.signal.sosfilt(scipy.signal.butter(12, 5000, fs=48000, output="sos"), rng.standard_normal(48000)) * 0.2
    ours, _ = apply(low[None].astype(np.float32), ["rate", "16000"], rate=48000)
    reference = scipy.signal.resample_poly(low, 1, 3, window=("kaiser", 14.0))
    assert np.abs(ours[0] - reference)[1000:-1000].max() < 2e-3 * np.abs(reference).max()


def silence_by_definition(x, rate, above_n, start, below_n, stop):
    """The effect, one sample after the other, with a ring buffer: slow and plain."""
    window = int(rate * 0.02)
    ring, energy, at = [0.0] * window, 0.0, 0
    kept, held, run, copying = [], [], 0, False
    for i, value in enumerate(x):
        energy += value * value - ring[at]
        ring[at] = value * value
        at = (at + 1) % window
        loudness = (max(energy, 0.0) / window) ** 0.5
        if not copying:
            run = run + 1 if loudness >= start else 0
            if run >= above_n:
                kept.extend(x[i + 1 - run : i + 1])
                copying, held = True, []
        elif loudness >= stop:
            kept.extend([*held, value])
            held = []
        else:
            held.append(value)
            if len(held) >= below_n:
                ring, energy, at = [0.0] * window, 0.0, 0
                run, copying, held = 0, False, []
    return [*kept, *held] if copying else kept


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("thresholds", [(1600, 1e-3, 1600, 1e-3), (800, 1e-2, 3200, 5e-3), (1600, 3e-3, 400, 2e-1)])
def test_silence_is_its_definition(seed, thresholds):
    samples = bursts(seed)
    ours = trim_silence(samples[0].astype(np.float64), RATE, *thresholds)
    expected = silence_by_definition(samples[0].astype(np.float64).tolist(), RATE, *thresholds)
    assert 0 < len(expected) < samples.shape[1]
    np.testing.assert_array_equal(ours, expected)


def test_silence_of_nothing_and_of_quiet_is_nothing():
    effect = ["silence", "1", "0.1", "0.1%", "-1", "0.1", "0.1%"]
    for length in (0, 1, 1599, 16000):
        assert apply(np.zeros((1, length), np.float32), effect)[0].shape == (1, 0)
    loud = np.full((1, 1599), 0.5, np.float32)
    assert apply(loud, effect)[0].shape == (1, 0)
    assert apply(np.full((1, 1700), 0.5, np.float32), effect)[0].shape == (1, 1700)


def test_silence_takes_durations_and_thresholds_as_sox_writes_them():
    samples = bursts(3)
    by_percent, _ = apply(samples, ["silence", "1", "0.1", "1%", "-1", "0.2", "1%"])
    assert 0 < by_percent.shape[1] < samples.shape[1]
    for same in (["1600", "-40d", "-1", "3200", "-40d"], ["0:00:00.1", "1%", "-1", "0.2t", "1%"]):
        np.testing.assert_array_equal(apply(samples, ["silence", "1", *same])[0], by_percent)


def test_a_file_is_read_and_laid_out_as_asked(tmp_path, noise):
    soundfile.write(tmp_path / "a.wav", noise.T, RATE, subtype="FLOAT")
    from_file, rate = sox_effects.apply_effects_file(str(tmp_path / "a.wav"), [["gain", "-3.0"]])
    assert rate == RATE
    np.testing.assert_array_equal(from_file, apply(noise, ["gain", "-3.0"])[0])
    turned, _ = sox_effects.apply_effects_file(tmp_path / "a.wav", [["gain", "-3.0"]], channels_first=False)
    assert torch.equal(turned, from_file.T)
    with pytest.raises(UserError, match="absent"):
        sox_effects.apply_effects_file(tmp_path / "absent.wav", [])


@pytest.mark.parametrize(
    "effect",
    [
        ["reverb"],
        ["channels", "3"],
        ["channels"],
        ["rate", "fast"],
        ["gain", "-h", "3"],
        ["gain"],
        ["norm"],
        ["silence", "1", "0.1", "0.1%"],
        ["silence", "2", "0.1", "0.1%", "-1", "0.1", "0.1%"],
        ["silence", "1", "0.1", "0.1", "-1", "0.1", "0.1%"],
    ],
)
def test_what_is_not_provided_is_refused_in_one_line(noise, effect):
    with pytest.raises(UserError, match=effect[0]) as caught:
        apply(noise, effect)
    assert "\n" not in str(caught.value)


def test_a_wrong_name_gets_the_right_one(noise):
    with pytest.raises(UserError, match="did you mean 'silence'"):
        apply(noise, ["silense"])


@pytest.mark.skipif(shutil.which("sox") is None, reason="SoX is not installed; with it, the effects are compared to it")
@pytest.mark.parametrize(
    "effects",
    [
        [["channels", "1"], ["rate", "16000"], ["gain", "-3.0"], ["silence", "1", "0.1", "0.1%", "-1", "0.1", "0.1%"]],
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_sox_itself(tmp_path, effects, seed):
    samples = bursts(seed)
    soundfile.write(tmp_path / "in.wav", samples.T, RATE, subtype="FLOAT")
    words = [word for effect in effects for word in effect]
    command = ["sox", "-D", "in.wav", "-e", "floating-point", "-b", "32", "out.wav", *words]
    subprocess.run(command, cwd=tmp_path, check=True, env=os.environ, stderr=subprocess.DEVNULL)
    reference, _ = soundfile.read(tmp_path / "out.wav", dtype="float32", always_2d=True)
    ours, _ = apply(samples, *effects)
    assert ours.shape == reference.T.shape
    np.testing.assert_allclose(ours, reference.T, rtol=0, atol=1e-6)
