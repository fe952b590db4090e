"""From s3prl's list of detections to the term-weighted value."""

from xml.etree import ElementTree

import pytest

from s3prl_plugin.errors import UserError
from s3prl_plugin.superb import score_detection


@pytest.fixture
def run(tmp_path):
    """Two queries of which one was searched, three documents, and the detections."""
    truth = tmp_path / "corpus" / "scoring" / "groundtruth_quesst14_eval"
    truth.mkdir(parents=True)
    (truth / "quesst14_eval.rttm").write_text(
        ";; a comment\n"
        "LEXEME quesst14_00001 1 0.00 5.10 quesst14_eval_001 lex <NA> <NA>\n"
        "LEXEME quesst14_00003 1 0.00 5.10 quesst14_eval_002 lex <NA> <NA>\n"
        "LEXEME quesst14_00002 1 0.00 5.10 quesst14_eval_009 lex <NA> <NA>\n"
    )
    terms = "".join(f"<term termid='quesst14_eval_00{i}'><termtext>w</termtext></term>" for i in (1, 2))
    (truth / "quesst14_eval.tlist.xml").write_text(f"<termlist language='x'>{terms}</termlist>")
    excerpts = "".join(f"<excerpt audio_filename='Audio/quesst14_0000{i}.wav' channel='1'/>" for i in (1, 2, 3))
    (truth / "quesst14_eval.ecf.xml").write_text(f"<ecf version='1'>{excerpts}</ecf>")
    root = ElementTree.Element("stdlist")
    found = ElementTree.SubElement(root, "detected_termlist", termid="quesst14_eval_001")
    for i, value in ((1, "2.5"), (2, "-0.5"), (3, "-2.0")):
        ElementTree.SubElement(found, "term", file=f"quesst14_0000{i}", score=value)
    (tmp_path / "out").mkdir()
    ElementTree.ElementTree(root).write(tmp_path / "out" / "benchmark.stdlist.xml")
    settings = {"downstream_expert": {"datarc": {"dataset_root": str(tmp_path / "corpus")}}}
    return tmp_path / "out", truth, settings


def test_the_query_that_was_searched_is_found_and_the_other_missed(run):
    folder, _, settings = run
    assert score_detection.score(folder, "test", settings) == {"quesst14/mtwv": pytest.approx(0.5)}


def test_the_ground_truth_is_that_of_the_split(run):
    folder, _, settings = run
    with pytest.raises(UserError, match="groundtruth_quesst14_dev: 0 files"):
        score_detection.score(folder, "dev", settings)


def test_damaged_or_empty_truth_is_named(run):
    folder, truth, settings = run
    (truth / "quesst14_eval.rttm").write_text("")
    with pytest.raises(UserError, match="no query is held by any document"):
        score_detection.score(folder, "test", settings)
    (truth / "quesst14_eval.tlist.xml").write_text("<termlist>")
    with pytest.raises(UserError, match=r"tlist\.xml: not XML"):
        score_detection.score(folder, "test", settings)


def test_a_query_is_not_taken_for_a_channel_or_a_time(tmp_path):
    file = tmp_path / "a.rttm"
    file.write_text("LEXEME doc_1 1 0.00 5.10 2 lex <NA> <NA>\nLEXEME doc_2 2 0.00 5.10 1 3 <NA>\n")
    held = score_detection.read_occurrences(file, {"1", "2", "3", "0.00"})
    assert held == {"1": {"doc_2"}, "2": {"doc_1"}, "3": {"doc_2"}, "0.00": set()}
