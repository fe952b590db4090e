from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s3prl_plugin.analysis.planning import sessions
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.corpora import open_corpus
from s3prl_plugin.corpora.corpus import Corpus, Utterance


def utterances(speakers=6, sessions_each=4, per_session=5, named=True, text=lambda s, c, u: f"{s} {c} {u}"):
    return tuple(
        Utterance(
            name=f"{s}-{c}-{u:02d}",
            speaker=f"spk{s}",
            audio=Path("none"),
            duration_s=1.0 + 0.1 * ((7 * s + 3 * c + u) % 5),
            sentence=text(s, c, u),
            session=f"chapter{c}" if named else None,
        )
        for s in range(speakers)
        for c in range(sessions_each)
        for u in range(per_session)
    )


def folds_by(key, spoken, folds):
    found = defaultdict(set)
    for u, fold, left_out in zip(spoken, folds.of_utterance.tolist(), folds.left_out, strict=True):
        if not left_out:
            found[key(u)].add(fold)
    return found


@pytest.mark.parametrize(("sessions_each", "count"), [(3, 4), (4, 4), (6, 6), (20, 8)])
def test_sessions_stay_together_and_speakers_are_everywhere(sessions_each, count):
    spoken = utterances(sessions_each=sessions_each)
    folds = sessions.assign(spoken, seed=0)
    assert folds.count == count
    assert all(len(home) == 1 for home in folds_by(lambda u: (u.speaker, u.session), spoken, folds).values())
    homes = folds_by(lambda u: u.speaker, spoken, folds)
    assert all(len(home) == min(sessions_each, count) for home in homes.values())


def test_the_scored_half_gets_two_of_three_sessions():
    """An interval leaves out one of them in turn, and the speaker must not be lost with it."""
    spoken = utterances(sessions_each=3)
    folds = sessions.assign(spoken, seed=1)
    for home in folds_by(lambda u: u.speaker, spoken, folds).values():
        assert folds.trains(np.array(sorted(home))).sum() == 1


def test_a_session_is_a_speakers_own():
    """Two speakers' chapter0 are two sessions."""
    assert len(set(sessions.session_numbers(utterances(speakers=3, sessions_each=2)))) == 6
    assert len(set(sessions.session_numbers(utterances(speakers=3, sessions_each=2, named=False)))) == 30


def test_without_sessions_a_text_is_never_in_training_and_test_alike():
    def text(speaker, chapter, number):
        # Two texts that all say, one that a speaker says twice, and others of one speaker's own.
        return f"all {number}" if chapter == 0 and number < 2 else f"own {speaker} {chapter} {number // 2}"

    spoken = utterances(sessions_each=2, named=False, text=text)
    folds = sessions.assign(spoken, seed=0)
    assert not folds.left_out.any()
    assert all(len(home) == 1 for home in folds_by(lambda u: u.sentence, spoken, folds).values())
    assert all(len(home) >= 3 for home in folds_by(lambda u: u.speaker, spoken, folds).values())
    assert any("no sessions are known), those of one text together" in note for note in folds.notes)
    kept = sessions.assign(spoken, seed=0, shared_texts="keep")
    assert any(len(home) > 1 for home in folds_by(lambda u: u.sentence, spoken, kept).values())


def test_texts_that_occur_in_several_sessions_are_left_out():
    spoken = utterances(text=lambda s, c, u: "chapter one" if u == 0 else f"{s} {c} {u // 3}")
    folds = sessions.assign(spoken, seed=0)
    np.testing.assert_array_equal(folds.left_out, [u.sentence == "chapter one" for u in spoken])
    assert any("24 utterances whose text is said in several sessions" in note for note in folds.notes)
    assert not sessions.assign(spoken, seed=0, shared_texts="keep").left_out.any()


def test_a_seed_decides():
    spoken = utterances()
    one, again, other = (sessions.assign(spoken, seed=s).of_utterance for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def corpus(**options):
    return Corpus("planted", "generated", utterances(**options))


def test_samples_of_speakers_are_whole_utterances_of_theirs():
    plan = Plan(corpus(speakers=8), seed=0)
    sample = plan.sample("speaker", 12)
    assert sample.classes == tuple(f"spk{s}" for s in range(8))
    assert np.bincount(sample.label).tolist() == [12] * 8
    assert sample.row_fields["split_by"] == "session"
    assert sample.row_fields["folds"] == plan.session_folds.count == 4
    assert sample.row_fields["folds_id"] != plan.folds_id
    for row, position in enumerate(sample.segment):
        utterance = plan.corpus.utterances[sample.alignment.utterance[position]]
        assert sample.classes[sample.label[row]] == utterance.speaker
        assert sample.alignment.end[position] == round(16000 * utterance.duration_s)
    assert len(set(zip(sample.session.tolist(), sample.fold.tolist(), strict=True))) == 32
    assert "96 utterances of 8 speakers; not used: 64 above the number wanted per speaker" in sample.line()


def test_speakers_with_too_few_sessions_are_dropped_and_counted():
    few = [u for u in utterances(speakers=8) if u.speaker != "spk3" or u.session in ("chapter0", "chapter1")]
    sample = Plan(Corpus("planted", "generated", tuple(few)), seed=0).sample("speaker", None)
    assert "spk3" not in sample.classes
    assert sample.dropped["of speakers without 2 utterances in 3 folds, or with fewer"] == 10


def test_clusters_of_speakers_are_learned_and_scored_on_every_speaker():
    plan = Plan(corpus(speakers=9, sessions_each=3), seed=0)
    sample = plan.sample("speaker", None, halves=True)
    assert len(sample.classes) == 9
    for label in range(9):
        mine = sample.label == label
        assert len(set(sample.session[mine & sample.trains])) == 1
        assert len(set(sample.session[mine & ~sample.trains])) == 2


def test_speakers_without_two_sessions_to_score_have_no_clusters():
    plan = Plan(corpus(speakers=8, sessions_each=4), seed=0)
    number = plan.sample("speaker", None).session  # all utterances, in order
    # Of spk2, three sessions in the half that trains; of spk5, none there.
    fold = plan.session_folds.of_utterance.copy()
    for first, folds in ((2 * 20, (0, 1, 1, 2)), (5 * 20, (2, 3, 2, 3))):
        fold[first : first + 20] = np.array(folds)[number[first : first + 20] - number[first]]
    plan.__dict__["session_folds"] = replace(plan.session_folds, of_utterance=fold)
    unequal = plan.sample("speaker", 99, halves=True)
    assert set(unequal.classes) == {f"spk{s}" for s in range(8)} - {"spk2", "spk5"}
    assert unequal.dropped["of speakers without 2 utterances in 3 folds and 2 sessions to score, or with fewer"] == 40


def test_only_the_speakers_with_most_utterances_are_taken():
    spoken = [u for u in utterances(speakers=8) if u.speaker not in ("spk0", "spk5") or not u.name.endswith("4")]
    sample = Plan(Corpus("planted", "generated", tuple(spoken)), seed=0).sample("speaker", None, 6)
    assert sample.classes == ("spk1", "spk2", "spk3", "spk4", "spk6", "spk7")


def test_sessions_are_part_of_what_is_analysed():
    with_names, without = (Plan(corpus(speakers=8, named=named), seed=0) for named in (True, False))
    assert with_names.folds_id == without.folds_id
    assert with_names.content_id != without.content_id


def test_on_the_timit_sample_every_speaker_is_in_every_fold(timit_sample):
    real = open_corpus(f"manifest:{timit_sample}")
    folds = sessions.assign(real.utterances, seed=0)
    assert folds.count == 5
    assert all(len(home) == 1 for home in folds_by(lambda u: u.sentence, real.utterances, folds).values())
    assert all(len(home) >= 4 for home in folds_by(lambda u: u.speaker, real.utterances, folds).values())
