"""How often a batch makes a GPU start something, and how often it makes the program wait for it, counted on the CPU."""

import contextlib

import numpy as np
import planted
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics import moments
from s3prl_plugin.analysis.statistics.frame_statistics import FrameStatistics
from s3prl_plugin.analysis.statistics.segment_means import SegmentMeans
from s3prl_plugin.states.taps import Tap

WAITS = ("cpu", "tolist", "numpy", "item", "__bool__", "__int__", "__float__", "__array__", "nonzero")
NO_KERNEL = {"detach", "empty", "lift_fresh", "new_empty", "empty_strided", "_local_scalar_dense", "resize_"}
NO_KERNEL |= {"transpose_", "squeeze_"}  # views in place
UTTERANCES, TAPS, FINE = 8, 15, 10
DIM = 768


class Launches(TorchDispatchMode):
    """Counts operations that compute or copy, and calls of tensors that wait for the device."""

    def __init__(self):
        super().__init__()
        self.launches, self.waits, self._inside = 0, 0, False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        views = any(result.alias_info and not result.alias_info.is_write for result in func._schema.returns)
        self.launches += not views and name not in NO_KERNEL
        return func(*args, **kwargs or {})

    @contextlib.contextmanager
    def counting(self):
        with pytest.MonkeyPatch.context() as patch, self:
            for name in WAITS:
                patch.setattr(torch.Tensor, name, self._counted(getattr(torch.Tensor, name)))
            yield self

    def _counted(self, method):
        def counted(tensor, *args, **kwargs):
            outermost, self._inside = not self._inside, True
            self.waits += outermost
            try:
                return method(tensor, *args, **kwargs)
            finally:
                self._inside = self._inside and not outermost

        return counted


@pytest.fixture(scope="module")
def fed():
    plan = Plan(planted.corpus(speakers=8, per_speaker=2), seed=0)
    taps = tuple(Tap(i, f"tap{i}", None, f"tap{i}", 320 if i < FINE else 640, DIM) for i in range(TAPS))
    positions = np.flatnonzero(plan.folds.of_utterance == 0).tolist()
    positions = (positions * UTTERANCES)[:UTTERANCES]
    states = planted.states_of([plan.corpus.utterances[p] for p in positions], taps, (planted.noise,) * TAPS)
    everything = np.ones(len(plan.corpus.utterances), dtype=bool)
    frames = FrameStatistics(taps, plan.folds.count, plan.fold_of_frames, everything)
    frames.pair_with_mel()
    frames.pair_with_base(0)
    segments = [SegmentMeans(plan.sample(unit, None), taps) for unit in ("phone", "word")]
    return states, positions, plan, [frames, *segments]


def test_the_counter_sees_both():
    """What goes by utterance and tap starts and waits as often as there are utterances and taps."""
    rows = torch.randn(UTTERANCES, 50, 4)
    with Launches().counting() as found:
        for _ in range(TAPS):
            for utterance in rows:
                if not torch.isfinite(utterance).all():
                    raise ValueError
                utterance.mean(0).cpu().numpy()
    assert found.waits == 3 * UTTERANCES * TAPS
    assert found.launches >= 3 * UTTERANCES * TAPS


def test_a_batch_waits_a_few_times_and_starts_a_few_hundred(fed, monkeypatch):
    states, positions, plan, statistics = fed
    monkeypatch.setattr(moments, "_with_itself", lambda rows: rows.T @ rows)  # what a GPU does
    for _ in range(2):  # the first time, what is kept between batches is made
        with Launches().counting() as found:
            batch = Batch(states, positions, plan)
            for statistic in statistics:
                statistic.update(batch)
    print(found.waits, found.launches)
    assert found.waits <= 10
    assert found.launches <= 600
