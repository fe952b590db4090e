"""Parts of a corpus: as many as asked for, one inside the other, drawn from names and a seed alone."""

from dataclasses import replace
from itertools import pairwise

import planted
import pytest

from s3prl_plugin.corpora import open_corpus
from s3prl_plugin.corpora.formats import manifest
from s3prl_plugin.errors import UserError

WHOLE = planted.corpus(speakers=12, per_speaker=10, phones_each=6)


@pytest.fixture(autouse=True)
def read(monkeypatch):
    monkeypatch.setattr(manifest, "read", lambda path, channel=None: WHOLE)


def names(spec):
    return {u.name for u in open_corpus(f"manifest:x?{spec}").utterances}


@pytest.mark.parametrize("option", ["utterances", "speakers"])
def test_smaller_parts_lie_in_larger_ones(option):
    sizes = (1, 3, 7, 11) if option == "speakers" else (1, 12, 40, 80, 119)
    parts = [open_corpus("manifest:x", **{option: n}) for n in sizes]
    for n, part in zip(sizes, parts, strict=True):
        assert n == len(part.speakers if option == "speakers" else part.utterances)
        assert list(part.utterances) == sorted(part.utterances, key=lambda u: u.name)
        assert set(part.utterances) <= set(WHOLE.utterances)
    for small, large in pairwise(parts):
        assert set(small.utterances) < set(large.utterances)


def test_utterances_are_spread_over_speakers():
    for n in (12, 40, 61):
        counts = open_corpus("manifest:x", utterances=n).speakers.values()
        assert max(counts) - min(counts) <= 1


def test_hours_are_no_more_than_asked_and_nested():
    total = WHOLE.duration_s / 3600
    longest = max(u.duration_s for u in WHOLE.utterances)
    before = set()
    for share in (0.1, 0.3, 0.31, 0.9):
        part = open_corpus("manifest:x", hours=share * total)
        assert 3600 * share * total - longest < part.duration_s <= 3600 * share * total + 1e-6
        assert before <= set(part.utterances)
        before = set(part.utterances)


def test_the_seed_decides_and_the_rest_of_the_corpus_does_not(monkeypatch):
    assert names("utterances=30") == names("utterances=30&subset_seed=0")
    assert names("utterances=30") != names("utterances=30&subset_seed=1")
    first = names("speakers=4")
    without = tuple(u for u in WHOLE.utterances if u.name in first or u.speaker in ("spk00", "spk05"))
    smaller = replace(WHOLE, utterances=without)
    monkeypatch.setattr(manifest, "read", lambda path: smaller)
    kept = names("speakers=4")
    assert kept == first


def test_a_list_names_the_utterances(tmp_path):
    wanted = [u.name for u in WHOLE.utterances[5:95:7]]
    (tmp_path / "dev.txt").write_text("\n".join([*wanted, "", "gone"]) + "\n")
    part = open_corpus("manifest:x", include=str(tmp_path / "dev.txt"))
    assert [u.name for u in part.utterances] == sorted(wanted)
    assert any("1 names of dev.txt are not in the corpus (gone)" in note for note in part.notes)
    assert part.name == f"{WHOLE.name}[include=dev.txt]"
    assert len(names(f"include={tmp_path}/dev.txt&utterances=4")) == 4


def test_the_name_and_a_note_state_the_part():
    part = open_corpus("manifest:x?hours=0.01&speakers=6&subset_seed=3")
    assert part.name == f"{WHOLE.name}[hours=0.01,speakers=6,subset_seed=3]"
    assert any(note.startswith("hours=0.01,speakers=6,subset_seed=3: ") for note in part.notes)
    assert open_corpus("manifest:x").name == WHOLE.name
    assert any(
        "utterances=500 was asked for, and there are 120" in n for n in open_corpus("manifest:x?utterances=500").notes
    )


def test_a_reader_s_own_option_of_that_name_is_the_reader_s(monkeypatch):
    monkeypatch.setattr(manifest, "read", lambda path, utterances=7: replace(WHOLE, name=f"made {utterances}"))
    assert open_corpus("manifest:x?utterances=9").name == "made 9"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("utterances=0", "utterances=0: give a whole number from 1 on"),
        ("utterances=many", "utterances=many"),
        ("hours=-1", "hours=-1: give a number above 0"),
        ("hours=nan", "hours=nan"),
        ("hours=0.00001", "nothing is left"),
        ("speakers=1.5", "speakers=1.5"),
        ("include=/no/such", "include=/no/such: cannot be read"),
        ("utterance=4", "did you mean"),
    ],
)
def test_mistakes_are_one_line(spec, told):
    with pytest.raises(UserError, match=told) as caught:
        open_corpus(f"manifest:x?{spec}")
    assert "\n" not in str(caught.value)
