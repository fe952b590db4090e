import librosa
import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from s3prl_plugin.analysis import mel


def noise(length, seed=0):
    return (np.random.default_rng(seed).standard_normal(length) * 0.1 * np.hanning(length)).astype(np.float32)


def by_librosa(wave):
    """The published recipe, written with librosa."""
    loud = wave / np.abs(wave).max() * 0.999
    bands = librosa.feature.melspectrogram(
        y=lfilter([1, -0.97], [1], loud),
        sr=16000,
        n_fft=2048,
        n_mels=80,
        hop_length=160,
        win_length=400,
        fmin=50,
        power=1,
    )
    return (librosa.amplitude_to_db(bands, top_db=80) / 80 + 1).T


@pytest.mark.filterwarnings("ignore:n_fft")
@pytest.mark.parametrize("length", [400, 720, 16000, 30011])
def test_equals_librosa(length):
    wave = noise(length)
    found = mel.log_mel(torch.from_numpy(wave)).numpy()
    expected = by_librosa(wave)
    assert found.shape == expected.shape == (mel.frames_of(length), 80)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_loudness_does_not_matter():
    wave = torch.from_numpy(noise(8000))
    torch.testing.assert_close(mel.log_mel(wave), mel.log_mel(0.01 * wave), atol=1e-5, rtol=0)


def test_silence_is_finite():
    assert torch.isfinite(mel.log_mel(torch.zeros(1600))).all()


@pytest.mark.parametrize("stride", [160, 320, 640, 1280])
def test_averages_are_centred_on_the_frames_of_the_front_end(stride):
    # A mel "spectrogram" that holds the time of its own centre: its average is where the average is centred.
    time = 160.0 * torch.arange(200)[:, None]
    found = mel.at_stride(time, stride, 10)[:, 0]
    centre_of_convolutions = stride * torch.arange(10) + (stride - 320) / 2 + 200
    torch.testing.assert_close(found, centre_of_convolutions.float())


def test_decimation_takes_every_second_frame_at_20_ms():
    x = torch.from_numpy(noise(300 * 80).reshape(300, 80))
    assert torch.equal(mel.at_stride(x, 320, 100, decimate=True), x[:200:2])
    assert torch.equal(mel.at_stride(x, 640, 500, decimate=True), x[::4])
