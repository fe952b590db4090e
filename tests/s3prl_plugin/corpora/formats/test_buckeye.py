"""Buckeye, written as its files are: header, end times, colours, further fields."""

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora import audio, open_corpus
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.formats import buckeye
from s3prl_plugin.errors import UserError

HEADER = """signal s0101a
type 0
color 121
comment created using xlabel Thu Sep 12 10:48:35 2002
font -misc-*-bold-*-*-*-15-*-*-*-*-*-*-*
separator ;
nfields 1
#
"""
WORDS = """    0.200  121 {B_TRANS};
    0.500  122 <SIL>; B
    0.800  122 okay; ow k ey; k ey; NN
    0.800  122 um; ah m; ; UH
    1.000  122 I'm; ay m; ay m; PRP_VBP
    1.100  122 <SIL>
    1.400  122 fine; f ay n; f ay n; JJ
    2.500  122 <IVER>
    2.800  122 Ohio; ow hh ay ow; hh ay ow; NNP
    3.500  122 <VOCNOISE>
    3.700  122 <LAUGH-yeah>
    3.900  122 yes; y eh s; y eh s; UH
    4.000  121 {E_TRANS}
"""
PHONES = """    0.200  121 {B_TRANS}
    0.500  122 SIL
    0.650  122 k ; *
    0.800  122 ey
    0.900  122 ay
    1.000  122 m
    1.100  122 SIL
    1.200  122 f
    1.300  122 ay
    1.400  122 n
    2.500  122 IVER
    2.600  122 hh
    2.700  122 ay
    2.800  122 ow
    3.500  122 VOCNOISE
    3.700  122 LAUGH
    3.800  122 y
    3.900  122 s
    4.000  121 {E_TRANS}
"""


@pytest.fixture
def folder(tmp_path, write_audio):
    """One speaker, one file of four seconds."""
    path = tmp_path / "s01" / "s0101a"
    write_audio(path.with_suffix(".wav"), 64000)
    path.with_suffix(".words").write_text(HEADER + WORDS)
    path.with_suffix(".phones").write_text(HEADER + PHONES)
    return tmp_path


def test_a_conversation(folder):
    corpus = open_corpus(f"buckeye:{folder}")
    assert [(u.name, u.speaker, u.session, u.start_s) for u in corpus.utterances] == [
        ("s0101a_0000.500", "s01", "s0101a", 0.5),
        ("s0101a_0002.500", "s01", "s0101a", 2.5),
        ("s0101a_0003.700", "s01", "s0101a", 3.7),
    ]
    first, second, third = corpus.utterances
    assert first.words == (Segment("okay", 0.0, 0.3), Segment("i'm", 0.3, 0.5), Segment("fine", 0.6, 0.9))
    assert [p.label for p in first.phones] == ["k", "ey", "ay", "m", "SIL", "f", "ay", "n"]
    assert second.words == (Segment("ohio", 0.0, 0.3),)
    assert [p.label for p in third.phones] == ["y", "s"]
    assert corpus.silence == {"SIL"}
    assert not corpus.skipped
    assert any("1 segments without a length were left out: um 1" in note for note in corpus.notes)
    assert any("6 rows of .words lie between utterances" in note for note in corpus.notes)


def test_the_audio_is_the_stretch(folder):
    whole, _ = soundfile.read(folder / "s01" / "s0101a.wav", dtype="float32")
    utterance = open_corpus(f"buckeye:{folder}").utterances[1]
    assert utterance.duration_s == pytest.approx(0.3)
    assert np.array_equal(audio.load(utterance), whole[40000:44800])


def test_how_long_a_pause_parts_utterances(folder):
    assert len(open_corpus(f"buckeye:{folder}?pause=0.05").utterances) == 4
    assert len(open_corpus(f"buckeye:{folder}?pause=2").utterances) == 2  # the interviewer parts them, too
    with pytest.raises(UserError, match="give seconds"):
        open_corpus(f"buckeye:{folder}?pause=long")


def test_phones_alone_and_words_alone(folder):
    (folder / "s01" / "s0101a.words").unlink()
    assert [len(u.phones) for u in open_corpus(f"buckeye:{folder}").utterances] == [8, 3, 2]
    (folder / "s01" / "s0101a.phones").unlink()
    with pytest.raises(UserError, match=r"no \.words and no \.phones"):
        open_corpus(f"buckeye:{folder}")


@pytest.mark.parametrize("content", ["no header", HEADER + "x 121 a\n", HEADER + "1.0 121 a\n0.5 121 b\n"])
def test_a_broken_file_is_counted(folder, write_audio, content):
    write_audio(folder / "s02" / "s0201a.wav")
    (folder / "s02" / "s0201a.words").write_text(content)
    assert open_corpus(f"buckeye:{folder}").skipped == {buckeye.UNREADABLE: ("s0201a",)}


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        buckeye.read(tmp_path / "gone")
    with pytest.raises(UserError, match="the corpus is empty"):
        buckeye.read(tmp_path)


def test_a_pause_of_just_that_length_parts_utterances():
    said = [Segment("one", 0.0, 1.0), Segment("two", 1.5, 2.0), Segment("three", 2.25, 3.0)]
    assert list(buckeye._utterances(said, str.isalpha, 0.5)) == [(0.0, 1.0), (1.5, 3.0)]
