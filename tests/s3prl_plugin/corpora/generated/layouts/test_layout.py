"""A layout is written once, recognised, and never mistaken for another corpus's."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora import audio
from s3prl_plugin.corpora.generated.layouts import layout
from s3prl_plugin.corpora.skips import Skips
from s3prl_plugin.errors import UserError
from s3prl_plugin.pretraining.data.sources import write_list


def filled(corpus, folder, fills, skips=None):
    def fill(empty, left_out):
        fills.append(1)
        (empty / "file").write_text("content")
        left_out.add("too loud", "spk00_0")

    return layout.write_once("test", corpus, folder, fill, skips)


def test_the_same_corpus_is_laid_out_once_and_its_skips_are_told_again(talk, tmp_path):
    corpus, fills, first, second = talk(), [], Skips(), Skips()
    filled(corpus, tmp_path / "out", fills, first)
    filled(corpus, tmp_path / "out", fills, second)
    assert fills == [1]
    assert first == second == {"too loud": {"spk00_0"}}
    assert (tmp_path / "out" / "file").read_text() == "content"


def test_another_corpus_or_anything_else_is_refused(talk, tmp_path):
    corpus = talk()
    filled(corpus, tmp_path / "out", [])
    with pytest.raises(UserError, match="layout of another corpus"):
        filled(replace(corpus, utterances=corpus.utterances[1:]), tmp_path / "out", [])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(UserError, match="not a layout written here"):
        filled(corpus, tmp_path / "mine", [])


def test_a_folder_that_fails_to_fill_is_not_left_behind(talk, tmp_path):
    def fail(empty, left_out):
        (empty / "half").touch()
        raise UserError("no")

    with pytest.raises(UserError):
        layout.write_once("test", talk(), tmp_path / "out", fail)
    assert not (tmp_path / "out").exists()


def test_changed_audio_is_another_corpus(talk, tmp_path):
    corpus = talk()
    before = layout.digest(corpus.utterances)
    assert layout.digest(reversed(corpus.utterances)) == before
    soundfile.write(corpus.utterances[0].audio, np.zeros(16000), 16000)
    assert layout.digest(corpus.utterances) != before


def test_audio_is_linked_where_it_fits_and_converted_where_not(talk, tmp_path):
    utterance = talk().utterances[0]
    layout.place(utterance, tmp_path / "a" / "b.wav")
    assert (tmp_path / "a" / "b.wav").stat().st_ino == utterance.audio.stat().st_ino
    layout.place(utterance, tmp_path / "b.flac")
    assert soundfile.info(tmp_path / "b.flac").format == "FLAC"
    np.testing.assert_array_equal(
        soundfile.read(tmp_path / "b.flac", dtype="int16")[0], soundfile.read(utterance.audio, dtype="int16")[0]
    )
    slow = tmp_path / "slow.wav"
    soundfile.write(slow, np.zeros(8000), 8000)
    layout.place(replace(utterance, audio=slow), tmp_path / "fast.wav")
    assert soundfile.info(tmp_path / "fast.wav").frames == 16000


def test_a_stretch_of_a_file_is_written_as_it_is_heard(talk, tmp_path):
    utterance = talk().utterances[0]
    stretch = replace(utterance, start_s=0.25, duration_s=0.5)
    layout.place(stretch, tmp_path / "stretch.wav")
    assert len(audio.read(tmp_path / "stretch.wav")) == 8000
    assert layout.digest([stretch]) != layout.digest([utterance])
    with pytest.raises(UserError, match="no stretch of a file"):
        write_list(tmp_path / "list.tsv", [stretch])
