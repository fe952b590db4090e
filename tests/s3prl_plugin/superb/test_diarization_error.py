"""Diarization error against counting it in small steps, with every mapping of speakers tried."""

from itertools import permutations

import numpy as np
import pytest

from s3prl_plugin.superb.diarization_error import Errors, diarization_errors, total, turns

STEP_S = 0.01


def counted(reference, hypothesis, duration_s, collar_s):
    """The same by brute force: times are multiples of STEP_S, sampled in the middle of every step."""
    times = (np.arange(round(duration_s / STEP_S)) + 0.5) * STEP_S
    scored = np.ones(len(times), bool)
    for _, *span in reference:
        for border in span:
            scored &= np.abs(times - border) > collar_s
    said, heard = (
        {name: sum((times > a) & (times < b) for who, a, b in found if who == name) > 0 for name in names}
        for found in (reference, hypothesis)
        for names in [sorted({who for who, _, _ in found})]
    )
    n_said = sum((s[scored] for s in said.values()), np.zeros(scored.sum(), int))
    n_heard = sum((h[scored] for h in heard.values()), np.zeros(scored.sum(), int))
    names = [*heard, *[None] * len(said)]
    best = max(
        sum((said[one] & heard[two])[scored].sum() for one, two in zip(said, mapped, strict=False) if two is not None)
        for mapped in permutations(names, len(said))
    )
    both = np.minimum(n_said, n_heard).sum()
    missed, false = np.maximum(n_said - n_heard, 0).sum(), np.maximum(n_heard - n_said, 0).sum()
    return np.array([missed, false, both - best, n_said.sum()]) * STEP_S


def random_turns(draw, speakers, count):
    found = []
    for _ in range(count):
        a, b = sorted(draw.choice(400, 2, replace=False) * STEP_S)
        found.append((f"s{draw.integers(speakers)}", float(a), float(b)))
    return found


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_is_counted(seed):
    draw = np.random.default_rng(seed)
    reference, hypothesis = random_turns(draw, 2, 4), random_turns(draw, 1 + seed % 3, 4)
    collar = (0.0, 0.05, 0.25)[seed % 3]
    found = diarization_errors(reference, hypothesis, 4.0, collar)
    # borders of collars lie between two steps
    np.testing.assert_allclose(
        [found.missed, found.false_alarm, found.confused, found.spoken],
        counted(reference, hypothesis, 4.0, collar),
        atol=1e-9,
    )


@pytest.mark.parametrize("seed", range(10))
def test_it_is_that_of_an_independent_scorer(seed):
    spyder = pytest.importorskip("spyder")
    draw = np.random.default_rng(100 + seed)
    # a speaker's own turns do not overlap, as in a real annotation
    spans = np.sort(draw.uniform(0, 60, (2, 2, 12))).reshape(2, 2, 6, 2)
    reference, hypothesis = (
        [(f"s{who}", float(a), float(b)) for who in range(2) for a, b in side[who]] for side in spans
    )
    for collar in (0.0, 0.25):
        theirs = spyder.DER(reference, hypothesis, collar=collar, uem=[(0.0, 60.0)])
        ours = diarization_errors(reference, hypothesis, 60.0, collar)
        assert ours.rate == pytest.approx(theirs.der, abs=1e-9)
        assert ours.missed / ours.spoken == pytest.approx(theirs.miss, abs=1e-9)
        assert ours.false_alarm / ours.spoken == pytest.approx(theirs.falarm, abs=1e-9)


def test_known_cases():
    reference = [("a", 0.0, 2.0), ("b", 2.0, 4.0)]
    assert diarization_errors(reference, [("x", 0.0, 2.0), ("y", 2.0, 4.0)], 4.0).rate == 0
    assert diarization_errors(reference, [], 4.0).rate == 1
    assert diarization_errors(reference, [("x", 0.0, 4.0)], 4.0, 0.0).rate == pytest.approx(0.5)
    late = [("x", 0.2, 2.2), ("y", 2.2, 4.0)]
    assert diarization_errors(reference, late, 4.0, 0.25).rate == 0
    assert diarization_errors(reference, late, 4.0, 0.0).rate == pytest.approx(0.4 / 4)


def test_what_lies_outside_the_recording_is_not_scored():
    assert diarization_errors([("a", 0.0, 1.0)], [("x", 0.0, 1.0), ("x", 1.0, 9.0)], 1.0, 0.0).false_alarm == 0


def test_names_do_not_matter():
    draw = np.random.default_rng(0)
    reference, hypothesis = random_turns(draw, 2, 5), random_turns(draw, 2, 5)
    renamed = [({"s0": "z", "s1": "y"}[who], a, b) for who, a, b in hypothesis]
    assert diarization_errors(reference, hypothesis, 4.0) == diarization_errors(reference, renamed, 4.0)


def test_time_is_pooled_over_recordings():
    pooled = total([Errors(1.0, 0.0, 0.0, 1.0), Errors(0.0, 0.0, 0.0, 3.0)])
    assert pooled.rate == 0.25
    assert np.isnan(total([]).rate)


def test_turns_are_the_runs_of_true_frames():
    active = np.array([[1, 0], [1, 1], [0, 1], [1, 1]])
    assert turns(active, 0.5) == [("0", 0.0, 1.0), ("0", 1.5, 2.0), ("1", 0.5, 2.0)]
