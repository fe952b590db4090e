"""What is said: every word frequent and spread, no text twice."""

from collections import Counter, defaultdict

import pytest

from s3prl_plugin.corpora.generated.recipe import VOICES, Recipe, lines
from s3prl_plugin.corpora.readers.labels import normalised
from s3prl_plugin.errors import UserError


def test_no_text_is_said_twice():
    texts = Counter(normalised(line.text) for line in lines(Recipe(sentences=60)))
    assert len(texts) == texts.total() == 12 * 60


def test_no_text_is_said_twice_where_few_can_be_made(monkeypatch):
    monkeypatch.setattr("s3prl_plugin.corpora.generated.recipe._TEMPLATES", ("{who} {did} {what}",))
    texts = Counter(line.text for line in lines(Recipe(sentences=40)))
    assert len(texts) == 12 * 40  # of 1000


def test_words_are_frequent_and_spread_over_the_speakers():
    speakers, tokens = defaultdict(set), Counter()
    for line in lines(Recipe()):
        for word in normalised(line.text).split():
            speakers[word].add(line.speaker)
            tokens[word] += 1
    assert len(tokens) >= 60
    assert min(tokens.values()) >= 15
    assert {len(s) for s in speakers.values()} == {12}


def test_the_draw_is_the_seed_s():
    def texts(**recipe):
        return [line.text for line in lines(Recipe(**recipe))]

    assert texts() == texts()
    assert texts() != texts(seed=1)
    assert Recipe().digest == Recipe().digest
    assert len({Recipe().digest, Recipe(seed=1).digest, Recipe(voices=3).digest, Recipe(sentences=3).digest}) == 4


def test_fewer_voices_are_balanced():
    for count in range(1, 13):
        genders = Counter(line.gender for line in lines(Recipe(voices=count, sentences=1)))
        assert genders.total() == count
        assert 0 <= genders["f"] - genders["m"] <= 1
    assert len({gender_and_voice[1] for gender_and_voice in VOICES.values()}) == 12


@pytest.mark.parametrize(("settings", "message"), [({"voices": 13}, "voices=13"), ({"sentences": 0}, "sentences=0")])
def test_impossible_recipes(settings, message):
    with pytest.raises(UserError, match=message):
        Recipe(**settings)
