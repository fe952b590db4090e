"""Generated speech to train on: what it shares with the analysed corpus (nothing), and that all of it can be said."""

import re
from collections import Counter

import pytest

from s3prl_plugin.corpora import open_corpus
from s3prl_plugin.corpora.formats import varied
from s3prl_plugin.corpora.generated import recipe
from s3prl_plugin.errors import UserError


def words_of(lines):
    return [word for line in lines for word in re.findall(r"[a-z]+", line.text.lower())]


def test_no_voice_and_no_word_of_the_analysed_corpus():
    trained, analysed = list(varied.lines(3000)), list(recipe.lines(recipe.Recipe()))
    assert not {line.voice.variant for line in trained} & {line.voice.variant for line in analysed}
    assert set(words_of(trained)) & set(words_of(analysed)) <= set(varied.LITTLE)
    assert not {line.text for line in trained} & {line.text for line in analysed}


def test_every_word_comes_as_often_as_any_other():
    counted = Counter(words_of(varied.lines(2500)))
    listed = [counted[word] for word in varied.WORDS.read_text().split() if word not in varied.LITTLE]
    assert len(listed) > 1300
    assert max(listed) - min(listed) <= 1


def test_voices_take_turns_and_vary():
    lines = list(varied.lines(510, seed=4))
    assert set(Counter(line.speaker for line in lines).values()) == {510 // len(varied.SPEAKERS)}
    mine = [line.voice for line in lines if line.speaker == lines[0].speaker]
    assert len(set(mine)) == len(mine)


def test_the_seed_decides():
    assert list(varied.lines(40, seed=1)) == list(varied.lines(40, seed=1))
    assert [line.text for line in varied.lines(40, seed=1)] != [line.text for line in varied.lines(40, seed=2)]


def test_it_is_spoken_with_phones_and_words():
    pytest.importorskip("espeakng_loader")
    corpus = open_corpus("varied?utterances=51&seed=3")  # every voice once: a variant that is not there is refused
    assert len(corpus.utterances) == 51
    assert len(corpus.speakers) == 51
    assert corpus.kind == "generated"
    assert all(utterance.phones and utterance.words for utterance in corpus.utterances)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("varied:somewhere", "takes no path; write `varied`"),
        ("varied?utterances=0", "utterances=0: give 1 to"),
        ("varied?sentences=3", "no option 'sentences'"),
    ],
)
def test_what_cannot_be_is_refused(spec, message):
    with pytest.raises(UserError, match=message):
        open_corpus(spec)
