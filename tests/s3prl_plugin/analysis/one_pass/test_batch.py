import numpy as np
import planted
import pytest
import torch

from s3prl_plugin.analysis import mel
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import States, Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 5),
    Tap(1, "mid.out", "mid", "out", 640, 4),
    Tap(2, "low", None, "low", 1280, 3),
    Tap(3, "dec0.out", "dec0", "out", 320, 5),
)
FEATURES = (planted.noise,) * len(TAPS)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=2)


def batch_of(corpus, plan, positions):
    states = planted.states_of([corpus.utterances[p] for p in positions], TAPS, FEATURES)
    return Batch(states, positions, plan)


@pytest.mark.parametrize("unit", ["phone", "word"])
@pytest.mark.parametrize("tap", range(len(TAPS)))
def test_segments_are_means_over_frames_that_overlap_in_time(corpus, unit, tap):
    plan = Plan(corpus, seed=0)
    sample = plan.sample(unit, None)
    batch = batch_of(corpus, plan, [3, 11, 7])
    rows, means = batch.segments(sample)
    expected_rows = np.flatnonzero(np.isin(sample.alignment.utterance[sample.segment], [3, 7, 11]))
    assert sorted(rows) == expected_rows.tolist()
    for row, mean in zip(rows, means[tap], strict=True):
        position = sample.segment[row]
        utterance = corpus.utterances[sample.alignment.utterance[position]]
        start, end = sample.alignment.start[position], sample.alignment.end[position]
        x = planted.noise(utterance, TAPS[tap], planted.frames_at(utterance, TAPS[tap]))
        stride = TAPS[tap].stride
        inside = [i for i in range(len(x)) if max(start, i * stride) < min(end, (i + 1) * stride)] or [len(x) - 1]
        if unit == "phone":
            off = (len(inside) + 1) // 3
            inside = inside[off : len(inside) - off] or [inside[1]]
        np.testing.assert_allclose(mean, x[inside].mean(0), atol=2e-6)


@pytest.mark.parametrize("unit", ["phone", "word"])
@pytest.mark.parametrize("tap", range(len(TAPS)))
def test_weighted_segments_are_means_over_time(corpus, unit, tap):
    """Sample by sample: each has the state of the frame that it lies in, and the last frame where there is none."""
    plan = Plan(corpus, seed=0)
    sample = plan.sample(unit, None)
    batch = batch_of(corpus, plan, [3, 7])
    whole_rows, _ = batch.segments(sample)
    rows, means = batch.segments(sample, "overlap")
    np.testing.assert_array_equal(rows, whole_rows)
    for row, mean in zip(rows, means[tap], strict=True):
        position = sample.segment[row]
        utterance = corpus.utterances[sample.alignment.utterance[position]]
        start, end = sample.alignment.start[position], sample.alignment.end[position]
        third = (end - start) / 3 if unit == "phone" else 0
        times = np.linspace(start + third, end - third, 3000, endpoint=False) + (end - start) / 18000
        x = planted.noise(utterance, TAPS[tap], planted.frames_at(utterance, TAPS[tap]))
        frame = (times // TAPS[tap].stride).astype(int)
        frame = frame[frame < len(x)] if (frame < len(x)).any() else np.array([len(x) - 1])
        np.testing.assert_allclose(mean, x[frame].mean(0), atol=4e-3)


def test_what_else_is_in_the_batch_does_not_matter(corpus):
    plan = Plan(corpus, seed=0)
    sample = plan.sample("phone", None)
    together, alone = batch_of(corpus, plan, [3, 11, 7]), batch_of(corpus, plan, [11])
    several, one = together.segments(sample), alone.segments(sample)
    for tap in range(len(TAPS)):
        both, single = (dict(zip(rows, means[tap], strict=True)) for rows, means in (several, one))
        for row, mean in single.items():
            np.testing.assert_array_equal(both[row], mean)
        stride = TAPS[tap].stride
        assert torch.equal(together.log_mel(stride)[1], alone.log_mel(stride)[0])
        assert torch.equal(together.at_stride(1, stride)[1], alone.at_stride(1, stride)[0])


def test_taps_of_a_stride_are_cut_to_common_frames(corpus):
    plan = Plan(corpus, seed=0)
    odd = next(
        p for p, u in enumerate(corpus.utterances) if planted.frames_at(u, TAPS[3]) > planted.frames_at(u, TAPS[0])
    )
    batch = batch_of(corpus, plan, [odd])
    shortest = planted.frames_at(corpus.utterances[odd], TAPS[0])
    assert batch.common_frames(320) == [shortest]
    assert len(batch.frames(0, 3)) == shortest + 1
    assert len(batch.log_mel(320)[0]) == shortest
    expected = mel.at_stride(mel.log_mel(planted.waveform(corpus.utterances[odd])), 320, shortest)
    assert torch.equal(batch.log_mel(320)[0], expected)


def test_a_base_tap_comes_to_other_rates_by_averaging_and_repeating(corpus):
    batch = batch_of(corpus, Plan(corpus, seed=0), [2])
    fine, coarse = batch.frames(0, 0), batch.frames(0, 1)
    to_coarse, to_fine = batch.at_stride(0, 640)[0], batch.at_stride(1, 320)[0]
    torch.testing.assert_close(to_coarse[:10], fine[:20].reshape(10, 2, -1).mean(1))
    torch.testing.assert_close(to_fine[:20], coarse[:10].repeat_interleave(2, dim=0))


def test_states_that_are_not_finite_are_refused_by_name(corpus):
    states = planted.states_of(corpus.utterances[:2], TAPS, FEATURES)
    states.tensors[1][1, 3, 0] = torch.nan
    batch = Batch(States(TAPS, states.tensors, states.lengths, states.waveforms), [0, 1], Plan(corpus, seed=0))
    assert torch.isfinite(batch.frames(0, 1)).all()
    with pytest.raises(UserError, match=f"tap mid.out is NaN or infinite for utterance {corpus.utterances[1].name}"):
        batch.frames(1, 1)
