from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from s3prl_plugin.analysis.grid import Bags
from s3prl_plugin.analysis.planning.segments import SEGMENT_WEIGHTS, Alignment, clip, frame_range
from s3prl_plugin.corpora import open_corpus
from s3prl_plugin.corpora.corpus import Segment, Utterance

STRIDES = (160, 320, 640, 1280, Fraction(640, 3), Fraction(81920, 441))


def overlapping(start, end, stride, frames):
    """Brute force: the frames [i stride, (i + 1) stride) that have time in common with [start, end)."""
    return [i for i in range(frames) if max(start, i * stride) < min(end, (i + 1) * stride)]


@settings(deadline=None)
@given(st.integers(0, 20000), st.integers(1, 6000), st.sampled_from(STRIDES), st.integers(1, 40))
def test_a_word_is_every_frame_that_overlaps_it(start, samples, stride, frames):
    first, last = clip(*frame_range(np.array([start]), np.array([start + samples]), stride), frames)
    expected = overlapping(start, start + samples, stride, frames)
    assert list(range(first[0], last[0])) == (expected or [frames - 1])


@settings(deadline=None)
@given(st.integers(0, 20000), st.integers(1, 6000), st.sampled_from(STRIDES))
def test_a_phone_is_the_middle_third_of_them(start, samples, stride):
    frames = overlapping(start, start + samples, stride, 200)
    first, last = frame_range(np.array([start]), np.array([start + samples]), stride, middle_third=True)
    used = list(range(first[0], last[0]))
    off = (len(frames) + 1) // 3
    assert used == (frames[off : len(frames) - off] or [frames[1]])
    assert set(used) <= set(frames)
    if len(frames) > 2:
        assert used[0] - frames[0] == frames[-1] - used[-1]


@pytest.mark.parametrize(
    ("frames", "used"), [(1, [0]), (2, [1]), (3, [1]), (4, [1, 2]), (5, [2]), (6, [2, 3]), (9, [3, 4, 5])]
)
def test_middle_thirds_by_number_of_frames(frames, used):
    first, last = frame_range(np.array([0]), np.array([320 * frames]), 320, middle_third=True)
    assert list(range(first[0], last[0])) == used


def aligned(*segments, unit="word"):
    segments = tuple(Segment(label, float(start), float(end)) for label, start, end in segments)
    kind = {"phones": segments} if unit == "phone" else {"words": segments}
    return Alignment.of([Utterance("u", "s", Path("u.wav"), 10.0, **kind)], unit)


@settings(deadline=None)
@given(st.integers(0, 500), st.integers(1, 50), st.sampled_from(STRIDES))
def test_boundaries_on_a_frame_edge_are_exact(start_ms, length_ms, stride):
    start, end = Fraction(start_ms, 100), Fraction(start_ms + length_ms, 100)
    first, last = aligned(("a", start, end)).frames(slice(None), stride)
    assert first[0] == start * 16000 // stride
    assert last[0] == -(-end * 16000 // stride)


def test_a_product_of_floats_would_shift_a_frame():
    assert np.ceil(0.07 / 0.01) == 8  # what integer arithmetic on samples avoids
    assert aligned(("a", 0.0, 0.07)).frames(slice(None), 160)[1][0] == 7


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), min_size=1, max_size=8), st.integers(1, 30))
def test_averaging_is_the_mean_of_the_frames(ranges, frames):
    first, last = clip(np.array([a for a, _ in ranges]), np.array([a + n for a, n in ranges]), frames)
    x = np.random.default_rng(0).standard_normal((frames, 3)).astype(np.float32)
    means = Bags.of_ranges(first, last).mean(torch.from_numpy(x))
    for mean, a, b in zip(means, first, last, strict=True):
        np.testing.assert_allclose(mean, x[a:b].mean(0), atol=1e-6)


def weights_of(alignment, stride, frames, weights="frames"):
    """(S, T) how much every frame counts in every segment."""
    bags = alignment.bags(np.arange(len(alignment)), stride, frames, weights)
    return bags.mean(torch.eye(frames, dtype=torch.float64)).numpy()


def aligned_in_samples(unit, *segments):
    """Segments (start, end) in samples, as read from files that give seconds."""
    said = tuple(Segment("a", start / 16000, end / 16000) for start, end in segments)
    return Alignment.of([Utterance("u", "s", Path("u"), 99.0, **{f"{unit}s": said})], unit)


def weights_by_time(start, end, stride, frames):
    """Brute force: the share of [start, end) that lies in each of the frames [i stride, (i + 1) stride)."""
    common = [max(Fraction(0), min(end, (i + 1) * stride) - max(start, i * stride)) for i in range(frames)]
    return [c / sum(common) for c in common] if sum(common) else None


any_segment = st.tuples(st.integers(0, 9000), st.integers(0, 4000)).map(lambda s: (s[0], s[0] + s[1]))
any_stride = st.one_of(st.sampled_from((320, 640, 1280)), st.integers(1, 2000))


@settings(deadline=None)
@given(any_segment, any_stride, st.integers(1, 60))
def test_overlap_weights_are_shares_of_the_segments_time(segment, stride, frames):
    start, end = (Fraction(t) for t in segment)
    third = (end - start) / 3
    for unit, begin, finish in (("word", start, end), ("phone", start + third, end - third)):
        found = weights_of(aligned_in_samples(unit, segment), stride, frames, "overlap")[0]
        expected = weights_by_time(begin, finish, stride, frames)
        if expected is None:  # after the last frame, or without any length
            expected = [i == min(int(begin // stride), frames - 1) for i in range(frames)]
        np.testing.assert_allclose(found, np.array(expected, dtype=float), atol=1e-6)


@settings(deadline=None)
@given(any_segment, any_stride, st.integers(1, 60))
def test_whole_frames_are_those_that_overlap_in_time(segment, stride, frames):
    """Any length, any rate, and segments that begin in the last frame or after it."""
    start, end = segment
    for unit in ("word", "phone"):
        found = np.flatnonzero(weights_of(aligned_in_samples(unit, segment), stride, frames)[0])
        touched = overlapping(start, end, stride, end // stride + 2) or [start // stride]
        if unit == "phone":
            off = (len(touched) + 1) // 3
            touched = touched[off : len(touched) - off] or [touched[1]]
        assert found.tolist() == ([i for i in touched if i < frames] or [frames - 1])


@settings(deadline=None)
@given(any_segment, any_stride, st.integers(1, 60))
def test_the_central_frame_covers_the_midpoint_and_is_nearest_to_it(segment, stride, frames):
    """By search over all frames, in fractions; of an utterance's end the last frame stands for what is beyond it."""
    midpoint = Fraction(segment[0] + segment[1], 2)
    covering = [i for i in range(frames) if i * stride <= midpoint < (i + 1) * stride] or [frames - 1]
    nearest = min(range(frames), key=lambda i: (abs((i + Fraction(1, 2)) * stride - midpoint), -i))
    assert covering == [nearest]
    for unit in ("word", "phone"):
        found = weights_of(aligned_in_samples(unit, segment), stride, frames, "centre")[0]
        np.testing.assert_array_equal(found, np.eye(frames)[nearest])


def test_of_two_frames_the_central_one_is_that_of_a_phones_middle_third():
    phone = aligned_in_samples("phone", (320, 960))
    both = [weights_of(phone, 320, 5, weights)[0].tolist() for weights in ("frames", "centre")]
    assert both == [[0, 0, 1, 0, 0]] * 2


def test_crowding_of_central_frames():
    # Midpoints at 15, 45 and 100 ms: at 20 ms in frames within the words, at 40 ms in frames of their own that reach
    # outside the first two, at 80 ms in one frame for both of these.
    words = aligned(("a", 0.0, 0.03), ("b", 0.03, 0.06), ("c", 0.06, 0.14))
    assert words.crowding(np.arange(3), 320, "centre") == (0.0, 0.0)
    assert words.crowding(np.arange(3), 640, "centre") == (0.0, pytest.approx(2 / 3))
    assert words.crowding(np.arange(3), 1280, "centre") == (pytest.approx(2 / 3), 1.0)


@pytest.mark.parametrize("weights", SEGMENT_WEIGHTS)
@pytest.mark.parametrize("stride", [320, 640, 1280])
def test_a_phone_within_one_frame_is_that_frame(weights, stride):
    short = aligned_in_samples("phone", (5 * stride + 40, 5 * stride + 200), (7 * stride - 1, 7 * stride))
    np.testing.assert_array_equal(weights_of(short, stride, 9, weights), np.eye(9)[[5, 6]])


@pytest.mark.parametrize("weights", SEGMENT_WEIGHTS)
def test_a_word_at_the_very_end_takes_the_frames_that_are_there(weights):
    # 10 s of audio at 16 kHz give 499 frames at 20 ms: the last 25 ms have none.
    word = aligned_in_samples("word", (159360, 160000), (159900, 160000))
    matrix = weights_of(word, 320, 499, weights)
    np.testing.assert_array_equal(matrix, np.eye(499)[[498, 498]])


def test_an_utterance_is_one_segment_from_its_first_to_its_last_phone():
    def phones(*labels):
        return tuple(Segment(label, 0.1 * i, 0.1 * (i + 1)) for i, label in enumerate(labels))

    utterances = [
        Utterance("u", "ann", Path("u"), 0.5, phones=phones("sil", "a", "sil", "b", "sil")),
        Utterance("v", "bob", Path("v"), 0.7),
        Utterance("w", "ann", Path("w"), 0.3, phones=phones("sil", "sil", "sil")),
    ]
    found = Alignment.of(utterances, "speaker", {"sil"})
    assert found.labels == ("ann", "bob")
    assert found.label.tolist() == [0, 1, 0]
    assert found.start.tolist() == [1600, 0, 0]
    assert found.end.tolist() == [6400, 11200, 4800]
    first, last = found.frames(slice(None), 320)
    assert (first.tolist(), last.tolist()) == ([5, 0, 0], [20, 35, 15])  # the whole of it


def test_segments_are_in_order_of_time_and_utterance():
    words = (Segment("b", 0.5, 0.9), Segment("a", 0.0, 0.5))
    found = Alignment.of([Utterance(n, "s", Path("x"), 1.0, words=words) for n in "uvw"], "word")
    assert found.labels == ("a", "b")
    assert found.label.tolist() == [0, 1] * 3
    assert found.utterance.tolist() == [0, 0, 1, 1, 2, 2]
    assert found.offsets.tolist() == [0, 2, 4, 6]
    assert found.start.tolist() == [0, 8000] * 3


def test_crowding_counts_shared_frames_and_frames_beyond_the_segment():
    # At 20 ms: the first ends and the second begins within frame 1; the third has its frames to itself.
    words = aligned(("a", 0.0, 0.03), ("b", 0.03, 0.06), ("c", 0.06, 0.08))
    shared, outside = words.crowding(np.arange(3), 320)
    assert shared == pytest.approx(2 / 3)
    assert outside == pytest.approx(2 / 3)
    assert words.crowding(np.array([2]), 320) == (0.0, 0.0)
    assert words.crowding(np.arange(3), 160) == (0.0, 0.0)
    assert words.crowding(np.arange(3), 1280) == (1.0, 1.0)


def test_crowding_of_weighted_frames_counts_frames_that_have_any_weight():
    # Middle thirds: 20 to 40 ms and 80 to 100 ms. Frames of 20 and 40 ms with time of theirs lie within the phones;
    # those of 80 ms reach outside, and only one of 120 ms has time of both.
    phones = aligned(("a", 0.0, 0.06), ("b", 0.06, 0.12), unit="phone")
    assert phones.crowding(np.arange(2), 320, "overlap") == (0.0, 0.0)
    assert phones.crowding(np.arange(2), 640, "overlap") == (0.0, 0.0)
    assert phones.crowding(np.arange(2), 1280, "overlap") == (0.0, 1.0)
    assert phones.crowding(np.arange(2), 1920, "overlap") == (1.0, 1.0)


def test_no_segments_at_all():
    empty = aligned()
    assert len(empty) == 0
    assert empty.crowding(np.zeros(0, int), 320) == (0.0, 0.0)


def test_how_far_middle_thirds_reach_on_the_timit_sample(timit_sample):
    corpus = open_corpus(f"manifest:{timit_sample}")
    phones = Alignment.of(corpus.utterances, "phone")
    spoken = np.flatnonzero([phones.labels[i] not in corpus.silence for i in phones.label])
    assert len(spoken) == 4815
    outside = [round(100 * phones.crowding(spoken, stride)[1]) for stride in (320, 640, 1280)]
    assert outside == [12, 42, 82]
