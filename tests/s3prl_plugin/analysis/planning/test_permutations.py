"""Permuted labels: what changes places and what stays as it is."""

from collections import Counter

import numpy as np
import pytest

from s3prl_plugin.analysis.planning.permutations import permuted, units_of


@pytest.fixture
def tokens():
    rng = np.random.default_rng(0)
    return {
        "label": rng.integers(0, 6, 600),
        "speaker": np.repeat(np.arange(10), 60),
        "fold": np.repeat(np.arange(5), 120),
    }


def test_phones_change_places_one_by_one_within_a_speaker(tokens):
    unit, block = units_of("phone", **tokens)
    drawn = permuted(tokens["label"], unit, block, np.random.default_rng(1))
    assert (drawn != tokens["label"]).mean() > 0.6
    for speaker in range(10):
        mine = tokens["speaker"] == speaker
        assert Counter(drawn[mine].tolist()) == Counter(tokens["label"][mine].tolist())


def test_every_fold_of_a_speaker_keeps_its_labels():
    rng = np.random.default_rng(2)
    label, fold = rng.integers(0, 4, 400), rng.integers(0, 3, 400)
    drawn = permuted(label, *units_of("phone", label, np.zeros(400, dtype=int), fold), rng)
    for f in range(3):
        assert Counter(drawn[fold == f].tolist()) == Counter(label[fold == f].tolist())


def test_words_change_places_in_whole_groups(tokens):
    unit, block = units_of("word", **tokens)
    drawn = permuted(tokens["label"], unit, block, np.random.default_rng(3))
    assert (drawn != tokens["label"]).any()
    for speaker in range(10):
        mine = tokens["speaker"] == speaker
        meaning = set(zip(tokens["label"][mine].tolist(), drawn[mine].tolist(), strict=True))
        # One to one: tokens that shared a label share one, tokens that did not do not.
        assert len(meaning) == len({a for a, _ in meaning}) == len({b for _, b in meaning})
    across = {(a, b) for a, b in zip(tokens["label"].tolist(), drawn.tolist(), strict=True)}
    assert len(across) > 6  # it is another meaning for another speaker


def test_every_permutation_is_as_likely_as_any_other():
    label = np.arange(3)
    counts = Counter(
        tuple(permuted(label, np.arange(3), np.zeros(3, dtype=int), np.random.default_rng(seed)).tolist())
        for seed in range(3000)
    )
    assert len(counts) == 6
    assert all(abs(count - 500) < 5 * np.sqrt(500) for count in counts.values())


def test_units_of_several_labels_or_blocks_are_refused():
    two = np.array([0, 1])
    for label, block in ((two, np.zeros(2)), (np.zeros(2), two)):
        with pytest.raises(ValueError, match="a unit has rows"):
            permuted(label, np.zeros(2), block, np.random.default_rng(0))


def test_no_rows_are_no_labels():
    none = np.zeros(0, dtype=int)
    for kind in ("phone", "word"):
        assert len(permuted(none, *units_of(kind, none, none, none), np.random.default_rng(0))) == 0


def test_sessions_change_speakers_as_a_whole():
    session = np.repeat(np.arange(12), 5)
    speaker = session // 3
    drawn = permuted(speaker, *units_of("speaker", speaker, session, session % 4), np.random.default_rng(4))
    for each in range(12):
        assert len(set(drawn[session == each].tolist())) == 1
    assert Counter(drawn.tolist()) == Counter(speaker.tolist())
    assert (drawn != speaker).any()
