"""load, info and save against Python's own `wave`, soundfile, and torchaudio's documented meaning of its arguments."""

import io
import wave

import numpy as np
import pytest
import soundfile
import torch

from s3prl_plugin.compat import soundfile_io
from s3prl_plugin.errors import UserError


@pytest.fixture
def stereo():
    """(2, 100) 16-bit samples that include both ends of the range."""
    samples = np.random.default_rng(0).integers(-32768, 32767, size=(2, 100)).astype(np.int16)
    samples[:, 0] = -32768, 32767
    return samples


@pytest.fixture
def wav(tmp_path, stereo):
    """The same in a WAV file that soundfile has not written."""
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(stereo.T.astype("<i2").tobytes())
    return path


def test_load_gives_floats_between_minus_one_and_one(wav, stereo):
    samples, rate = soundfile_io.load(wav)
    assert rate == 22050
    assert samples.dtype == torch.float32
    assert samples.is_contiguous()
    assert torch.equal(samples, torch.from_numpy(stereo / np.float32(32768)))


def test_load_can_keep_the_integers(wav, stereo):
    assert torch.equal(soundfile_io.load(str(wav), normalize=False)[0], torch.from_numpy(stereo))


def test_load_can_put_samples_first(wav):
    assert torch.equal(soundfile_io.load(wav, channels_first=False)[0], soundfile_io.load(wav)[0].T)


@pytest.mark.parametrize(
    ("offset", "number", "kept"),
    [
        (0, -1, slice(0, 100)),
        (10, -1, slice(10, 100)),
        (10, 5, slice(10, 15)),
        (90, 50, slice(90, 100)),
        (200, 5, slice(0)),
    ],
)
def test_load_reads_a_part(wav, offset, number, kept):
    part, _ = soundfile_io.load(wav, frame_offset=offset, num_frames=number)
    assert torch.equal(part, soundfile_io.load(wav)[0][:, kept])


@pytest.mark.parametrize(("offset", "number"), [(-1, -1), (0, 0), (0, -2)])
def test_load_refuses_what_is_no_part(wav, offset, number):
    with pytest.raises(ValueError, match="frame"):
        soundfile_io.load(wav, frame_offset=offset, num_frames=number)


def test_load_and_info_take_an_open_file(wav):
    content = wav.read_bytes()
    assert torch.equal(soundfile_io.load(io.BytesIO(content))[0], soundfile_io.load(wav)[0])
    assert soundfile_io.info(io.BytesIO(content)) == soundfile_io.info(wav)


@pytest.mark.parametrize("write", [lambda path: None, lambda path: path.write_bytes(b"RIFFnot audio at all" * 9)])
def test_a_file_that_is_absent_or_not_audio_is_named_in_one_line(tmp_path, write):
    path = tmp_path / "bad.wav"
    write(path)
    for read in (soundfile_io.load, soundfile_io.info):
        with pytest.raises(UserError) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("subtype", "kind", "encoding", "bits"),
    [
        ("PCM_16", "WAV", "PCM_S", 16),
        ("PCM_24", "WAV", "PCM_S", 24),
        ("PCM_U8", "WAV", "PCM_U", 8),
        ("FLOAT", "WAV", "PCM_F", 32),
        ("ULAW", "WAV", "ULAW", 8),
        ("PCM_16", "FLAC", "FLAC", 16),
        ("VORBIS", "OGG", "VORBIS", 0),
    ],
)
def test_info_reads_the_header(tmp_path, subtype, kind, encoding, bits):
    path = tmp_path / f"a.{kind.lower()}"
    soundfile.write(path, np.zeros((1600, 2)), 16000, subtype=subtype, format=kind)
    assert soundfile_io.info(path) == soundfile_io.AudioMetaData(16000, 1600, 2, bits, encoding)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.float32, torch.float64])
def test_wav_keeps_every_type_of_samples(tmp_path, dtype):
    generator = torch.Generator().manual_seed(0)
    if dtype.is_floating_point:
        samples = torch.rand(2, 50, generator=generator, dtype=dtype) * 2 - 1
    else:
        limits = torch.iinfo(dtype)
        samples = torch.randint(limits.min, limits.max, (2, 50), generator=generator, dtype=dtype)
    soundfile_io.save(tmp_path / "a.wav", samples, 16000)
    back, rate = soundfile_io.load(tmp_path / "a.wav", normalize=False)
    assert (rate, back.dtype) == (16000, dtype)
    assert torch.equal(back, samples)


def test_save_can_take_samples_first_and_an_encoding(tmp_path):
    samples = torch.linspace(-1, 0.9, 40).reshape(20, 2)
    soundfile_io.save(tmp_path / "a.wav", samples, 8000, channels_first=False, encoding="PCM_S", bits_per_sample=16)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (2, 2, 8000, 20)
        stored = np.frombuffer(file.readframes(20), "<i2").reshape(20, 2)
    assert np.abs(stored / 32768 - samples.numpy()).max() <= 1 / 32768


def test_save_refuses_what_cannot_be(tmp_path):
    with pytest.raises(ValueError, match="two dimensions"):
        soundfile_io.save(tmp_path / "a.wav", torch.zeros(10), 16000)
    with pytest.raises(UserError, match=r"a\.xyz"):
        soundfile_io.save(tmp_path / "a.xyz", torch.zeros(1, 10), 16000)
    with pytest.raises(UserError, match="bits_per_sample 12"):
        soundfile_io.save(tmp_path / "a.wav", torch.zeros(1, 10), 16000, bits_per_sample=12)
