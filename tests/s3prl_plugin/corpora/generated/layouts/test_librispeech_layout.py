"""The layout of LibriSpeech, as s3prl's ASR reads it, and the phones for PR."""

import csv
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from s3prl_plugin import config
from s3prl_plugin.corpora.corpus import Corpus, Segment
from s3prl_plugin.corpora.generated.layouts import librispeech
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError


def files(root):
    """Split -> audio files."""
    return {split: sorted((root / split).rglob("*.flac")) for split in librispeech.SPLITS}


def said(root):
    """Utterance -> words."""
    lines = [line for file in root.rglob("*.trans.txt") for line in file.read_text().splitlines()]
    return {line.split()[0]: line.split()[1:] for line in lines}


def test_every_utterance_is_there_once_with_its_words_and_phones(talk, tmp_path):
    corpus = talk()
    root = librispeech.write(corpus, tmp_path / "out")
    phones = {line.split()[0]: line.split()[1:] for line in (root / "phones.txt").read_text().splitlines()}
    found = Counter()
    for file in (file for found in files(root).values() for file in found):
        audio = soundfile.read(file, dtype="int16")[0].tobytes()
        found[audio, tuple(said(root)[file.stem]), tuple(phones[file.stem])] += 1
    wanted = Counter(
        (
            soundfile.read(u.audio, dtype="int16")[0].tobytes(),
            tuple(word.label.upper() for word in u.words),
            tuple(word.label[0] for word in u.words),
        )
        for u in corpus.utterances
    )
    assert found == wanted
    assert (root / "phone_vocabulary.txt").read_text().split() == sorted({p for ps in phones.values() for p in ps})


@pytest.mark.parametrize(("speakers", "counts"), [(3, (1, 1, 1)), (7, (5, 1, 1)), (12, (8, 2, 2))])
def test_no_speaker_is_in_two_splits(talk, tmp_path, speakers, counts):
    root = librispeech.write(talk(speakers, 1), tmp_path / "out")
    names = [{file.parts[-3] for file in found} for found in files(root).values()]
    assert tuple(map(len, names)) == counts
    assert len(set.union(*names)) == speakers
    table = [line.split("\t") for line in (root / "speakers.tsv").read_text().splitlines()[1:]]
    assert {number for number, _ in table} == set.union(*names)


def test_s3prls_asr_reads_every_utterance(talk, tmp_path, registered):
    pytest.importorskip("pandas")
    pytest.importorskip("editdistance")
    from s3prl.downstream.asr.dataset import SequenceDataset
    from s3prl.downstream.asr.dictionary import Dictionary

    root = librispeech.write(talk(), tmp_path / "out")
    dictionary = Dictionary.load(str(config.packaged("configs", "superb", "tasks.yaml").parent / "letters.txt"))
    options = {"libri_root": str(root), "bucket_file": str(root / "len_for_bucket")}
    for split in librispeech.SPLITS:
        dataset = SequenceDataset("part", 1, dictionary, **options, part=[split])
        found = {}
        for i in range(len(dataset)):
            (waveform,), (labels,), (name,) = dataset[i]
            letters = dictionary.string([label for label in labels if label != dictionary.eos()])
            found[name] = letters.replace(" ", "").replace("|", " ").split()
            assert len(waveform) == 22400
        assert found == {file.stem: said(root)[file.stem] for file in files(root)[split]}


def test_lengths_are_those_of_the_files_the_longest_first(talk, tmp_path):
    root = librispeech.write(talk(), tmp_path / "out")
    extra = root / "train-clean-100" / "1001" / "1" / "long.flac"
    soundfile.write(extra, np.zeros(50_000), 16000)
    librispeech.complete(root, tmp_path / "made")
    with (tmp_path / "made" / "len_for_bucket" / "train-clean-100.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["file_path"] == "train-clean-100/1001/1/long.flac"
    assert {row["file_path"]: int(row["length"]) for row in rows} == {
        file.relative_to(root).as_posix(): soundfile.info(str(file)).frames for file in files(root)["train-clean-100"]
    }


def test_what_cannot_be_used_is_counted_or_refused(talk, tmp_path):
    corpus = talk()
    corpus.utterances[0].audio.write_bytes(b"")
    skips = Skips()
    root = librispeech.write(corpus, tmp_path / "out", skips)
    assert skips == {"audio not readable": {"spk00_0"}}
    assert sum(map(len, files(root).values())) == len(corpus.utterances) - 1
    with pytest.raises(UserError, match="talk: 2 speakers with words"):
        librispeech.write(talk(2), tmp_path / "few")
    with pytest.raises(UserError, match="0 speakers with words"):
        librispeech.write(talk(words=()), tmp_path / "silent")


def test_without_phones_there_is_a_layout_for_asr_alone(talk, tmp_path):
    root = librispeech.write(talk(phones=()), tmp_path / "out")
    assert not (root / "phones.txt").exists()
    assert (root / "len_for_bucket" / "test-clean.csv").is_file()


def test_librispeech_itself_keeps_its_splits_and_its_phones_lose_their_stress(talk, tmp_path):
    parts = ("dev-clean", "train-clean-100", "test-clean", "train-other-500")
    moved = []
    for utterance in talk(4, 2).utterances:
        to = tmp_path / "LibriSpeech" / parts[int(utterance.speaker[3:])] / utterance.speaker / utterance.audio.name
        to.parent.mkdir(parents=True, exist_ok=True)
        utterance.audio.rename(to)
        phones = (Segment("sil", 0.0, 0.1), Segment("AA1", 0.1, 0.2), Segment("T", 0.2, 0.3), Segment("spn2", 0.3, 0.4))
        moved.append(replace(utterance, audio=to, phones=phones))
    skips = Skips()
    corpus = Corpus("LibriSpeech", "real", tuple(moved), silence=frozenset({"sil"}))
    root = librispeech.write(corpus, tmp_path / "out", skips)
    assert skips == {"of another part of LibriSpeech (ASR, PR)": {"spk03_0", "spk03_1"}}
    speakers = dict(line.split("\t") for line in (root / "speakers.tsv").read_text().splitlines()[1:])
    found = {split: {speakers[file.parts[-3]] for file in listed} for split, listed in files(root).items()}
    assert found == {"train-clean-100": {"spk01"}, "dev-clean": {"spk00"}, "test-clean": {"spk02"}}
    assert {tuple(line.split()[1:]) for line in (root / "phones.txt").read_text().splitlines()} == {("AA", "T", "spn2")}
