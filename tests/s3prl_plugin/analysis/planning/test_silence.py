"""Which frames are speech, by brute force over the segments, and the moments with and without silence."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.planning.silence import Frames, is_speech
from s3prl_plugin.analysis.statistics.view_moments import Moments


@pytest.fixture(scope="module")
def plan():
    return Plan(planted.corpus(speakers=8, per_speaker=2), seed=0)


@pytest.mark.parametrize("stride", [320, 640, 1280])
def test_speech_is_where_a_frames_centre_is_in_a_phone(plan, stride):
    for position, utterance in enumerate(plan.corpus.utterances):
        frames = int(utterance.duration_s * 16000 / stride) + 2
        found = is_speech(plan, position, stride, frames)
        for i in range(frames):
            centre = (i + 0.5) * stride
            inside = [s for s in utterance.phones if round(16000 * s.start_s) <= centre < round(16000 * s.end_s)]
            assert found[i] == any(s.label not in plan.corpus.silence for s in inside)
        assert 0 < found.sum() < frames


def test_with_all_frames_folds_are_the_plans(plan):
    frames = Frames(plan, "with")
    np.testing.assert_array_equal(frames.fold_of(3, 320, 50), plan.fold_of_frames(3, 320, 50))
    assert (frames.folds, frames.subsets, frames.name) == (plan.folds.count, [None], "")


def test_without_silence_its_frames_are_in_no_fold(plan):
    speech = is_speech(plan, 3, 320, 80)
    fold = Frames(plan, "without").fold_of(3, 320, 80)
    assert (fold[speech] == plan.folds.of_utterance[3]).all()
    assert (fold[~speech] < 0).all()


def test_speech_and_silence_apart_are_all_frames_when_merged(plan):
    rng = np.random.default_rng(0)
    frames = Frames(plan, "both")
    fold = np.concatenate([frames.fold_of(u, 320, 80) for u in range(16)])
    rows = rng.standard_normal((len(fold), 3)), rng.standard_normal((len(fold), 2))
    gathered = [Moments.of(*(view[fold == f] for view in rows)) for f in range(frames.folds)]
    assert frames.folds == 2 * plan.folds.count
    assert all(each.n for each in gathered)
    whole = np.repeat(plan.folds.of_utterance, 80)
    speech = np.concatenate([is_speech(plan, u, 320, 80) for u in range(16)])
    for subset, kept in ((None, np.ones(len(fold), bool)), ("speech", speech)):
        for f, moments in enumerate(frames.moments(gathered, subset)):
            expected = Moments.of(*(view[kept & (whole == f)] for view in rows))
            assert moments.n == expected.n
            np.testing.assert_allclose(moments.mean, expected.mean, atol=1e-12)
            np.testing.assert_allclose(moments.scatter, expected.scatter, atol=1e-10)


def test_a_corpus_without_phones_has_no_speech_to_tell_apart():
    plan = Plan(planted.corpus(speakers=8, per_speaker=2, phones=False), seed=0)
    assert not is_speech(plan, 0, 320, 50).any()
    frames = Frames(plan, "both")
    assert frames.lacks(None) is None
    assert "no phone times" in frames.lacks("speech")


def test_what_no_phone_covers_is_not_speech():
    corpus = planted.corpus(speakers=8, per_speaker=2)
    first = replace(corpus.utterances[0], phones=corpus.utterances[0].phones[3:5])
    plan = Plan(replace(corpus, utterances=(first, *corpus.utterances[1:])), seed=0)
    assert 0 < is_speech(plan, 0, 320, 100).sum() <= 0.4 / 0.02 + 2
