"""What a run says of its memory, against the sizes of what it holds."""

import re

import planted

from s3prl_plugin.analysis.one_pass import memory
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.frame_statistics import shared_frames
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.analysis.statistics.storage import Storage
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "a", None, "a", 320, 1000), Tap(1, "b", None, "b", 640, 1000))


def test_every_item_is_as_large_as_its_arrays(tmp_path):
    plan = Plan(planted.corpus(speakers=8, per_speaker=2), seed=0)
    gathering = Gathering(plan, Storage(tmp_path))
    shared_frames(gathering, TAPS, None)
    sample = plan.sample("phone", None)
    SegmentMeans.shared(gathering, sample, TAPS)
    SegmentMeans.shared(gathering.at(TAPS, TAPS[:1]), sample, TAPS[:1])
    found = memory.itemised(gathering)
    assert found["rows of segments"] == len(sample) * (2 + 4 * 3 * 1000)
    whole = 8 * plan.folds.count * 2 * (1000 * 1000 + 1000)  # of symmetric matrices a good half is kept
    assert 0.5 * whole < found["moments of frames"] < 0.65 * whole
    said = memory.expected(gathering, TAPS, params=10**9, batch_s=60)
    assert "moments of frames on disk" in said
    assert "the model 4.00 GB, states of 60 s 0.02 GB" in said  # 4500 frames of 1000 numbers


def test_what_was_taken_is_more_than_python_and_torch():
    assert 0.1 < float(re.fullmatch(r"at most (.*) GB", memory.taken())[1]) < 1000


def test_free_memory_is_given_back():
    memory.give_back()  # a library without that is no error
