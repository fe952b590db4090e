"""What is in an audio file, whatever its header says: against libsndfile where that can tell, else what was put in."""

import io
import subprocess
from shutil import which

import numpy as np
import pytest
import soundfile
from sound_files import flac_stating, id3, tones, without_first_frame, write_mp3

from s3prl_plugin.compat import soundfile_io
from s3prl_plugin.errors import UserError
from s3prl_plugin.files import sound_file

RATE = 16000
DELAY = 1105  # samples that LAME, as most encoders do, puts in front


def samples_of(source):
    with sound_file.opened(source) as sound:
        x = np.concatenate(list(sound.blocks()))
        assert len(x) == sound.frames
    return x[:, 0]


def note_of(path):
    with sound_file.opened(path) as sound:
        return sound.note


@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize("mode", ["CONSTANT", "AVERAGE", "VARIABLE"])
def test_mp3_has_all_that_was_written_with_and_without_its_length(tmp_path, rate, mode):
    wanted = tones(4, rate)
    whole = write_mp3(tmp_path / "a.mp3", wanted, rate, mode)
    decoded, _ = soundfile.read(tmp_path / "a.mp3", dtype="float32")  # another decoder, which knows this length
    assert len(decoded) == len(wanted)
    lame = 10 * np.log10(np.mean(wanted**2) / np.mean((decoded - wanted) ** 2))
    assert lame > 15
    for content, late in ((whole, 0), (without_first_frame(whole), DELAY)):
        for tag in (b"", id3(300), id3(70_000), id3(300) + id3(5000)):
            (tmp_path / "b.mp3").write_bytes(tag + content)
            found = samples_of(tmp_path / "b.mp3")
            assert late or len(found) == len(wanted)
            # Two decoders agree to the rounding of 16 bits (the first samples need the frame before them).
            assert np.abs(found[late + 1200 : late + len(wanted)] - decoded[1200:]).max() < 1e-4
            assert 0 <= len(found) - late - len(wanted) <= 2 * 1152
            assert bool(note_of(tmp_path / "b.mp3")) == bool(late)


@pytest.mark.skipif(which("ffmpeg") is None and which("mpg123") is None, reason="neither ffmpeg nor mpg123 is there")
def test_mp3_has_the_length_that_a_player_gives_it(tmp_path):
    (tmp_path / "a.mp3").write_bytes(without_first_frame(write_mp3(tmp_path / "b.mp3", tones(5, 44100), 44100)))
    found = samples_of(tmp_path / "a.mp3")
    if which("ffmpeg"):
        command = ["ffmpeg", "-v", "quiet", "-i", tmp_path / "a.mp3", "-f", "s16le", "-"]
    else:
        command = ["mpg123", "-q", "-s", "-e", "s16", tmp_path / "a.mp3"]
    played = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<i2") / 32768
    assert abs(len(played) - len(found)) <= 1152
    n = min(len(played), len(found))
    assert np.abs(played[1200:n] - found[1200:n]).max() < 1e-3


def test_mp3_that_ends_before_its_header_says_is_cut_off(tmp_path):
    content = write_mp3(tmp_path / "a.mp3", tones(4, RATE), RATE)
    (tmp_path / "a.mp3").write_bytes(content[: len(content) // 2])
    with pytest.raises(sound_file.CannotRead, match=r"it ends after \d+ of 64000 samples"):
        samples_of(tmp_path / "a.mp3")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24"])
def test_streamed_flac_is_read_to_its_end(tmp_path, subtype):
    soundfile.write(tmp_path / "a.flac", tones(5, RATE), RATE, subtype=subtype)
    wanted, _ = soundfile.read(tmp_path / "a.flac", dtype="float32")
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "b.flac").write_bytes(flac_stating(content, 0))
    assert np.array_equal(samples_of(tmp_path / "b.flac"), wanted)
    assert note_of(tmp_path / "b.flac") == sound_file.LENGTH_UNSAID
    assert note_of(tmp_path / "a.flac") == ""


@pytest.mark.parametrize("bit", [20, 28, 35])
def test_flac_with_a_flipped_bit_in_its_length_is_refused(tmp_path, bit):
    soundfile.write(tmp_path / "a.flac", tones(3, RATE), RATE)
    (tmp_path / "a.flac").write_bytes(flac_stating((tmp_path / "a.flac").read_bytes(), 48000 + 2**bit))
    with pytest.raises(sound_file.CannotRead):
        samples_of(tmp_path / "a.flac")
    if bit > 20:  # a length that no such file can have shows before it is decoded
        with (
            pytest.raises(sound_file.CannotRead, match=f"{48000 + 2**bit} samples"),
            sound_file.opened(tmp_path / "a.flac"),
        ):
            pass


def test_an_hour_of_digital_silence_is_as_long_as_it_says(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros(3600 * 8000, np.int16), 8000)
    assert (tmp_path / "a.flac").stat().st_size * 64 < 3600 * 8000
    with sound_file.opened(tmp_path / "a.flac") as sound:
        assert sound.frames == 3600 * 8000


UNSEEKABLE = [
    ("WAV", "GSM610"),
    ("AIFF", "GSM610"),
    ("WAV", "G721_32"),
    ("AU", "G721_32"),
    ("AU", "G723_24"),
    ("AU", "G723_40"),
]


@pytest.mark.parametrize(("kind", "subtype"), UNSEEKABLE)
def test_what_cannot_be_sought_in_is_read(tmp_path, kind, subtype):
    x = tones(3, 8000)
    soundfile.write(tmp_path / "a", x, 8000, format=kind, subtype=subtype)
    found = samples_of(tmp_path / "a")
    assert 0 <= len(found) - len(x) < 400
    loud = slice(len(x) // 2 + 800, len(x))
    assert np.corrcoef(found[loud], x[loud])[0, 1] > 0.9  # a lossy coder's waveform
    part, rate = soundfile_io.load(tmp_path / "a", frame_offset=5000, num_frames=3000)
    assert rate == 8000
    assert np.array_equal(part.numpy()[0], found[5000:8000])


# What each format's header says is in its length of bytes.
CUT = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("AU", "PCM_16"), ("AIFF", "PCM_16"), ("W64", "PCM_16"), ("RF64", "PCM_16")]
CUT += [("NIST", "PCM_16"), ("OGG", "OPUS"), ("OGG", "VORBIS"), ("FLAC", "PCM_16"), *UNSEEKABLE]


@pytest.mark.parametrize(("kind", "subtype"), CUT)
def test_a_file_that_is_cut_off_is_not_whole(tmp_path, kind, subtype):
    soundfile.write(tmp_path / "a", tones(5, 8000), 8000, format=kind, subtype=subtype)
    content = (tmp_path / "a").read_bytes()
    assert len(samples_of(tmp_path / "a")) == pytest.approx(40000, abs=400)
    for kept in (0.6, 0.9):
        (tmp_path / "a").write_bytes(content[: int(kept * len(content))])
        with pytest.raises(sound_file.CannotRead):
            samples_of(tmp_path / "a")
        with pytest.raises(UserError, match="cannot be read as audio"):
            soundfile_io.load(tmp_path / "a")


def test_an_ogg_stream_without_an_end_mark_is_taken_and_said(tmp_path):
    soundfile.write(tmp_path / "a.opus", tones(5, RATE), RATE, format="OGG", subtype="OPUS")
    wanted = samples_of(tmp_path / "a.opus")
    content = (tmp_path / "a.opus").read_bytes()
    pages = [at for at in range(len(content)) if content.startswith(b"OggS\0", at)]
    assert note_of(tmp_path / "a.opus") == ""
    (tmp_path / "a.opus").write_bytes(content[: pages[-1]])  # broken off between two pages
    found = samples_of(tmp_path / "a.opus")
    assert RATE < len(found) < len(wanted)
    assert np.array_equal(found, wanted[: len(found)])
    assert note_of(tmp_path / "a.opus") == sound_file.END_UNMARKED


@pytest.mark.parametrize("stated", [0, 0x7F000000, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", ["WAV", "AU"])
def test_a_length_that_was_left_open_is_all_that_follows(tmp_path, kind, stated):
    soundfile.write(tmp_path / "a", tones(1, RATE), RATE, format=kind, subtype="PCM_16")
    wanted = samples_of(tmp_path / "a")
    content = bytearray((tmp_path / "a").read_bytes())
    place, order = (40, "little") if kind == "WAV" else (8, "big")
    content[place : place + 4] = stated.to_bytes(4, order)
    (tmp_path / "a").write_bytes(content)
    assert np.array_equal(samples_of(tmp_path / "a"), wanted)
    assert np.array_equal(samples_of(io.BytesIO(content)), wanted)


def test_a_wav_without_samples_stays_empty(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), RATE, subtype="PCM_16")
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content + b"LIST" + (1000).to_bytes(4, "little") + bytes(1000))
    for path in (tmp_path / "a.wav", io.BytesIO(content)):
        assert len(samples_of(path)) == 0


def test_what_follows_the_samples_of_a_sphere_is_no_sound(tmp_path):
    soundfile.write(tmp_path / "a.sph", tones(1, RATE), RATE, format="NIST", subtype="PCM_16")
    wanted = samples_of(tmp_path / "a.sph")
    (tmp_path / "a.sph").write_bytes((tmp_path / "a.sph").read_bytes() + bytes(1000))
    assert np.array_equal(samples_of(tmp_path / "a.sph"), wanted)
    assert soundfile_io.info(tmp_path / "a.sph").num_frames == RATE
