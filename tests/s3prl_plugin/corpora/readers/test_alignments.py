"""A manifest whose phones and words lie in CTM files or TextGrids, and LibriSpeech's alignment.txt."""

import pytest

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.formats import manifest
from s3prl_plugin.corpora.readers import alignment_txt, ctm, grids
from s3prl_plugin.errors import UserError

GRID = '"ooTextFile" "TextGrid" 0 1 <exists> 2 "IntervalTier" "{first}" 0 1 2 0 0.5 "{a}" 0.5 1 "{b}" '
GRID += '"IntervalTier" "words" 0 1 2 0 0.5 "" 0.5 1 "oh"'


def grid(first="phones", a="sil", b="OW1"):
    return GRID.format(first=first, a=a, b=b)


def test_ctm_lines(tmp_path):
    (tmp_path / "a.ctm").write_text(";; a comment\nb 1 0.10 0.25 had 0.98\n\na A 0 .5 SIL\nb 1 0.35 0.1 your\n")
    found, notes = ctm.read(tmp_path / "a.ctm")
    assert not notes
    assert [(s.label, s.start_s, pytest.approx(s.end_s)) for s in found["b"]] == [
        ("had", 0.1, 0.35),
        ("your", 0.35, 0.45),
    ]
    assert found["a"] == [Segment("SIL", 0.0, 0.5)]


@pytest.mark.parametrize("line", ["a 1 0.1 had", "a 1 zero 0.2 had", "a 1 0.1 0.2"])
def test_a_bad_ctm_line_is_named(tmp_path, line):
    (tmp_path / "a.ctm").write_text(f"a 1 0 0.1 x\n{line}\n")
    with pytest.raises(UserError, match=r"a\.ctm, line 2: not a CTM line"):
        ctm.read(tmp_path / "a.ctm")


def test_a_manifest_with_ctm(write_manifest):
    folder = write_manifest("ab")
    (folder / "phones.ctm").write_text("a 1 0 0.5 SIL\na 1 0.5 0.2 OW1_S\nb 1 0.2 0.3 AH0_B\nb 1 0.5 0.3 AH0_E\n")
    (folder / "words.ctm").write_text("a 1 0.5 0.2 oh\nb 1 0.2 0.6 aha\nb 1 0.8 0.1 <eps>\n")
    corpus = manifest.read(folder)
    a, b = corpus.utterances
    assert [p.label for p in a.phones] == ["SIL", "OW"]
    assert [p.label for p in b.phones] == ["AH", "AH"]
    assert [w.label for w in a.words + b.words] == ["oh", "aha"]
    assert corpus.silence == {"SIL"}
    assert corpus.notes[0] == "word positions (_B, _I, _E, _S) taken off phone labels: 4 become 3"
    assert "(0, 1, 2; stress=true keeps them) taken off phone labels" in corpus.notes[1]
    assert corpus.notes[2] == "left out of the words, as marks of silence or noise: <eps> 1"
    assert [p.label for p in manifest.read(folder, phone_set="as_is").utterances[0].phones] == ["SIL", "OW1_S"]


def test_labels_that_only_look_like_positions_stay(write_manifest):
    folder = write_manifest("a", phones=[("a", "t_S", 0, 0.3), ("a", "x", 0.3, 0.6)])
    assert [p.label for p in manifest.read(folder).utterances[0].phones] == ["t_S", "x"]


def test_a_table_goes_before_ctm(write_manifest):
    folder = write_manifest("a", phones=[("a", "tsv", 0, 1)])
    (folder / "phones.ctm").write_text("a 1 0 1 ctm\n")
    assert [p.label for p in manifest.read(folder).utterances[0].phones] == ["tsv"]


def test_a_stray_ctm_utterance_is_counted(write_manifest):
    folder = write_manifest("a")
    (folder / "words.ctm").write_text("a 1 0 1 oh\nz 1 0 1 oh\n")
    assert manifest.read(folder).skipped == {"named in words.ctm but not in utterances.tsv": ("z",)}


def test_a_manifest_with_textgrids(write_manifest):
    folder = write_manifest("abcd")
    (folder / "a.TextGrid").write_text(grid())
    (folder / "b.TextGrid").write_text(grid(first="syllables"))
    (folder / "c.TextGrid").write_text("no grid")
    corpus = manifest.read(folder)
    found = {u.name: u for u in corpus.utterances}
    assert found["a"].phones == (Segment("sil", 0.0, 0.5), Segment("OW", 0.5, 1.0))
    assert found["a"].words == found["b"].words == (Segment("oh", 0.5, 1.0),)
    assert found["b"].phones == found["d"].phones == found["d"].words == ()
    assert corpus.skipped == {f"{grids.UNREADABLE}: not a TextGrid": ("c",)}
    assert corpus.silence == {"sil"}


def test_textgrids_give_what_tables_do_not(write_manifest):
    folder = write_manifest("a", phones=[("a", "tsv", 0, 1)])
    (folder / "a.TextGrid").write_text(grid())
    (utterance,) = manifest.read(folder).utterances
    assert [p.label for p in utterance.phones] == ["tsv"]
    assert [w.label for w in utterance.words] == ["oh"]


def test_alignment_txt(tmp_path):
    path = tmp_path / "84-121123.alignment.txt"
    path.write_text('84-121123-0000 ",GO,,DO\'T," "0.490,0.890,1.270,1.380,2.09"\n84-121123-0001 "OH" "0.3"\n')
    assert alignment_txt.read(path) == {
        "84-121123-0000": [
            Segment("", 0.0, 0.49),
            Segment("GO", 0.49, 0.89),
            Segment("", 0.89, 1.27),
            Segment("DO'T", 1.27, 1.38),
            Segment("", 1.38, 2.09),
        ],
        "84-121123-0001": [Segment("OH", 0.0, 0.3)],
    }


@pytest.mark.parametrize("rows", [("A", "B"), ("1", "2"), ("0", "1"), ("a", "b")])
def test_only_the_rows_of_the_channel_count(write_manifest, write_audio, rows):
    folder = write_manifest("a")
    write_audio(folder / "a.wav", channels=2)
    lines = [
        f"a {rows[c]} {at} 0.1 {word}\n" for c, at, word in [(0, 0.1, "hello"), (1, 0.15, "yes"), (0, 0.4, "good")]
    ]
    (folder / "words.ctm").write_text("".join(lines))
    for channel, words in enumerate((["hello", "good"], ["yes"])):
        assert [w.label for w in manifest.read(folder, channel=channel).utterances[0].words] == words
    with pytest.raises(UserError, match=r"words\.ctm: 'a' has rows of channels . and .; name the one that is meant"):
        manifest.read(folder)
    with pytest.raises(UserError, match="no rows of channel=7"):
        ctm.read(folder / "words.ctm", 7)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("a 1 * * <ALT_BEGIN>", "alternatives"),
        ("a 1 0.2 0.1 <ALT>", "alternatives"),
        ("a 1 * * word", r"\* is no time"),
    ],
)
def test_what_nist_writes_is_explained(tmp_path, line, cause):
    (tmp_path / "a.ctm").write_text(f"a 1 0 0.1 x\n{line}\n")
    with pytest.raises(UserError, match=rf"a\.ctm, line 2: .*{cause}"):
        ctm.read(tmp_path / "a.ctm")


def test_labels_that_are_numbers_say_so(write_manifest):
    folder = write_manifest("a")
    (folder / "phones.ctm").write_text("a 1 0 0.5 1\na 1 0.5 0.2 117\n")
    assert any("int2sym.pl" in note for note in manifest.read(folder).notes)


def test_rows_without_a_length_are_left_out_and_counted(write_manifest):
    folder = write_manifest("a")
    (folder / "phones.ctm").write_text("a 1 0 0.5 x\na 1 0.5 0.0 sp\na 1 0.5 0.2 y\na 1 0.7 0 t\n")
    corpus = manifest.read(folder)
    assert [p.label for p in corpus.utterances[0].phones] == ["x", "y"]
    assert "2 segments without a length were left out: sp 1, t 1" in corpus.notes


@pytest.mark.parametrize("line", ['u "A,B" "0.1"', 'u "A" "x"', "u"])
def test_a_bad_line_of_alignment_txt_is_named(tmp_path, line):
    path = tmp_path / "1-2.alignment.txt"
    path.write_text(f'v "A" "0.1"\n{line}\n')
    with pytest.raises(UserError, match=r"1-2\.alignment\.txt, line 2: not an alignment"):
        alignment_txt.read(path)
