"""Which labels are silence or noise, in tiers of phones and of words, and what the user says about it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3prl_plugin.corpora import open_corpus
from s3prl_plugin.corpora.readers.labels import compared
from s3prl_plugin.corpora.readers.marks import Marks
from s3prl_plugin.corpora.summary import report, text
from s3prl_plugin.errors import UserError

IN_BOTH = [
    "",
    "sp",
    "SIL",
    "Spn",
    "nsn",
    "#",
    "_",
    "(...)",
    "{SL}",
    "{NS}",
    "{BR}",
    "{B_TRANS}",
    "{E_TRANS}",
    "(laugh)",
]
IN_BOTH += ["+NSN+", "<eps>", "<p:>", "[noise]", "<sil>"]
IN_PHONES = ["silB", "silE", "pause", "SILENCE", "UNKNOWN", "noise", "laugh", "pau", "h#", "epi", "VOCNOISE", "IVER"]
NOWHERE = ["s", "iy", "AA1", "q", "bcl", "ʃ", "uh", "UH", "a", "+", "(un)known"]


@pytest.mark.parametrize("label", IN_BOTH)
def test_marks_of_both(label):
    assert not Marks().is_phone(label)
    assert not Marks().is_word(label)


@pytest.mark.parametrize("label", IN_PHONES)
def test_marks_of_phones_are_words(label):
    assert not Marks().is_phone(label)
    assert Marks().is_word(label)


@pytest.mark.parametrize("label", NOWHERE)
def test_what_is_speech(label):
    assert Marks().is_phone(label)
    assert Marks().is_word(label)


@pytest.mark.parametrize("silence", [["x", "y z"], "x,y z", "[x, y z]"])
def test_a_list_takes_the_place_of_the_known_marks(silence):
    marks = Marks(silence)
    for label in ("X", "y z", ""):
        assert not marks.is_phone(label)
        assert not marks.is_word(label)
    for label in ("sil", "<eps>", "pau"):
        assert marks.is_phone(label)
        assert marks.is_word(label)


@pytest.mark.parametrize("silence", [["+x"], "+x", "[+x]"])
def test_a_plus_adds_to_the_known_marks(silence):
    marks = Marks(silence)
    assert [marks.is_phone(label) for label in ("x", "sil", "pau", "t")] == [False, False, False, True]
    assert [marks.is_word(label) for label in ("x", "sil", "pau", "t")] == [False, False, True, True]


def test_a_label_between_plus_signs_is_no_addition():
    assert Marks("+NSN+").is_phone("sil")
    assert not Marks("+NSN+").is_phone("+nsn+")


@pytest.mark.parametrize("silence", ["+x,y", "", [], "[]"])
def test_a_list_that_says_nothing_clear_is_refused(silence):
    with pytest.raises(UserError, match="name the labels that are silence"):
        Marks(silence)


@pytest.mark.parametrize(
    ("word", "bare"),
    [("Hello,", "hello"), ("STRASSE", "strasse"), ("Straße", "strasse"), ("'Em", "'em"), ("dogs’", "dogs'"),
     ("“Well”", "well"), ("re-use", "re-use"), ("¿Qué?", "qué"), ("e\u0301te", "\u00e9te"), ("...", "..."),
     ("$5", "$5")],
)  # fmt: skip
def test_words_as_they_are_compared(word, bare):
    assert compared(word) == bare


def test_case_is_kept_where_it_is_wanted():
    assert compared("Essen!", keep_case=True) == "Essen"


@given(st.text(min_size=1, max_size=12))
def test_what_is_compared_is_so_already(word):
    once = compared(word)
    assert once
    assert compared(once) == once == unicodedata.normalize("NFC", once)


WORDS = [
    ("sp", 0, 0.1),
    ("Hello,", 0.1, 0.3),
    ("{SL}", 0.3, 0.4),
    ("hello", 0.4, 0.6),
    ("unknown", 0.6, 0.8),
    ("pause", 0.8, 1),
]
PHONES = [("_", 0, 0.1), ("a", 0.1, 0.8), ("sil", 0.8, 1)]


@pytest.fixture
def spec(write_manifest):
    """Two utterances with the same labels."""
    return f"manifest:{write_manifest('ab', *([(u, *s) for u in 'ab' for s in rows] for rows in (PHONES, WORDS)))}"


def test_what_is_left_out_is_listed_with_counts(spec):
    corpus = open_corpus(spec)
    found = report(corpus)
    assert found["words"]["counts"] == {"hello": 4, "pause": 2, "unknown": 2}
    assert found["no_words"] == {"sp": 2, "{SL}": 2}
    assert found["silence"]["counts"] == {"_": 2, "sil": 2}
    assert "left out of the words, as marks of silence or noise: sp 2, {SL} 2" in corpus.notes
    assert "sp 2, {SL} 2" in text(corpus)


def test_the_user_says_what_is_silence(spec):
    added = open_corpus(f"{spec}?silence=+pause,+q")
    assert report(added)["words"]["counts"] == {"hello": 4, "unknown": 2}
    assert "silence: 'q' is no label of this corpus" in added.notes
    replaced = open_corpus(spec, silence=["_"])
    assert replaced.silence == {"_"}
    assert report(replaced)["words"]["counts"] == {"hello": 4, "pause": 2, "sl": 2, "sp": 2, "unknown": 2}
    assert {w.label for w in open_corpus(f"{spec}?word_case=keep").utterances[0].words} >= {"Hello", "hello"}
    with pytest.raises(UserError, match=r"word_case='kept': did you mean 'keep'"):
        open_corpus(f"{spec}?word_case=kept")


def test_a_label_that_begins_most_utterances_is_asked_about(write_manifest):
    rows = [(u, *s) for u in "abc" for s in [("QQ", 0, 0.1), (u, 0.1, 0.8), ("RR", 0.8, 0.9)]]  # the first by name
    corpus = open_corpus(write_manifest("abc", phones=rows))
    assert any(
        "'QQ' begins or ends 3 of 3 utterances; if it is silence, say so: silence=+QQ" in n for n in corpus.notes
    )
    assert not open_corpus(f"manifest:{write_manifest('abc', phones=rows)}?silence=QQ").notes
