"""From events to phones and words: hand-written events for every rule, and sentences really spoken."""

from itertools import pairwise

import numpy as np
import pytest

from s3prl_plugin.corpora.generated.espeak import Espeak, Event, Voice
from s3prl_plugin.corpora.generated.espeak_timing import phones_and_words

RATE = 1000  # a sample is a millisecond
LOUD = 1000


def align(text, length, events, silent=()):
    """Phones and words as (label, start, end); `silent` lists stretches without sound."""
    samples = np.full(length, LOUD, np.int16)
    for start, end in silent:
        samples[start:end] = 0
    made = [Event(sample, phone, position) for sample, phone, position in events]
    phones, words = phones_and_words(made, samples, RATE, text)
    assert phones[0].start == 0
    assert phones[-1].end == length
    assert all(a.end == b.start and a.start < a.end for a, b in pairwise(phones))
    return [(p.label, p.start, p.end) for p in phones], [(w.label, w.start, w.end) for w in words]


def test_a_phone_lasts_until_the_next_event():
    phones, words = align("so", 200, [(0, None, 0), (0, "s", 0), (80, "ˈoʊ", 0), (200, "", 2)])
    assert phones == [("s", 0, 80), ("oʊ", 80, 200)]
    assert words == [("so", 0, 200)]


def test_pauses_are_silence():
    events = [(0, None, 0), (10, "s", 0), (80, "oʊ", 0), (150, "", 2), (180, "_:", 2)]
    phones, words = align("so", 200, events, silent=[(0, 10), (150, 200)])
    assert phones == [("sil", 0, 10), ("s", 10, 80), ("oʊ", 80, 150), ("sil", 150, 180), ("sil", 180, 200)]
    assert words == [("so", 10, 150)]


@pytest.mark.parametrize(("silent", "expected"), [([(100, 112)], "sil"), ([], "n")])
def test_a_gap_after_a_word_event_is_silence_unless_it_sounds(silent, expected):
    events = [(0, None, 0), (0, "ˈɪ", 0), (60, "n", 0), (100, None, 3), (112, "h", 3), (150, "ɪ", 3)]
    phones, words = align("in he", 200, events, silent)
    gap = {"sil": [("n", 60, 100), ("sil", 100, 112)], "n": [("n", 60, 112)]}[expected]
    assert phones == [("ɪ", 0, 60), *gap, ("h", 112, 150), ("ɪ", 150, 200)]
    assert words == [("in", 0, gap[0][2]), ("he", 112, 200)]


def test_a_last_phone_without_a_span_takes_the_gap_where_it_sounds():
    events = [(0, None, 0), (0, "ˈiː", 0), (60, "n", 0), (60, None, 3), (100, "ɛ", 3)]
    phones, words = align("in en", 200, events)
    assert phones == [("iː", 0, 60), ("n", 60, 100), ("ɛ", 100, 200)]
    assert words == [("in", 0, 100), ("en", 100, 200)]


def test_a_phone_without_a_span_is_left_out():
    events = [(0, None, 0), (0, "ˈɔː", 0), (90, "l", 0), (90, None, 4), (102, "f", 4)]
    phones, words = align("all f", 200, events, silent=[(90, 102)])
    assert phones == [("ɔː", 0, 90), ("sil", 90, 102), ("f", 102, 200)]
    assert words[0] == ("all", 0, 90)


@pytest.mark.parametrize("stop", ["t", "k", "tʃ", "b", "dʒ"])
def test_a_stop_begins_with_its_closure(stop):
    phones, _ = align("at", 300, [(0, None, 0), (0, "æ", 0), (150, stop, 0)], silent=[(110, 150)])
    assert phones == [("æ", 0, 110), (stop, 110, 300)]
    phones, _ = align("at", 300, [(0, None, 0), (0, "æ", 0), (150, "s", 0)], silent=[(110, 150)])
    assert phones == [("æ", 0, 150), ("s", 150, 300)]


def test_a_closure_reaches_across_a_gap_and_past_a_phone_without_a_span():
    events = [(0, None, 0), (0, "oʊ", 0), (150, "l", 0), (150, None, 4), (170, "d", 4)]
    phones, words = align("ohl do", 300, events, silent=[(120, 170)])
    assert phones == [("oʊ", 0, 120), ("d", 120, 300)]
    assert words == [("ohl", 0, 120), ("do", 120, 300)]


def test_a_phone_that_is_all_closure_is_left_out():
    events = [(0, None, 0), (0, "ɜː", 0), (150, "l", 0), (170, "d", 0)]
    phones, _ = align("world", 300, events, silent=[(151, 170)])
    assert phones == [("ɜː", 0, 151), ("d", 151, 300)]


def test_a_pause_is_not_all_closure():
    events = [(0, None, 0), (0, "oʊ", 0), (100, "", 2), (400, None, 4), (400, "t", 4)]
    phones, _ = align("o, to", 500, events, silent=[(100, 400)])
    assert phones == [("oʊ", 0, 100), ("sil", 100, 300), ("t", 300, 500)]


def test_a_word_is_its_phones_and_not_its_event():
    events = [(0, None, 0), (0, "s", 0), (50, None, 2), (82, "m", 2), (120, "iː", 2)]
    assert align("s me", 200, events, silent=[(50, 82)])[1] == [("s", 0, 50), ("me", 82, 200)]


def test_words_reported_together_are_left_out():
    events = [(0, None, 0), (0, "ɪ", 0), (40, "n", 0), (70, "ð", 0), (90, "ə", 0), (130, None, 7), (130, "s", 7)]
    assert align("in the s", 200, events)[1] == [("s", 130, 200)]


@pytest.fixture(scope="module")
def espeak():
    pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")
    return Espeak()


@pytest.mark.parametrize("variant", ["linda", "m3"])
def test_a_sentence_really_spoken(espeak, variant):
    text = "Today, put it in the well-known tall house, all of it and don't look."
    samples, events = espeak.speak(text, Voice(variant))
    phones, words = phones_and_words(events, samples, espeak.sample_rate, text)
    said = [w.label for w in words]
    assert "in" not in said
    assert "the" not in said
    for word in ("today", "put", "tall", "house", "don't", "look"):
        assert word in said
    assert phones[0].start == 0
    assert phones[-1].end == len(samples)
    assert all(a.end == b.start for a, b in pairwise(phones))
    edges = {p.start for p in phones} | {p.end for p in phones}
    assert all(w.start in edges and w.end in edges for w in words)


def test_an_unknown_variant_is_refused(espeak):
    from s3prl_plugin.errors import UserError

    with pytest.raises(UserError, match="no voice variant 'lynda': did you mean 'linda'"):
        espeak.speak("one", Voice("lynda"))
