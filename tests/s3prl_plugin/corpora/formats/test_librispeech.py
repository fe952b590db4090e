"""LibriSpeech with either of its public alignments, in a tree as it is shipped."""

import pytest

from s3prl_plugin.corpora import audio, open_corpus
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.formats import librispeech
from s3prl_plugin.corpora.readers.grids import UNREADABLE
from s3prl_plugin.errors import UserError

GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0.0
xmax = 1.0
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0.0
        xmax = 1.0
        intervals: size = 2
        intervals [1]:
            xmin = 0.0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.01
            text = "go"
    item [2]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0.0
        xmax = 1.0
        intervals: size = 3
        intervals [1]:
            xmin = 0.0
            xmax = 0.5
            text = "sil"
        intervals [2]:
            xmin = 0.5
            xmax = 0.7
            text = "G"
        intervals [3]:
            xmin = 0.7
            xmax = 1.01
            text = "OW1"
"""


@pytest.fixture
def libri(tmp_path, write_audio):
    """Two speakers, three utterances, one second each."""
    root = tmp_path / "LibriSpeech"
    for speaker, chapter, count in (("84", "121123", 2), ("174", "50561", 1)):
        folder = root / "dev-clean" / speaker / chapter
        names = [f"{speaker}-{chapter}-{i:04d}" for i in range(count)]
        for name in names:
            write_audio(folder / f"{name}.flac")
        lines = "".join(f"{name} GO DO YOU HEAR\n" for name in names)
        (folder / f"{speaker}-{chapter}.trans.txt").write_text(lines)
    return root


def test_the_tree(libri):
    corpus = librispeech.read(libri)
    assert [u.name for u in corpus.utterances] == ["174-50561-0000", "84-121123-0000", "84-121123-0001"]
    assert [u.speaker for u in corpus.utterances] == ["174", "84", "84"]
    assert [u.session for u in corpus.utterances] == ["50561", "121123", "121123"]
    assert {u.sentence for u in corpus.utterances} == {"go do you hear"}
    assert all(len(audio.load(u)) == 16000 for u in corpus.utterances)
    assert corpus.notes == (librispeech.NO_ALIGNMENTS,)
    assert corpus.name == "librispeech"
    assert librispeech.read(libri / "dev-clean").name == "librispeech-dev-clean"
    assert [u.speaker for u in librispeech.read(libri / "dev-clean" / "84").utterances] == ["84", "84"]


@pytest.mark.parametrize("beside", [True, False])
def test_textgrids(libri, tmp_path, beside):
    place = libri if beside else tmp_path / "grids"
    folder = place / "dev-clean" / "84" / "121123"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "84-121123-0001.TextGrid").write_text(GRID)
    corpus = librispeech.read(libri, alignments=None if beside else place)
    aligned = corpus.utterances[2]
    assert aligned.words == (Segment("go", 0.5, 1.0),)
    assert aligned.phones == (Segment("sil", 0.0, 0.5), Segment("G", 0.5, 0.7), Segment("OW", 0.7, 1.0))
    assert corpus.silence == {"sil"}
    assert corpus.notes[0] == "2 of 3 utterances have no alignment"
    kept = librispeech.read(libri, alignments=place, stress=True).utterances[2]
    assert [p.label for p in kept.phones] == ["sil", "G", "OW1"]


def test_alignment_txt(libri):
    folder = libri / "dev-clean" / "84" / "121123"
    (folder / "84-121123.alignment.txt").write_text(
        '84-121123-0000 ",GO,DO," "0.1,0.4,0.8,1.0"\n84-121123-0001 ",GO," "0.1,0.4,1.2"\n'
    )
    corpus = librispeech.read(libri)
    assert [u.words for u in corpus.utterances] == [
        (),
        (Segment("go", 0.1, 0.4), Segment("do", 0.4, 0.8)),
        (Segment("go", 0.1, 0.4),),  # what ends late is a pause, which is no word
    ]
    assert all(u.phones == () for u in corpus.utterances)


def test_a_broken_alignment_is_a_counted_skip(libri):
    (libri / "dev-clean" / "84" / "121123" / "84-121123-0001.TextGrid").write_text(GRID[:500])
    (libri / "dev-clean" / "174" / "50561" / "174-50561.alignment.txt").write_text("nonsense\n")
    corpus = librispeech.read(libri)
    assert corpus.skipped == {
        UNREADABLE: ("174-50561-0000",),
        f"{UNREADABLE}: a TextGrid that ends too early": ("84-121123-0001",),
    }
    assert [u.name for u in corpus.utterances] == ["84-121123-0000"]


def test_a_conversion_beside_the_original_is_read(libri, write_audio):
    folder = libri / "dev-clean" / "84" / "121123"
    write_audio(folder / "84-121123-0000.wav")
    read = {u.name: u.audio.suffix for u in librispeech.read(libri).utterances}
    assert read == {"84-121123-0000": ".wav", "84-121123-0001": ".flac", "174-50561-0000": ".flac"}


def test_options_in_the_spec(libri, tmp_path):
    grids = tmp_path / "grids"
    grids.mkdir()
    (grids / "84-121123-0001.TextGrid").write_text(GRID)
    corpus = open_corpus(f"librispeech:{libri}?alignments={grids}&stress=true")
    assert [p.label for p in corpus.utterances[2].phones] == ["sil", "G", "OW1"]
    assert open_corpus(libri).name == "librispeech"


def test_what_is_missing(libri, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="the corpus is empty"):
        librispeech.read(tmp_path / "empty")
    with pytest.raises(UserError, match="no such folder; give the one that holds LibriSpeech's speakers"):
        librispeech.read(tmp_path / "gone")
    with pytest.raises(UserError, match="no such folder; give the one that holds the alignments"):
        librispeech.read(libri, alignments=tmp_path / "gone")
    (libri / "dev-clean" / "174" / "50561" / "174-50561-0000.flac").unlink()
    assert librispeech.read(libri).skipped == {"audio missing": ("174-50561-0000",)}
