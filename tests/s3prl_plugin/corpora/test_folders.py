"""Linked folders are followed and loops are not; what a Mac leaves beside files is no part of a corpus."""

import os
from shutil import copytree

import pytest

from s3prl_plugin.corpora import folders, open_corpus
from s3prl_plugin.corpora.formats import librispeech, timit
from s3prl_plugin.superb.ctc_corpora.libriphone import transcripts


def write_chapter(root, speaker, write_audio, count=2):
    """A LibriSpeech chapter with words."""
    folder = root / speaker / "9"
    names = [f"{speaker}-9-{i:04d}" for i in range(count)]
    for name in names:
        write_audio(folder / f"{name}.flac")
    (folder / f"{speaker}-9.trans.txt").write_text("".join(f"{name} GO ON\n" for name in names))
    (folder / f"{speaker}-9.alignment.txt").write_text("".join(f'{name} "GO,ON" "0.4,0.9"\n' for name in names))
    return folder


def write_speaker(root, speaker, write_audio):
    """A speaker's folder of TIMIT."""
    folder = root / speaker
    for stem in ("SA1", "SX9"):
        write_audio(folder / f"{stem}.WAV")
        (folder / f"{stem}.PHN").write_text("0 8000 h#\n8000 15000 iy\n")
    return folder


@pytest.fixture
def store(tmp_path, write_audio):
    for speaker in ("84", "174", "251"):
        write_chapter(tmp_path / "store", speaker, write_audio)
    return tmp_path / "store"


def test_a_subset_made_of_links_is_read(tmp_path, store, write_audio):
    subset = tmp_path / "subset"
    subset.mkdir()
    for speaker in ("84", "174"):
        (subset / speaker).symlink_to(store / speaker, target_is_directory=True)
    write_chapter(subset, "7", write_audio)  # beside one that is no link
    for corpus in (librispeech.read(subset), open_corpus(subset)):
        assert sorted(corpus.speakers) == ["174", "7", "84"]
        assert len(corpus.utterances) == 6
        assert sum(len(u.words) for u in corpus.utterances) == 12
    assert len(list(transcripts(subset))) == 6
    grids = tmp_path / "alignments"
    grids.symlink_to(store, target_is_directory=True)
    for file in (subset / "7" / "9").glob("*.alignment.txt"):
        file.unlink()
    assert sum(bool(u.words) for u in librispeech.read(subset, alignments=grids).utterances) == 4


def test_links_of_timit_keep_the_part_that_they_lead_to(tmp_path, write_audio):
    for part, speaker in (("TRAIN", "FAAA0"), ("TRAIN", "FBBB0"), ("TEST", "MCCC0")):
        write_speaker(tmp_path / "TIMIT" / part / "DR1", speaker, write_audio)
    subset = tmp_path / "subset"
    subset.mkdir()
    for part, speaker in (("TRAIN", "FAAA0"), ("TEST", "MCCC0")):
        (subset / speaker).symlink_to(tmp_path / "TIMIT" / part / "DR1" / speaker, target_is_directory=True)
    assert sorted(timit.read(subset).speakers) == ["faaa0", "mccc0"]
    assert sorted(timit.read(subset, part="test").speakers) == ["mccc0"]


def test_loops_end_and_what_is_found_twice_counts_once(store):
    (store / "84" / "up").symlink_to(store, target_is_directory=True)
    (store / "84" / "self").symlink_to(store / "84", target_is_directory=True)
    (store / "also").symlink_to(store / "174", target_is_directory=True)
    (store / "nowhere").symlink_to(store / "gone", target_is_directory=True)
    assert len(librispeech.read(store).utterances) == 6
    places = [os.path.realpath(folder) for folder, _ in folders.walk(store)]
    assert len(places) < 40


@pytest.mark.parametrize("layout", ["librispeech", "timit", "manifest"])
def test_the_companions_of_a_mac_are_no_utterances(tmp_path, write_audio, layout):
    root = tmp_path / "corpus"
    if layout == "timit":
        write_speaker(root, "FAAA0", write_audio)
    else:
        write_chapter(root, "84", write_audio)
    if layout == "manifest":
        files = [path.relative_to(root) for path in root.rglob("*.flac")]
        names = [[file, file.with_name(f"._{file.name}")] for file in files]
        rows = [f"{file.stem}\t{file}\ts" for pair in names for file in pair]
        (root / "utterances.tsv").write_text("utt\taudio\tspeaker\n" + "".join(f"{row}\n" for row in rows))
    else:
        copytree(root, tmp_path / "alone")
    for file in [path for path in root.rglob("*") if path.is_file()]:
        file.with_name(f"._{file.name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X        \xff\xfe")
    corpus = open_corpus(root)
    assert len(corpus.utterances) == 2
    assert not corpus.skipped
