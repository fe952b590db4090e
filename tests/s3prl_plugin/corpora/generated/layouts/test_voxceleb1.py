"""The VoxCeleb1 layout, read the way s3prl reads it."""

from collections import Counter

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.corpus import Corpus, Utterance
from s3prl_plugin.corpora.formats import manifest
from s3prl_plugin.corpora.generated.layouts import voxceleb1
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError


@pytest.fixture
def corpus(tmp_path, write_audio):
    """Three speakers with 10, 5 and 3 utterances, 16 kHz WAV."""
    return speak(tmp_path, write_audio, {"zoe": 10, "ann": 5, "bob": 3})


def speak(folder, write_audio, speakers, suffix="wav", **how):
    utterances = []
    for speaker, count in speakers.items():
        for i in range(count):
            path = write_audio(folder / "audio" / f"{speaker}_{i}.{suffix}", 1600 + len(utterances), **how)
            utterances.append(Utterance(f"{speaker}_{i}", speaker, path, audio.info(path).duration_s))
    return Corpus("test", "real", tuple(sorted(utterances, key=lambda u: u.name)))


def as_s3prl_reads(root):
    """Split -> [(label, file)], by the list and the glob of s3prl's dataset."""
    splits = {1: [], 2: [], 3: []}
    for line in (root / "veri_test_class.txt").read_text().splitlines():
        split, path = line.split()
        (file,) = root.glob("*/wav/" + path)
        splits[int(split)].append((int(str(file).split("/")[-3][2:]) - 10001, file))
    return splits


def test_every_utterance_is_there_once_with_its_speaker(corpus, tmp_path):
    root = voxceleb1.write(corpus, tmp_path / "vox")
    splits = as_s3prl_reads(root)
    found = Counter()
    for files in splits.values():
        for label, file in files:
            found[(("ann", "bob", "zoe")[label], soundfile.read(file, dtype="int16")[0].tobytes())] += 1
    wanted = Counter((u.speaker, soundfile.read(u.audio, dtype="int16")[0].tobytes()) for u in corpus.utterances)
    assert found == wanted


def test_every_speaker_is_in_every_split(corpus, tmp_path):
    splits = as_s3prl_reads(voxceleb1.write(corpus, tmp_path / "vox"))
    counts = {split: Counter(label for label, _ in files) for split, files in splits.items()}
    assert counts == {1: {0: 3, 1: 1, 2: 6}, 2: {0: 1, 1: 1, 2: 2}, 3: {0: 1, 1: 1, 2: 2}}


def test_what_is_wanted_already_is_linked(corpus, tmp_path):
    root = voxceleb1.write(corpus, tmp_path / "vox")
    assert {file.stat().st_nlink for file in root.glob("*/wav/*/*/*.wav")} == {2}


@pytest.mark.parametrize(
    ("suffix", "rate", "subtype"), [("flac", 16000, "PCM_16"), ("wav", 16000, "FLOAT"), ("wav", 22050, "PCM_16")]
)
def test_everything_else_is_converted(tmp_path, write_audio, suffix, rate, subtype):
    corpus = speak(tmp_path, write_audio, {"a": 3, "b": 3}, suffix, rate=rate, subtype=subtype)
    files = [file for split in as_s3prl_reads(voxceleb1.write(corpus, tmp_path / "vox")).values() for _, file in split]
    originals = {u.name: audio.load(u) for u in corpus.utterances}
    for file in files:
        info = soundfile.info(file)
        assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAV", "PCM_16", 16000, 1)
        assert np.abs(audio.read(file) - originals[file.parent.name]).max() <= 1 / 32768


def test_the_split_does_not_depend_on_order(corpus, tmp_path):
    backwards = Corpus("test", "real", corpus.utterances[::-1])
    lists = [
        (voxceleb1.write(c, tmp_path / n) / "veri_test_class.txt").read_text()
        for n, c in (("x", corpus), ("y", backwards))
    ]
    assert lists[0] == lists[1]


def test_names_that_look_the_same_in_a_path_stay_apart(tmp_path, write_audio):
    corpus = speak(tmp_path, write_audio, {"a": 3, "b": 3})
    odd = [
        Utterance(f"x{mark}y", "c", u.audio, u.duration_s) for mark, u in zip(" .[", corpus.utterances, strict=False)
    ]
    root = voxceleb1.write(Corpus("test", "real", (*corpus.utterances, *odd)), tmp_path / "vox")
    assert sum(len(files) for files in as_s3prl_reads(root).values()) == 9


def test_bad_audio_and_rare_speakers_are_counted(corpus, tmp_path, write_audio):
    lone = write_audio(tmp_path / "audio" / "lone.wav")
    nan = tmp_path / "audio" / "nan.wav"
    soundfile.write(nan, np.full(1600, np.nan, np.float32), 16000, subtype="FLOAT")
    more = (Utterance("lone", "lone", lone, 1.0), Utterance("zoe_nan", "zoe", nan, 0.1))
    corpus = Corpus("test", "real", corpus.utterances + more)
    for _ in range(2):  # written, then found
        skips = Skips()
        root = voxceleb1.write(corpus, tmp_path / "vox", skips)
        assert skips.as_dict() == {
            audio.NOT_FINITE: ["zoe_nan"],
            "speaker with fewer than 3 utterances (speaker identification)": ["lone"],
        }
        assert sum(len(files) for files in as_s3prl_reads(root).values()) == 18


def test_a_layout_is_kept_and_anything_else_refused(corpus, tmp_path, write_audio):
    root = voxceleb1.write(corpus, tmp_path / "vox")
    before = (root / "veri_test_class.txt").stat().st_mtime_ns
    assert voxceleb1.write(corpus, root) == root
    assert (root / "veri_test_class.txt").stat().st_mtime_ns == before
    other = speak(tmp_path / "other", write_audio, {"ann": 5, "bob": 3, "zoe": 11})
    with pytest.raises(UserError, match="another corpus"):
        voxceleb1.write(other, root)
    with pytest.raises(UserError, match="not empty"):
        voxceleb1.write(corpus, tmp_path / "audio")


def test_the_same_names_with_other_audio_are_another_corpus(corpus, tmp_path, write_audio):
    root = voxceleb1.write(corpus, tmp_path / "vox")
    other = speak(tmp_path / "other", write_audio, {"zoe": 10, "ann": 5, "bob": 3}, subtype="FLOAT")
    with pytest.raises(UserError, match="another corpus"):
        voxceleb1.write(other, root)


def test_one_speaker_is_not_enough(tmp_path, write_audio):
    with pytest.raises(UserError, match="1 speakers with three utterances or more"):
        voxceleb1.write(speak(tmp_path, write_audio, {"a": 9, "b": 2}), tmp_path / "vox")
    assert not (tmp_path / "vox").exists()


def test_the_timit_sample(timit_sample, tmp_path):
    splits = as_s3prl_reads(voxceleb1.write(manifest.read(timit_sample), tmp_path / "vox"))
    assert [len(files) for files in splits.values()] == [96, 32, 32]
