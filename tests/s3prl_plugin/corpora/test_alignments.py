"""A manifest whose phones and words lie in CTM files or TextGrids, and LibriSpeech's alignment.txt."""

import pytest

from s3prl_plugin.corpora import alignment_txt, alignments, ctm, manifest
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.errors import UserError

GRID = '"ooTextFile" "TextGrid" 0 1 <exists> 2 "IntervalTier" "{first}" 0 1 2 0 0.5 "{a}" 0.5 1 "{b}" '
GRID += '"IntervalTier" "words" 0 1 2 0 0.5 "" 0.5 1 "oh"'


def grid(first="phones", a="sil", b="OW1"):
    return GRID.format(first=first, a=a, b=b)


def test_ctm_lines(tmp_path):
    (tmp_path / "a.ctm").write_text(";; a comment\nb 1 0.10 0.25 had 0.98\n\na A 0 .5 SIL\nb 1 0.35 0.1 your\n")
    found = ctm.read(tmp_path / "a.ctm")
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
    assert [p.label for p in a.phones] == ["SIL", "OW1"]
    assert [p.label for p in b.phones] == ["AH0", "AH0"]
    assert [w.label for w in a.words + b.words] == ["oh", "aha"]
    assert corpus.silence == {"SIL"}
    assert corpus.notes == ("word positions (_B, _I, _E, _S) taken off: 4 phone labels become 3",)
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
    assert found["a"].phones == (Segment("sil", 0.0, 0.5), Segment("OW1", 0.5, 1.0))
    assert found["a"].words == found["b"].words == (Segment("oh", 0.5, 1.0),)
    assert found["b"].phones == found["d"].phones == found["d"].words == ()
    assert corpus.skipped == {alignments.UNREADABLE: ("c",)}
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
        "84-121123-0000": [Segment("go", 0.49, 0.89), Segment("do't", 1.27, 1.38)],
        "84-121123-0001": [Segment("oh", 0.0, 0.3)],
    }


@pytest.mark.parametrize("line", ['u "A,B" "0.1"', 'u "A" "x"', "u"])
def test_a_bad_line_of_alignment_txt_is_named(tmp_path, line):
    path = tmp_path / "1-2.alignment.txt"
    path.write_text(f'v "A" "0.1"\n{line}\n')
    with pytest.raises(UserError, match=r"1-2\.alignment\.txt, line 2: not an alignment"):
        alignment_txt.read(path)
