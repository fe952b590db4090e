"""What `save_frames` may say, and what its file gives back."""

import numpy as np
import planted
import pytest
import torch

from s3prl_plugin import registry
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.options import Options
from s3prl_plugin.analysis.other_models.sampled import Sampler
from s3prl_plugin.analysis.other_models.saved_frames import KeptFrames, SavedFrames, SavedGrid, wanted_grids
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.refusal import Refused
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "fine", None, "fine", 320, 3), Tap(1, "coarse", None, "coarse", 640, 4))


def options(**given):
    return Options("cka", given, registry.expert("cka").types())


@pytest.mark.parametrize(
    ("given", "strides"), [(False, []), (True, [None]), ([20, 40], [320, 640]), ([12.5], [200]), ([20, 20], [320])]
)
def test_grids_are_in_milliseconds(given, strides):
    assert wanted_grids(options(save_frames=given)) == strides


@pytest.mark.parametrize("given", [[], "yes", 20, [0], [-20], ["20"], [0.01], [True], None])
def test_anything_else_is_refused(given):
    with pytest.raises(
        UserError,
        match=r"save_frames(: .* is not possible| is .*; it must be a list of whole numbers)",
    ):
        wanted_grids(options(save_frames=given))


def kept(tmp_path, strides, fed=range(16)):
    corpus = planted.corpus(speakers=8, per_speaker=2)
    gathering = Gathering(Plan(corpus, 0))
    sampler = Sampler(gathering, TAPS, options(sampled_per_utterance=5))
    file = KeptFrames(sampler, strides, tmp_path, "second")
    for states, chosen in planted.batches(corpus, list(fed), 4, TAPS, (planted.noise,) * 2):
        gathering.update(Batch(states, chosen, gathering.plan))
    assert list(file.compute()) == [[]]
    assert len(file) == 1
    return SavedFrames(tmp_path, gathering.plan, sampler.own(strides[0])), sampler


def test_what_was_kept_comes_back_row_by_row(tmp_path):
    saved, sampler = kept(tmp_path, [None, 640], fed=range(3, 16))
    assert (saved.name, saved.taps) == ("second", TAPS)
    rows = saved.rows()
    assert 0 < len(rows) < len(sampler.own(None))
    np.testing.assert_array_equal(rows, sampler.own(None).rows())
    some = rows[[4, 7, 20]]
    np.testing.assert_array_equal(saved.frames(0, some), sampler.own(None).frames(0, some))
    np.testing.assert_array_equal(saved.frames(0, some, 640), sampler.own(640).frames(0, some))
    np.testing.assert_array_equal(SavedGrid(saved, 640).frames(1, some), sampler.own(None).frames(1, some))


def test_a_rate_that_was_not_kept_is_refused_and_a_finer_one_than_the_tap_s_is_never_kept(tmp_path):
    saved, _ = kept(tmp_path, [320])
    assert saved.frames(0, saved.rows()).shape == (len(saved.rows()), 3)
    with pytest.raises(
        Refused, match=r"fine are not averaged over 40 ms; save_frames: \[20, 40\] in the run of second"
    ):
        saved.frames(0, saved.rows(), 640)
    with pytest.raises(Refused, match="coarse are not"):
        saved.frames(1, saved.rows())


def test_the_file_holds_no_code(tmp_path):
    saved, _ = kept(tmp_path, [None])
    content = torch.load(saved.path, weights_only=True)
    assert {"upstream", "corpus", "seed", "folds_id", "moment", "utterance", "rows", "taps", "frames"} == set(content)
