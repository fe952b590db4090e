"""The folding of TIMIT's labels, against the table that comes with the sample."""

import csv
from pathlib import Path

import pytest

from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.corpora.readers import phone_sets
from s3prl_plugin.corpora.readers.marks import Marks
from s3prl_plugin.errors import UserError


def test_folding_is_the_published_table(timit_sample):
    with (timit_sample / "phones_61_48_39.tsv").open(newline="") as file:
        table = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert {row["p61"] for row in table} == phone_sets.TIMIT_61
    for row in table:
        assert (phone_sets.to_48(row["p61"]) or "") == row["p48"]
        assert (phone_sets.to_39(row["p61"]) or "") == row["p39"]


def folding(labels, phone_set="auto", stress=False, silence=None):
    return phone_sets.Folding(labels, phone_set, stress, Marks(silence), Path("phones.tsv"))


def after(labels, **options):
    """What labels become, in order."""
    segments = [Segment(label, i, i + 1) for i, label in enumerate(labels)]
    return [s.label for s in folding(labels, **options).of(segments)]


@pytest.mark.parametrize(("phone_set", "labels"), [("61", 61), ("48", 48), ("39", 39)])
def test_sets_have_the_size_of_their_name(phone_set, labels):
    assert len(set(after(sorted(phone_sets.TIMIT_61), phone_set=phone_set))) == labels


def test_the_glottal_stop_is_left_out_and_said():
    given = [Segment("t", 0.0, 0.1), Segment("q", 0.1, 0.2), Segment("ax-h", 0.2, 0.3)]
    labels = [s.label for s in given]
    folded = folding(labels, "39")
    assert folded.of(given) == [Segment("t", 0.0, 0.1), Segment("ah", 0.2, 0.3)]
    assert folding(labels, "61").of(given) == given
    assert "glottal stop" in folded.notes[0]


@pytest.mark.parametrize(
    ("labels", "bare"),
    [
        (["AH0", "AH1", "B", "sil"], ["AH", "AH", "B", "sil"]),
        (["ah0", "er2", "B"], ["ah", "er", "B"]),
        (["AH0_B", "T_E", "SIL"], ["AH", "T", "SIL"]),
        (["a1", "ai4", "er2", "t"], ["a1", "ai4", "er2", "t"]),  # tones of Mandarin
        (["AH0", "x0"], ["AH0", "x0"]),
        (["T", "K"], ["T", "K"]),
    ],
)
def test_stress_is_taken_off_and_nothing_else(labels, bare):
    assert after(labels) == bare
    assert after(labels, phone_set="as_is") == labels


def test_stress_is_kept_where_it_is_wanted():
    assert after(["AH0", "AH1", "SIL"], stress=True) == ["AH0", "AH1", "SIL"]
    assert after(["AH0_B", "AH1_E", "SIL"], stress=True) == ["AH0", "AH1", "SIL"]


def test_silence_bears_a_position_too():
    assert folding(["SIL_S", "AH_B", "sil"], "as_is").silence == {"SIL_S", "sil"}


def test_timit_is_told_by_its_silence():
    assert phone_sets.is_timit({"h#", "iy"})
    assert not phone_sets.is_timit({"iy", "s"})  # could be any ARPAbet
    assert not phone_sets.is_timit({"h#", "iy", "AH0"})


def test_unknown_set():
    with pytest.raises(UserError, match="phone_set='40'"):
        phone_sets.check_choice("40")
