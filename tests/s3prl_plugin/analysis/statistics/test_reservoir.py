import copy
from dataclasses import replace
from fractions import Fraction

import numpy as np
import planted
import pytest
import torch

from s3prl_plugin.analysis.grid import average_cells
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.reservoir import APART, MARGIN, FrameReservoir, shared_reservoir
from s3prl_plugin.corpora.corpus import Corpus
from s3prl_plugin.states.taps import States, Tap
from s3prl_plugin.strides import frame_at

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 3),
    Tap(1, "mid.out", "mid", "out", 640, 3),
    Tap(2, "dec0.out", "dec0", "out", 320, 4),
    Tap(3, "odd", None, "odd", 480, 3),
)


def numbered(utterance, tap, frames):
    """(T, D) every frame says whose it is, which one it is, and at which rate."""
    rows = np.full((frames, tap.dim), float(tap.stride))
    rows[:, 0], rows[:, 1] = int(utterance.name[3:5]) * 100 + int(utterance.name[-2:]), np.arange(frames)
    return rows


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus()


@pytest.fixture
def plan(corpus):
    return Plan(corpus, seed=0)


def feed(reservoir, plan, positions, batch_size=8, feature=numbered):
    features = [feature] * len(reservoir.taps)
    for states, chosen in planted.batches(plan.corpus, positions, batch_size, reservoir.taps, features):
        reservoir.update(Batch(states, chosen, plan))
    return reservoir


def filled(plan, positions=range(32), batch_size=8, feature=numbered, **options):
    return feed(FrameReservoir(plan, TAPS, **options), plan, positions, batch_size, feature)


def test_every_row_is_the_frame_that_covers_its_moment(plan):
    reservoir = filled(plan)
    rows = reservoir.rows()
    np.testing.assert_array_equal(rows, np.arange(len(reservoir)))
    for k, tap in enumerate(TAPS):
        found = reservoir.frames(k, rows)
        assert (found.dtype, found.shape) == (np.float32, (len(rows), tap.dim))
        for row in rows:
            name = plan.corpus.utterances[reservoir.utterance[row]].name
            assert found[row, 0] == int(name[3:5]) * 100 + int(name[-2:])
            start = found[row, 1] * tap.stride
            assert start <= reservoir.moment[row] < start + tap.stride  # the end was never clipped
            assert found[row, 2] == tap.stride
    some = rows[5::7]
    np.testing.assert_array_equal(reservoir.frames(1, some), reservoir.frames(1, rows)[some])


@pytest.mark.parametrize("stride", [320, 640, 960, 1280, 500, Fraction(3840, 7)])
def test_cells_are_averages_of_what_they_cover(plan, stride):
    reservoir = filled(plan, feature=planted.noise, stride=stride)
    for k, tap in enumerate(TAPS):
        found = reservoir.frames(k, reservoir.rows())
        for position in (0, 17):
            utterance = plan.corpus.utterances[position]
            own = torch.from_numpy(planted.noise(utterance, tap, planted.frames_at(utterance, tap)).astype(np.float32))
            cells = average_cells(own, tap.stride, stride, 10_000).numpy()
            mine = np.flatnonzero(reservoir.utterance == position)
            np.testing.assert_allclose(found[mine], cells[frame_at(reservoir.moment[mine], stride)], atol=2e-6)


def test_the_rows_are_those_of_every_model(corpus):
    rows = [FrameReservoir(Plan(corpus, 0), taps, stride=s) for taps, s in ((TAPS[:1], None), (TAPS[1:], 640))]
    for name in ("utterance", "moment", "fold", "speaker"):
        np.testing.assert_array_equal(getattr(rows[0], name), getattr(rows[1], name))
    others = FrameReservoir(Plan(corpus, 1), TAPS)
    assert (others.moment[:50] != rows[0].moment[:50]).any()
    shortened = replace(corpus, utterances=corpus.utterances[:16])
    fewer = FrameReservoir(Plan(shortened, 0), TAPS)
    np.testing.assert_array_equal(fewer.moment, rows[0].moment[rows[0].utterance < 16])


def test_moments_are_spread_over_an_utterance_and_clear_of_its_end(plan):
    reservoir = FrameReservoir(plan, TAPS, per_utterance=10)
    for position, utterance in enumerate(plan.corpus.utterances):
        usable = round(utterance.duration_s * 16000) - MARGIN
        moments = reservoir.moment[reservoir.utterance == position]
        assert len(moments) == 10
        # One in each tenth of the utterance.
        np.testing.assert_array_equal(moments * 10 // usable, np.arange(10))


def test_moments_are_at_any_position_within_a_frame():
    plan = Plan(planted.corpus(speakers=8, per_speaker=30), 0)
    counts = np.bincount(FrameReservoir(plan, TAPS).moment % 640 // 160, minlength=4)
    expected = counts.sum() / 4
    assert ((counts - expected) ** 2 / expected).sum() < 11.3  # chi squared of 3 degrees, 1 %


def with_durations(corpus: Corpus, samples: int) -> Corpus:
    """The same utterances, of another length and without labels."""
    short = [replace(u, duration_s=samples / 16000, phones=(), words=()) for u in corpus.utterances]
    return replace(corpus, utterances=tuple(short))


@pytest.mark.parametrize(
    ("samples", "rows"), [(MARGIN, 0), (MARGIN + 1, 1), (MARGIN + 2 * APART - 1, 1), (MARGIN + 2 * APART, 2)]
)
def test_short_utterances_have_few_rows_or_none(corpus, samples, rows):
    plan = Plan(with_durations(corpus, samples), 0)
    reservoir = FrameReservoir(plan, TAPS)
    assert (np.bincount(reservoir.utterance, minlength=32) == rows).all()
    assert len(plan.needed) == (32 if rows else 0)
    feed(reservoir, plan, range(32))
    assert len(reservoir.rows()) == 32 * rows
    assert reservoir.frames(0, reservoir.rows()).shape == (32 * rows, 3)


def test_a_tap_that_ends_early_is_seen_at_its_last_frame(corpus):
    plan = Plan(with_durations(corpus, MARGIN + 50 * APART), 0)
    for stride in (None, 640):
        reservoir = FrameReservoir(plan, TAPS[:1], per_utterance=50, stride=stride)
        frames = torch.arange(8.0)[None, :, None].expand(1, 8, 3)
        wave = planted.waveform(plan.corpus.utterances[0])
        reservoir.update(Batch(States(TAPS[:1], [frames], [torch.tensor([7])], [wave]), [0], plan))
        found = reservoir.frames(0, reservoir.rows())
        assert len(found) == 50
        assert found[-1, 0] == 6  # at 40 ms the last cell has one valid frame, which is the mean
    empty = FrameReservoir(plan, TAPS[:1])
    empty.update(Batch(States(TAPS[:1], [frames], [torch.tensor([0])], [wave]), [0], plan))
    assert len(empty.rows()) == 0


def test_the_limit_spreads_over_folds_and_asks_for_no_more_than_it_takes(corpus):
    plan = Plan(corpus, 0)
    everything = FrameReservoir(Plan(corpus, 0), TAPS)
    some = FrameReservoir(plan, TAPS, limit=50)
    counts = np.bincount(some.fold, minlength=plan.folds.count)
    assert counts.sum() == 50
    assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(plan.needed, np.unique(some.utterance))
    known = set(zip(everything.utterance, everything.moment, strict=True))
    assert set(zip(some.utterance, some.moment, strict=True)) < known
    np.testing.assert_array_equal(some.fold, plan.folds.of_utterance[some.utterance])
    names = sorted(corpus.speakers)
    assert [names[s] for s in some.speaker] == [corpus.utterances[u].speaker for u in some.utterance]


@pytest.mark.parametrize("stride", [None, 640])
def test_neither_batches_nor_their_order_nor_processes_change_a_bit(plan, stride):
    whole = filled(plan, feature=planted.noise, stride=stride)
    single = filled(plan, list(range(32))[::-1], 1, planted.noise, stride=stride)
    halves = [filled(plan, part, 5, planted.noise, stride=stride) for part in (range(11), range(11, 32))]
    assert 0 < len(halves[0].rows()) < len(whole)
    halves[1].merge(halves[0].state_dict())
    resumed = FrameReservoir(plan, TAPS, stride=stride)
    resumed.load_state_dict(copy.deepcopy(whole.state_dict()))
    for k in range(len(TAPS)):
        for other in (single, halves[1], resumed):
            np.testing.assert_array_equal(other.frames(k, other.rows()), whole.frames(k, whole.rows()))


def test_memory_is_known_before_it_is_taken(plan):
    reservoir = FrameReservoir(plan, TAPS)
    before = reservoir.memory_bytes
    feed(reservoir, plan, range(32))
    state = reservoir.state_dict()
    assert before == state["seen"].nbytes + sum(rows.nbytes for rows in state["rows"])
    with pytest.raises(ValueError, match="frames are of another sample"):
        FrameReservoir(plan, TAPS, limit=50).load_state_dict(state)


def test_analyses_that_ask_for_the_same_share_it(plan):
    gathering = Gathering(plan)
    own = shared_reservoir(gathering, TAPS, 20, 1000, None)
    assert shared_reservoir(gathering, TAPS, 20, 1000, None) is own
    others = [(10, 1000, None), (20, 500, None), (20, 1000, 640)]
    assert len({id(shared_reservoir(gathering, TAPS, *each)) for each in others} | {id(own)}) == 4


def test_a_large_corpus_is_not_heard_whole():
    plan = Plan(planted.corpus(speakers=8, per_speaker=20), 0)
    some = FrameReservoir(plan, TAPS, limit=600)
    assert len(some) == 600
    assert len(set(some.utterance)) == len(plan.needed) <= 600 // 15
