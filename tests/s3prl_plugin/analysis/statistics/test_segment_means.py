import copy

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "a", None, "a", 320, 5), Tap(1, "b", None, "b", 640, 3))


@pytest.fixture(scope="module")
def plan():
    return Plan(planted.corpus(), seed=0)


def fed(plan, positions, batch_size=8):
    means = SegmentMeans(plan.sample("phone", 20), TAPS)
    for states, chosen in planted.batches(plan.corpus, positions, batch_size, TAPS, (planted.noise, planted.noise)):
        means.update(Batch(states, chosen, plan))
    return means


def all_means(means, tap):
    return means.means(tap, np.arange(len(means.sample)))


def test_those_of_whole_and_of_weighted_frames_are_kept_apart(plan):
    gathering = Gathering(plan)
    sample = plan.sample("phone", 20)
    whole, again, weighted = (SegmentMeans.shared(gathering, sample, TAPS, w) for w in ("frames", "frames", "overlap"))
    assert whole is again
    assert len(gathering.statistics) == 2
    assert whole.sample is weighted.sample
    for states, chosen in planted.batches(plan.corpus, range(32), 8, TAPS, (planted.noise, planted.noise)):
        gathering.update(Batch(states, chosen, plan))
    assert (all_means(whole, 0) != all_means(weighted, 0)).any()
    np.testing.assert_array_equal(all_means(whole, 0), all_means(fed(plan, range(32)), 0))


def test_batch_sizes_do_not_matter(plan):
    one, eight = fed(plan, range(32), 1), fed(plan, range(32), 8)
    assert one.seen.all()
    for tap in range(2):
        np.testing.assert_array_equal(all_means(one, tap), all_means(eight, tap))


def test_parts_merge_to_the_whole(plan):
    whole, part, rest = fed(plan, range(32)), fed(plan, range(20)), fed(plan, range(20, 32))
    assert 0 < part.seen.sum() < len(whole.sample)
    part.merge(rest.state_dict())
    for tap in range(2):
        np.testing.assert_array_equal(all_means(part, tap), all_means(whole, tap))
    assert part.seen.all()


def test_classes_that_lost_too_many_tokens_are_not_scored(plan):
    means = SegmentMeans(plan.sample("phone", 20), TAPS)
    sample = means.sample
    means.seen[:] = True
    rows, label, classes = means.labelled()
    assert classes == 6
    np.testing.assert_array_equal(rows, np.arange(len(sample)))
    np.testing.assert_array_equal(label, sample.label)

    means.seen[(sample.label == 2) & (sample.fold > 1)] = False
    rows, label, classes = means.labelled()
    assert classes == 5
    assert set(sample.label[rows]) == {0, 1, 3, 4, 5}
    assert set(label) == {0, 1, 2, 3, 4}

    means.seen[:] = False
    assert [len(x) for x in means.labelled()[:2]] == [0, 0]


def test_a_saved_state_goes_on(plan):
    whole, part = fed(plan, range(32)), fed(plan, range(20))
    resumed = SegmentMeans(plan.sample("phone", 20), TAPS)
    resumed.load_state_dict(copy.deepcopy(part.state_dict()))
    resumed.merge(fed(plan, range(20, 32)).state_dict())
    np.testing.assert_array_equal(all_means(resumed, 1), all_means(whole, 1))
    with pytest.raises(ValueError, match="another sample"):
        SegmentMeans(plan.sample("phone", 3), TAPS).load_state_dict(part.state_dict())


def test_memory_is_known_before_it_is_taken(plan):
    means = SegmentMeans(plan.sample("phone", 20), TAPS)
    before = means.memory_bytes
    means.seen[:] = True
    state = means.state_dict()
    assert before == state["seen"].nbytes + sum(m.nbytes for m in state["rows"])
