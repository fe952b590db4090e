"""Reading audio: what comes out, and what is refused with which words."""

import numpy as np
import pytest
import soundfile
from sound_files import flac_stating, tones, without_first_frame, write_mp3

from s3prl_plugin.corpora import audio, open_corpus
from s3prl_plugin.corpora.corpus import Utterance
from s3prl_plugin.errors import UserError


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_samples_are_those_of_the_file(tmp_path, name):
    wanted = np.random.default_rng(0).integers(-32768, 32767, 1000, dtype=np.int16)
    soundfile.write(tmp_path / name, wanted, 16000, subtype="PCM_16")
    read = audio.read(tmp_path / name)
    assert read.dtype == np.float32
    assert read.shape == (1000,)
    assert np.array_equal(read * 32768, wanted)


def test_sphere_is_read(tmp_path):
    wanted = np.random.default_rng(1).integers(-3000, 3000, 5000, dtype=np.int16)
    path = write_sphere(tmp_path / "SA1.WAV", wanted)
    assert audio.info(path) == audio.AudioInfo(5000, 16000, 1)
    assert np.array_equal(audio.read(path) * 32768, wanted)


def test_compressed_sphere_is_refused_with_the_cure(tmp_path):
    path = write_sphere(tmp_path / "SA1.WAV", np.zeros(5000, np.int16), coding="pcm,embedded-shorten-v2.00")
    with pytest.raises(UserError, match=r"SA1\.WAV: .*shorten.*sph2pipe") as caught:
        audio.read(path)
    assert caught.value.reason == audio.UNREADABLE


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_another_rate_is_resampled(tmp_path, rate):
    # A tone keeps its frequency, its level and its place, and nothing else appears.
    n = rate
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(n) / rate)
    soundfile.write(tmp_path / "a.wav", tone, rate, subtype="FLOAT")
    read = audio.read(tmp_path / "a.wav")
    assert len(read) == pytest.approx(16000, abs=1)
    wanted = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(len(read)) / 16000)
    assert np.abs(read - wanted)[800:-800].max() < 1e-3
    assert audio.info(tmp_path / "a.wav").duration_s == pytest.approx(1.0)


def test_stereo_is_refused_unless_a_channel_is_named(tmp_path):
    both = np.random.default_rng(2).uniform(-0.5, 0.5, (1000, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", both, 16000, subtype="FLOAT")
    with pytest.raises(UserError, match="channel") as caught:
        audio.read(tmp_path / "a.wav")
    assert caught.value.reason == audio.STEREO
    for channel in (0, 1):
        assert np.array_equal(audio.read(tmp_path / "a.wav", channel), both[:, channel])
    utterance = Utterance("a", "s", tmp_path / "a.wav", 1000 / 16000, channel=1)
    assert np.array_equal(audio.load(utterance), both[:, 1])
    with pytest.raises(UserError, match="no channel 2: it has 2; name one from 0 to 1"):
        audio.read(tmp_path / "a.wav", 2)


@pytest.mark.parametrize(("samples", "rate", "good"), [(400, 16000, True), (399, 16000, False), (480, 16000, True)])
def test_the_shortest_utterance_has_one_frame(tmp_path, write_audio, samples, rate, good):
    path = write_audio(tmp_path / "a.wav", samples, rate)
    if good:
        assert len(audio.read(path)) == samples
    else:
        with pytest.raises(UserError, match=r"a\.wav: shorter than 400 samples") as caught:
            audio.info(path)
        assert caught.value.reason == audio.SHORT


def test_length_counts_after_resampling(tmp_path, write_audio):
    audio.info(write_audio(tmp_path / "a.wav", 200, 8000))
    with pytest.raises(UserError, match="shorter"):
        audio.info(write_audio(tmp_path / "b.wav", 800, 48000))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers(tmp_path, bad):
    samples = np.zeros(1600, np.float32)
    samples[800] = bad
    soundfile.write(tmp_path / "a.wav", samples, 16000, subtype="FLOAT")
    audio.info(tmp_path / "a.wav")  # the header cannot tell
    with pytest.raises(UserError, match=r"a\.wav: NaN or infinite samples: the first at 0\.050 s") as caught:
        audio.read(tmp_path / "a.wav")
    assert caught.value.reason == audio.NOT_FINITE


def test_missing_empty_and_unreadable_files(tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("this is no audio")
    for name, reason in (
        ("gone.wav", "audio missing"),
        ("empty.wav", audio.UNREADABLE),
        ("text.wav", audio.UNREADABLE),
        (".", "audio missing"),
    ):
        with pytest.raises(UserError) as caught:
            audio.read(tmp_path / name)
        assert caught.value.reason == reason
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.flac", "a.wav", "a.sph"])
def test_a_file_that_is_cut_off_is_not_taken_for_a_short_one(tmp_path, write_audio, name):
    path = tmp_path / name
    if name == "a.sph":
        write_sphere(path, np.arange(16000, dtype=np.int16))
    else:
        write_audio(path, 160000)
    audio.read(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=rf"{name}: audio not readable"):
        audio.read(path)


def test_a_corpus_of_headers_that_do_not_tell(tmp_path):
    x = tones(2, 16000)
    soundfile.write(tmp_path / "gsm.wav", x, 16000, subtype="GSM610")
    soundfile.write(tmp_path / "streamed.flac", x, 16000)
    content = (tmp_path / "streamed.flac").read_bytes()
    (tmp_path / "streamed.flac").write_bytes(flac_stating(content, 0))
    (tmp_path / "flipped.flac").write_bytes(flac_stating(content, 32000 + 2**35))
    for name in ("one.mp3", "two.mp3"):
        (tmp_path / name).write_bytes(without_first_frame(write_mp3(tmp_path / name, x, 16000)))
    files = ["gsm.wav", "streamed.flac", "flipped.flac", "one.mp3", "two.mp3"]
    rows = "".join(f"{name}\t{name}\ts\n" for name in files)
    (tmp_path / "utterances.tsv").write_text(f"utt\taudio\tspeaker\n{rows}")
    corpus = open_corpus(tmp_path)
    assert corpus.skipped == {audio.UNREADABLE: ("flipped.flac",)}
    assert [u.name for u in corpus.utterances] == ["gsm.wav", "one.mp3", "streamed.flac", "two.mp3"]
    for utterance in corpus.utterances:
        assert len(audio.load(utterance)) == round(16000 * utterance.duration_s)
        assert 2 <= utterance.duration_s < 2.15
    noted = [note for note in corpus.notes if "files" in note]
    assert [note.split(" ", 1)[0] for note in noted] == ["2", "1"]
    assert "1105 samples" in noted[0]


def write_sphere(path, samples, coding="pcm"):
    """NIST SPHERE as LDC ships TIMIT: a 1024-byte header, then little-endian samples."""
    fields = [
        "NIST_1A",
        "   1024",
        f"sample_count -i {len(samples)}",
        "sample_rate -i 16000",
        "channel_count -i 1",
        "sample_n_bytes -i 2",
        "sample_byte_format -s2 01",
        "sample_sig_bits -i 16",
        f"sample_coding -s{len(coding)} {coding}",
        "end_head",
    ]
    path.write_bytes("\n".join(fields).encode().ljust(1024) + samples.astype("<i2").tobytes())
    return path


def test_a_stretch_of_a_file_is_those_samples(tmp_path, write_audio):
    path = write_audio(tmp_path / "a.flac", 32000, channels=2)
    whole = soundfile.read(path, dtype="float32")[0][:, 1]
    assert np.array_equal(audio.read(path, 1, 0.25, 0.5), whole[4000:12000])
    header = audio.info(path, 1)
    assert audio.checked_stretch(path, header, None) == (None, 2.0)
    assert audio.checked_stretch(path, header, (1.5, 2.01)) == (1.5, 0.5)
    for stretch, reason in (((1.5, 2.1), audio.OUTSIDE), ((-0.1, 1), audio.OUTSIDE), ((1, 1.01), audio.SHORT)):
        with pytest.raises(audio.BadAudio) as caught:
            audio.checked_stretch(path, header, stretch)
        assert caught.value.reason == reason
