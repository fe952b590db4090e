import copy

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis import mel
from s3prl_plugin.analysis.grid import average_cells
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.frame_statistics import FrameStatistics
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 5),
    Tap(1, "mid.out", "mid", "out", 640, 4),
    Tap(2, "low", None, "low", 1280, 3),
    Tap(3, "dec0.out", "dec0", "out", 320, 5),
)
FEATURES = (planted.phonetic(0.5), planted.phonetic(1.0), planted.phonetic(1.0), planted.noise)


@pytest.fixture(scope="module")
def plan():
    return Plan(planted.corpus(speakers=8, per_speaker=2), seed=0)


def by_utterance(plan):
    return lambda utterance, stride, frames: np.full(frames, plan.folds.of_utterance[utterance])


def by_frame(plan):
    return lambda utterance, stride, frames: planted.generator(utterance, stride).integers(4, size=frames)


def empty(plan, base=1, fold_of=by_utterance, decimate=False):
    everything = np.ones(len(plan.corpus.utterances), dtype=bool)
    statistics = FrameStatistics(TAPS, 4, fold_of(plan), everything, decimate)
    statistics.pair_with_mel()
    statistics.pair_with_base(base)
    return statistics


def gathered(plan, positions, batch_size=4, only=slice(None), **options):
    statistics = empty(plan, **options)
    for states, chosen in list(planted.batches(plan.corpus, positions, batch_size, TAPS, FEATURES))[only]:
        statistics.update(Batch(states, chosen, plan))
    return statistics


def frames_by_hand(plan, tap, base, fold_of, decimate):
    """Every frame of a tap with its mel frame, its base frame and its fold, as arrays."""
    parts = []
    for position, utterance in enumerate(plan.corpus.utterances):
        x, z = (FEATURES[k](utterance, TAPS[k], planted.frames_at(utterance, TAPS[k])) for k in (tap, base))
        stride = TAPS[tap].stride
        bands = mel.at_stride(mel.log_mel(planted.waveform(utterance)), stride, len(x), decimate).numpy()
        at_rate = average_cells(planted.torch.from_numpy(z), TAPS[base].stride, stride, len(x)).numpy()
        others = [planted.frames_at(utterance, other) for other in TAPS if other.stride == stride]
        n = min(len(x), len(bands), len(at_rate), *others)
        parts.append((x[:n], bands[:n], at_rate[:n], fold_of(plan)(position, stride, n)))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


@pytest.mark.parametrize(("fold_of", "decimate"), [(by_utterance, False), (by_frame, True)])
@pytest.mark.parametrize("tap", range(len(TAPS)))
def test_moments_are_those_of_all_frames(plan, tap, fold_of, decimate):
    statistics = gathered(plan, range(16), fold_of=fold_of, decimate=decimate)
    x, bands, at_rate, fold = frames_by_hand(plan, tap, 1, fold_of, decimate)
    for f, (with_mel, with_base) in enumerate(
        zip(statistics.with_mel_of(TAPS[tap]), statistics.with_base_of(TAPS[tap], 1), strict=True)
    ):
        for found, y in ((with_mel, bands), (with_base, at_rate)):
            expected = Moments.of(x[fold == f], y[fold == f])
            assert found.n == expected.n > 0
            np.testing.assert_allclose(found.mean, expected.mean, atol=1e-5)
            np.testing.assert_allclose(found.scatter, expected.scatter, atol=1e-4 * np.abs(expected.scatter).max())


def test_batch_sizes_change_rounding_only(plan):
    one, eight = gathered(plan, range(16), 1), gathered(plan, range(16), 8)
    for tap in TAPS:
        for a, b in zip(one.with_mel_of(tap), eight.with_mel_of(tap), strict=True):
            np.testing.assert_allclose(a.scatter, b.scatter, atol=1e-6 * np.abs(a.scatter).max())


def test_parts_merge_and_states_go_on(plan):
    whole, part, rest = (gathered(plan, range(16), only=slice(*part)) for part in ((0, 4), (1, None, 2), (0, None, 2)))
    resumed = empty(plan)
    resumed.load_state_dict(copy.deepcopy(part.state_dict()))
    resumed.merge(rest.state_dict())
    for tap in TAPS:
        for a, b in zip(whole.with_base_of(tap, 1), resumed.with_base_of(tap, 1), strict=True):
            assert a.n == b.n
            np.testing.assert_allclose(a.scatter, b.scatter, rtol=1e-10, atol=1e-10 * np.abs(a.scatter).max())


def test_memory_is_known_beforehand_and_does_not_grow(plan):
    few, many = gathered(plan, range(2)), gathered(plan, range(16))
    assert few.memory_bytes == many.memory_bytes == empty(plan).memory_bytes
    without = FrameStatistics(TAPS, 4, by_frame(plan), np.ones(16, dtype=bool))
    assert without.memory_bytes < few.memory_bytes
