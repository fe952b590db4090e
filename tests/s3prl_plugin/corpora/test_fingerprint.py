"""Audio is known by its content: copies are the same, and whatever has changed is named."""

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora import fingerprint, open_corpus
from s3prl_plugin.corpora.generated.layouts import layout


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    for i in range(4):
        x = np.random.default_rng(i).uniform(-0.5, 0.5, 16000 * (1 + 4 * i))
        soundfile.write(root / f"u{i}.wav", x, 16000, subtype="PCM_16")
    rows = "".join(f"u{i}\tu{i}.wav\ts{i}\n" for i in range(4))
    (root / "utterances.tsv").write_text(f"utt\taudio\tspeaker\n{rows}")
    return root


def identity(folder):
    utterances = open_corpus(folder).utterances
    return fingerprint.digest(utterances, fingerprint.of_utterances(utterances))


def test_a_copy_of_another_time_is_the_same(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    for file in (tmp_path / "copy").iterdir():
        os.utime(file, (1, 1))
    assert identity(tmp_path / "copy") == identity(folder)
    utterances = open_corpus(folder).utterances
    assert layout.digest(utterances) == layout.digest(open_corpus(tmp_path / "copy").utterances)


def test_every_change_of_content_is_another(folder):
    before = identity(folder)
    whole = (folder / "u3.wav").read_bytes()
    seen = {before}
    loud = np.frombuffer(whole[44:], "<i2") // 2
    for content in (whole[:44] + loud.tobytes(), whole[:-2], whole + b"\0\0", whole[:-1] + b"\x01"):
        (folder / "u3.wav").write_bytes(content)
        seen.add(identity(folder))
    assert len(seen) == 5
    (folder / "u3.wav").write_bytes(whole)
    assert identity(folder) == before


@pytest.mark.parametrize("kind", ["WAV", "AIFF"])
def test_float_audio_written_again_later_is_the_same(tmp_path, kind):
    path = tmp_path / "a"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 60_000), 16000, subtype="FLOAT", format=kind)
    before, content = fingerprint.of_files({"a": path})["a"].digest, bytearray(path.read_bytes())
    at = content.index(b"PEAK") + 12
    content[at : at + 4] = b"\x01\x02\x03\x04"
    path.write_bytes(content)
    assert fingerprint.of_files({"a": path})["a"].digest == before


def test_any_byte_of_a_small_file_and_a_stretch_of_a_large_one_count(tmp_path):
    path = tmp_path / "a"
    content = np.random.default_rng(0).integers(0, 256, 30_000, dtype=np.uint8)
    path.write_bytes(content.tobytes())
    before = fingerprint.of_files({"a": path})["a"].digest
    for at in range(0, 30_000, 1511):
        changed = content.copy()
        changed[at] ^= 1
        path.write_bytes(changed.tobytes())
        assert fingerprint.of_files({"a": path})["a"].digest != before
    content = np.random.default_rng(1).integers(0, 256, 1_000_000, dtype=np.uint8)
    path.write_bytes(content.tobytes())
    before = fingerprint.of_files({"a": path})["a"].digest
    for at in range(0, 880_000, 40_000):  # blocks lie 124 487 bytes apart
        changed = content.copy()
        changed[at : at + 125_000] ^= 1
        path.write_bytes(changed.tobytes())
        assert fingerprint.of_files({"a": path})["a"].digest != before


def test_the_time_tells_only_when_to_read_again(folder, tmp_path, monkeypatch):
    utterances = open_corpus(folder).utterances
    first = fingerprint.of_utterances(utterances)
    fingerprint.write(tmp_path / "audio.tsv", first)
    known = fingerprint.read(tmp_path / "audio.tsv")
    assert known == first
    os.utime(folder / "u0.wav", (1, 1))
    x = np.random.default_rng(9).uniform(-0.5, 0.5, 16000 * 9)
    soundfile.write(folder / "u2.wav", x, 16000, subtype="PCM_16")  # as long as before
    hashed = []
    sha256 = fingerprint.hashlib.sha256
    monkeypatch.setattr(fingerprint.hashlib, "sha256", lambda *given: hashed.append(given) or sha256(*given))
    now = fingerprint.of_utterances(utterances, known)
    assert len(hashed) == 2
    assert fingerprint.changed(known, now) == ["u2"]
    (folder / "u1.wav").unlink()
    assert fingerprint.changed(known, fingerprint.of_utterances(utterances, known)) == ["u1", "u2"]


def test_a_damaged_table_of_fingerprints_only_means_reading_again(tmp_path):
    for content in (b"", b"\xff\xfe", b"name\n", b"name\tsize\nu0\tbig\tyesterday\tx\n"):
        (tmp_path / "audio.tsv").write_bytes(content)
        assert fingerprint.read(tmp_path / "audio.tsv") == {}


def test_the_same_audio_under_several_names_and_speakers_is_counted(folder):
    utterances = open_corpus(folder).utterances
    assert fingerprint.repeated(utterances, fingerprint.of_utterances(utterances)) is None
    for name in ("v0", "v1"):
        shutil.copy(folder / "u0.wav", folder / f"{name}.wav")
    shutil.copy(folder / "u1.wav", folder / "v2.wav")
    more = "v0\tv0.wav\ts0\nv1\tv1.wav\ts9\nv2\tv2.wav\ts1\n"
    (folder / "utterances.tsv").write_text((folder / "utterances.tsv").read_text() + more)
    utterances = open_corpus(folder).utterances
    said = fingerprint.repeated(utterances, fingerprint.of_utterances(utterances))
    assert said.startswith(
        "3 of 7 utterances repeat the audio of another, 3 share it with another speaker (u0, v0, v1)"
    )
    one = utterances[3]
    halves = [replace(one, name=f"h{i}", start_s=6.0 * i, duration_s=6.0) for i in range(2)]
    assert fingerprint.repeated(halves, fingerprint.of_utterances(halves)) is None  # other stretches of one file
    channels = [replace(one, name=f"c{i}", channel=i) for i in range(2)]
    assert fingerprint.repeated(channels, fingerprint.of_utterances(channels)) is None
