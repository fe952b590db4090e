"""A folder of audio without a table: what is missing is said, and the table is written."""

import pytest

from s3prl_plugin.commands import main
from s3prl_plugin.corpora import open_corpus
from s3prl_plugin.corpora.readers import from_folder
from s3prl_plugin.corpora.readers.tsv import read_table
from s3prl_plugin.errors import UserError

GRID = '"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "words" 0 1 2 0 0.5 "" 0.5 1 "oh"'


def rows(folder):
    return [row for _, row in read_table(folder / "utterances.tsv", ())]


@pytest.fixture
def nested(tmp_path, write_audio):
    """Two speakers' folders with grids beside the audio."""
    for name in ("ann/a1", "ann/a2", "bob/b1"):
        write_audio(tmp_path / f"{name}.wav")
        (tmp_path / f"{name}.TextGrid").write_text(GRID)
    (tmp_path / "ann" / "._a1.wav").write_bytes(b"\0")
    return tmp_path


def test_what_is_missing_is_said(nested, capsys):
    for spec in (str(nested), f"manifest:{nested}"):
        assert main(["ls", "corpus", spec]) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        for part in (
            "3 audio files and 3 TextGrids",
            "utterances.tsv",
            "a1<TAB>ann/a1.wav<TAB>ann",
            "--write-manifest",
        ):
            assert part in said
        for column in ("utt", "audio", "speaker", "sentence", "transcript", "session"):
            assert column in said


def test_the_table_is_written_and_read(nested, capsys):
    (nested / "bob" / "b1.lab").write_text("Oh,\nyes\n")
    assert main(["ls", "corpus", str(nested), "--write-manifest"]) == 0
    said = capsys.readouterr()
    assert "3 utterances of 2 speakers" in said.err
    assert "words: 3 tokens" in said.out
    corpus = open_corpus(nested)
    assert [(u.name, u.speaker, u.sentence) for u in corpus.utterances] == [
        ("a1", "ann", None),
        ("a2", "ann", None),
        ("b1", "bob", "oh yes"),
    ]
    assert main(["ls", "corpus", str(nested), "--write-manifest"]) == 2
    assert "there already" in capsys.readouterr().err


def test_the_speaker_by_a_pattern(tmp_path, write_audio):
    for name in ("ann_01", "bob_01"):
        write_audio(tmp_path / f"{name}.flac")
    with pytest.raises(UserError, match=r"ann_01\.flac: the speaker cannot be told.*--speaker"):
        from_folder.write(tmp_path)
    with pytest.raises(UserError, match=r"'ann_01\.flac' has no such thing"):
        from_folder.write(tmp_path, "(x)")
    with pytest.raises(UserError, match="no regular expression"):
        from_folder.write(tmp_path, "(")
    assert not (tmp_path / "utterances.tsv").exists()
    from_folder.write(tmp_path, "^([^_]+)_")
    assert [row["speaker"] for row in rows(tmp_path)] == ["ann", "bob"]


def test_names_that_come_twice_are_the_whole_path(tmp_path, write_audio):
    for name in ("ann/1.wav", "ann/2.wav", "bob/1.wav", "bob/1.flac"):
        write_audio(tmp_path / name)
    assert "1 files that are there in a second format" in from_folder.write(tmp_path)
    assert [(row["utt"], row["audio"]) for row in rows(tmp_path)] == [
        ("ann-1", "ann/1.wav"),
        ("ann-2", "ann/2.wav"),
        ("bob-1", "bob/1.wav"),
    ]


def test_a_folder_without_audio(tmp_path):
    assert from_folder.missing(tmp_path) is None
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(UserError, match="no audio files there"):
            from_folder.write(folder)


@pytest.mark.parametrize("words", [["corpus", "x", "--speaker", "y"], ["upstreams", "--write-manifest"]])
def test_flags_that_belong_together(words, capsys):
    assert main(["ls", *words]) == 2
    assert "--write-manifest" in capsys.readouterr().err
