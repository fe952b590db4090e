from collections import Counter
from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.errors import UserError


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=10, per_speaker=5, shared_sentence=True)


def segments_of(sample, corpus):
    """(utterance, label, start) of every row, looked up in the corpus itself."""
    alignment = sample.alignment
    found = []
    for row, position in enumerate(sample.segment):
        utterance = corpus.utterances[alignment.utterance[position]]
        found.append((utterance, sample.classes[sample.label[row]], alignment.start[position] / 16000))
    return found


def test_rows_are_what_the_corpus_says(corpus):
    plan = Plan(corpus, seed=0)
    for unit in ("phone", "word"):
        sample = plan.sample(unit, per_class=None)
        for (utterance, label, start), fold in zip(segments_of(sample, corpus), sample.fold, strict=True):
            segments = utterance.phones if unit == "phone" else utterance.words
            assert any(s.label == label and abs(s.start_s - start) < 1e-4 for s in segments)
            assert fold == plan.folds.of_utterance[corpus.utterances.index(utterance)]


def test_silence_and_shared_texts_are_left_out(corpus):
    sample = Plan(corpus, seed=0).sample("phone", per_class=None)
    assert sample.classes == tuple(sorted(planted.PHONES))
    assert all(u.sentence != "the same" for u, _, _ in segments_of(sample, corpus))
    assert sample.dropped["silence"] == 2 * len(corpus.utterances)
    assert sample.dropped["of shared texts"] == 24 * 10
    assert len(sample) == 24 * 40
    kept = Plan(corpus, seed=0, shared_texts="keep").sample("phone", per_class=None)
    assert len(kept) == 24 * 50


def test_a_word_that_is_spelled_like_a_mark_of_phones_stays(corpus):
    """Phones may be silent as `silence`; TIMIT has the word."""
    silent = replace(corpus, silence=corpus.silence | {"one"})
    assert Plan(silent, seed=0).sample("word", None).classes == Plan(corpus, seed=0).sample("word", None).classes


def test_classes_are_capped_evenly_over_folds(corpus):
    sample = Plan(corpus, seed=0).sample("phone", per_class=11)
    for label in range(len(sample.classes)):
        folds = np.bincount(sample.fold[sample.label == label], minlength=5)
        assert folds.sum() == 11
        assert folds.max() - folds.min() <= 1


def test_the_most_frequent_classes_are_chosen(corpus):
    count = Counter(s.label for u in corpus.utterances if u.sentence != "the same" for s in u.words)
    sample = Plan(corpus, seed=0).sample("word", per_class=15, classes=2)
    assert set(sample.classes) == {word for word, _ in count.most_common(2)}


def test_a_class_needs_two_tokens_in_three_folds(corpus):
    plan = Plan(corpus, seed=0, shared_texts="keep")
    where = {f: [i for i in range(50) if plan.folds.of_utterance[i] == f] for f in range(plan.folds.count)}

    def with_word(positions):
        utterances = list(corpus.utterances)
        for position in positions:
            old = utterances[position]
            utterances[position] = replace(old, words=(*old.words, Segment("rare", 0.0, 0.1)))
        return Plan(replace(corpus, utterances=tuple(utterances)), seed=0, shared_texts="keep").sample("word", None)

    two_in_three = [*where[0][:2], *where[1][:2], *where[2][:2]]
    assert "rare" in with_word(two_in_three).classes
    one_short = with_word(two_in_three[:-1])
    assert "rare" not in one_short.classes
    assert one_short.dropped["of classes without 2 tokens in 3 folds, or less frequent"] == 5


def test_halves_are_capped_separately(corpus):
    plan = Plan(corpus, seed=0)
    sample = plan.sample("phone", per_class=20, halves=True)
    trains = plan.trains(sample.fold)
    assert set(sample.fold[trains]) == {0, 1}
    assert set(sample.fold[~trains]) == {2, 3, 4}
    for side in (trains, ~trains):
        assert np.bincount(sample.label[side]).tolist() == [20] * 6


def test_a_plan_does_not_depend_on_what_else_is_asked(corpus):
    alone = Plan(corpus, seed=5).sample("phone", 9)
    busy = Plan(corpus, seed=5)
    busy.frame_utterances(3)
    busy.sample("word", 4)
    busy.sample("phone", 20, halves=True)
    np.testing.assert_array_equal(alone.segment, busy.sample("phone", 9).segment)
    assert (alone.segment != Plan(corpus, seed=6).sample("phone", 9).segment).any()


def test_needed_utterances_are_those_that_something_is_taken_of(corpus):
    plan = Plan(corpus, seed=0)
    assert len(plan.needed) == 0
    chosen = plan.frame_utterances(7)
    assert set(plan.needed) == set(np.flatnonzero(chosen))
    assert chosen.sum() == 7
    words = plan.sample("word", 3)
    assert set(plan.needed) == set(np.flatnonzero(chosen)) | set(words.alignment.utterance[words.segment])
    assert plan.frame_utterances(None).all()


def test_wanted_segments_are_the_union_of_the_samples(corpus):
    plan = Plan(corpus, seed=0)
    few, more = plan.sample("phone", 4), plan.sample("phone", 6, halves=True)
    wanted = np.concatenate([plan.wanted("phone", u) for u in range(len(corpus.utterances))])
    assert set(wanted) == set(few.segment) | set(more.segment)


def test_a_corpus_without_words_has_an_empty_sample():
    sample = Plan(planted.corpus(words=False), seed=0).sample("word", 15)
    assert (len(sample), sample.classes) == (0, ())


def test_too_small_a_corpus_is_named():
    with pytest.raises(UserError, match="corpus planted: 4 utterances are too few"):
        Plan(planted.corpus(speakers=1, per_speaker=4), seed=0)


def test_the_summary_says_what_matters(corpus):
    plan = Plan(corpus, seed=0)
    text = "\n".join([*plan.summary(), plan.crowding(plan.sample("phone", None), [640, 320])])
    for part in (
        "50 utterances of 10 speakers",
        "5 folds by speaker",
        "neighbour: 0 % at 20 ms, ",
        "outside their phone: ",
    ):
        assert part in text
    assert "outside" not in plan.crowding(plan.sample("word", None), [320])
    assert "50 of shared" not in plan.sample("phone", None).line()
    assert "100 silence" in plan.sample("phone", None).line()


def test_what_is_decided_does_not_need_the_segments_any_more(corpus):
    with_segments, without = Plan(corpus, seed=0), Plan(corpus, seed=0)
    without.forget_segments()
    assert not any(u.phones or u.words for u in without.corpus.utterances)
    assert without.content_id == with_segments.content_id
    for unit in ("phone", "word", "speaker"):
        a, b = with_segments.sample(unit, 11), without.sample(unit, 11)
        np.testing.assert_array_equal(a.segment, b.segment)
        assert a.classes == b.classes
