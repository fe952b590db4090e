"""The folding of TIMIT's labels, against the table that comes with the sample."""

import csv

import pytest

from s3prl_plugin.corpora import phone_sets
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.errors import UserError


def test_folding_is_the_published_table(timit_sample):
    with (timit_sample / "phones_61_48_39.tsv").open(newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {row["p61"] for row in table} == phone_sets.TIMIT_61
    for row in table:
        assert (phone_sets.to_48(row["p61"]) or "") == row["p48"]
        assert (phone_sets.to_39(row["p61"]) or "") == row["p39"]


@pytest.mark.parametrize(("phone_set", "labels"), [("61", 61), ("48", 48), ("39", 39)])
def test_sets_have_the_size_of_their_name(phone_set, labels):
    assert len(phone_sets.folded_labels(phone_sets.TIMIT_61, phone_set)[0]) == labels


def test_the_glottal_stop_is_left_out_and_said():
    given = [Segment("t", 0.0, 0.1), Segment("q", 0.1, 0.2), Segment("ax-h", 0.2, 0.3)]
    assert phone_sets.fold(given, "39") == (Segment("t", 0.0, 0.1), Segment("ah", 0.2, 0.3))
    assert phone_sets.fold(given, "61") == tuple(given)
    _, (note,) = phone_sets.folded_labels({"t", "q"}, "39")
    assert "glottal stop" in note


def test_timit_is_told_by_its_silence():
    assert phone_sets.is_timit({"h#", "iy"})
    assert not phone_sets.is_timit({"iy", "s"})  # could be any ARPAbet
    assert not phone_sets.is_timit({"h#", "iy", "AH0"})


@pytest.mark.parametrize("label", ["sil", "SIL", "sp", "spn", "h#", "pau", "epi", "", "<eps>", "<p:>"])
def test_what_is_not_speech(label):
    assert not phone_sets.is_speech(label)


@pytest.mark.parametrize("label", ["s", "iy", "AA1", "q", "bcl", "ʃ"])
def test_what_is_speech(label):
    assert phone_sets.is_speech(label)


def test_unknown_set():
    with pytest.raises(UserError, match="phone_set='40'"):
        phone_sets.check_choice("40")
