"""Tables of labels that mean nothing: what they keep, and what they give."""

import numpy as np

from s3prl_plugin.analysis.chance import permuted_table
from s3prl_plugin.analysis.information.mutual_information import from_table


def table(rng, speakers=6, clusters=8, classes=5, tokens=60):
    """Clusters that follow labels, and labels of a (speaker, class) that share a cluster of their own."""
    found = np.zeros((speakers, clusters, classes), dtype=np.int64)
    for speaker in range(speakers):
        for label in rng.integers(0, classes, tokens):
            own = (3 * speaker + label) % clusters
            found[speaker, label if rng.random() < 0.5 else own, label] += 1
    return found


def test_phones_keep_the_counts_of_speakers_clusters_and_labels():
    rng = np.random.default_rng(0)
    before = table(rng)
    after = permuted_table(before, "phone", rng)
    np.testing.assert_array_equal(after.sum(axis=1), before.sum(axis=1))
    np.testing.assert_array_equal(after.sum(axis=2), before.sum(axis=2))
    assert (after != before).any()


def test_words_exchange_whole_columns_of_a_speaker():
    rng = np.random.default_rng(1)
    before = table(rng)
    after = permuted_table(before, "word", rng)
    for old, new in zip(before, after, strict=True):
        assert sorted(map(tuple, old.T.tolist())) == sorted(map(tuple, new.T.tolist()))
    assert (after != before).any()


def test_chance_of_phones_of_one_speaker_is_the_expectation():
    """With one speaker and tokens exchanged one by one it is what the formula of Vinh and others averages."""
    rng = np.random.default_rng(2)
    before = table(rng, speakers=1, tokens=300)
    found = [from_table(permuted_table(before, "phone", rng).sum(axis=0)).mi for _ in range(400)]
    expected = from_table(before.sum(axis=0)).expected_mi
    assert abs(np.mean(found) - expected) < 4 * np.std(found) / 20


def test_whole_groups_leave_more_to_chance_than_single_tokens():
    rng = np.random.default_rng(3)
    before = table(rng)
    chance = {
        kind: np.mean([from_table(permuted_table(before, kind, rng).sum(axis=0)).mi for _ in range(50)])
        for kind in ("phone", "word")
    }
    assert chance["word"] > 1.5 * chance["phone"]
