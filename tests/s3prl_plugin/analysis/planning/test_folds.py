from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.planning import folds, labels
from s3prl_plugin.errors import UserError


def by(key, utterances, fold):
    found = {}
    for u, f in zip(utterances, fold, strict=True):
        found.setdefault(getattr(u, key), set()).add(int(f))
    return found


@pytest.mark.parametrize(("speakers", "count"), [(8, 4), (12, 6), (16, 8), (23, 8)])
def test_speakers_are_kept_together_and_spread_evenly(speakers, count):
    utterances = planted.corpus(speakers=speakers).utterances
    split = folds.assign(utterances, seed=3)
    homes = by("speaker", utterances, split.of_utterance)
    assert (split.count, split.split_by) == (count, "speaker")
    assert all(len(home) == 1 for home in homes.values())
    speakers_in = np.bincount([next(iter(home)) for home in homes.values()])
    assert speakers_in.min() >= 2
    assert speakers_in.max() - speakers_in.min() <= 1
    seconds = np.bincount(split.of_utterance, weights=[u.duration_s for u in utterances])
    assert seconds.max() < 1.7 * seconds.min()


def test_few_speakers_are_split_by_utterance():
    split = folds.assign(planted.corpus(speakers=3, per_speaker=8).utterances, seed=0)
    assert (split.count, split.split_by) == (8, "utterance")
    assert np.bincount(split.of_utterance).tolist() == [3] * 8


def test_without_a_split_by_speaker_a_text_stays_in_one_fold():
    utterances = planted.corpus(speakers=4, per_speaker=5, shared_sentence=True).utterances
    split = folds.assign(utterances, seed=0)
    assert split.split_by == "sentence"
    assert all(len(home) == 1 for home in by("sentence", utterances, split.of_utterance).values())
    assert not split.left_out.any()


def test_shared_texts_are_left_out_or_kept_in_one_fold():
    utterances = planted.corpus(speakers=9, shared_sentence=True).utterances
    shared = np.array([u.sentence == "the same" for u in utterances])
    left_out = folds.assign(utterances, seed=0)
    np.testing.assert_array_equal(left_out.left_out, shared)
    assert any("1 texts that most speakers say (9 utterances): left out" in note for note in left_out.notes)

    one_fold = folds.assign(utterances, seed=0, shared_texts="one_fold")
    assert not one_fold.left_out.any()
    assert set(one_fold.of_utterance[shared]) == {one_fold.count - 1}
    assert one_fold.count - 1 not in one_fold.of_utterance[~shared]

    kept = folds.assign(utterances, seed=0, shared_texts="keep")
    assert not kept.left_out.any()
    assert len(set(kept.of_utterance[shared])) == kept.count


def test_a_seed_decides():
    utterances = planted.corpus(speakers=16).utterances
    one, again, other = (folds.assign(utterances, seed=s).of_utterance for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


def test_too_few_utterances_are_refused():
    with pytest.raises(UserError, match="5 utterances are too few for 3 folds"):
        folds.assign(planted.corpus(speakers=1, per_speaker=5).utterances, seed=0)
    assert folds.assign(planted.corpus(speakers=1, per_speaker=6).utterances, seed=0).count == 3


def test_a_text_that_few_say_is_no_shared_text():
    """Two of nine speakers say one text, five of them another."""
    utterances = list(planted.corpus(speakers=9).utterances)
    first = {u.speaker: i for i, u in reversed(list(enumerate(utterances)))}
    for k, (speaker, i) in enumerate(sorted(first.items())):
        text = "said by two" if k < 2 else "said by five" if k < 7 else f"said by {speaker}"
        utterances[i] = replace(utterances[i], sentence=text)
    left_out = folds.assign(utterances, seed=0).left_out
    assert {u.sentence for u, out in zip(utterances, left_out, strict=True) if out} == {"said by five"}


def test_the_fewest_tokens_still_give_the_fewest_folds_two_each():
    for tokens in (labels.FEWEST_TOKENS, labels.FEWEST_TOKENS - 1):
        in_folds = np.bincount(np.arange(tokens) % folds.MAX_FOLDS)
        assert ((in_folds >= labels.MIN_TOKENS).sum() >= labels.MIN_FOLDS) == (tokens == labels.FEWEST_TOKENS)
