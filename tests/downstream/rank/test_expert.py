"""The whole of `-d rank`: the rows are those of numpy's singular values, and a suite gathers its frames once."""

import itertools

import numpy as np
import planted
import pytest
import scipy.stats

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.frame_statistics import FrameStatistics
from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
from s3prl_plugin.downstream.rank.expert import DownstreamExpert as Rank
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.intervals import jackknife
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 6),
    Tap(1, "enc0.out", "enc0", "out", 320, 6),
    Tap(2, "mid.out", "mid", "out", 640, 4),
)


def two_directions(utterance, tap, frames):
    return planted.noise(utterance, tap, frames)[:, :2] @ planted.generator("plane").standard_normal((2, tap.dim)) + 3.0


FEATURES = (planted.noise, two_directions, planted.noise)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=3)


def expert(corpus, out, kind=Rank, gathering=None, taps=TAPS, **options):
    return kind(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=taps,
        provenance={"upstream": "planted"},
        gathering=gathering or Gathering(Plan(corpus, 0)),
    )


def frames_of(plan, tap, feature):
    """All frames that the taps of a stride and the mel spectrogram have in common, and their folds."""
    rows, fold = [], []
    for position, utterance in enumerate(plan.corpus.utterances):
        frames = min(planted.frames_at(utterance, other) for other in TAPS if other.stride == tap.stride)
        rows.append(feature(utterance, tap, planted.frames_at(utterance, tap))[:frames])
        fold.append(np.full(frames, plan.folds.of_utterance[position]))
    return np.concatenate(rows), np.concatenate(fold)


def worth(x):
    return np.exp(scipy.stats.entropy(np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2))


def participated(x, fold):
    covariances = [np.cov(x[fold == f], rowvar=False) for f in np.unique(fold)]
    pairs = list(itertools.permutations(covariances, 2))
    return np.mean([np.trace(a) * np.trace(b) for a, b in pairs]) / np.mean([np.trace(a @ b) for a, b in pairs])


def test_numbers_are_those_of_the_frames(corpus, tmp_path):
    made = expert(corpus, tmp_path)
    planted.feed(made, FEATURES)
    rows = planted.rows_of(made)
    for tap, feature in zip(TAPS, FEATURES, strict=True):
        x, fold = frames_of(made.plan, tap, feature)
        row = rows[tap.name, "rank", "default", "effective_rank"]
        without = [worth(x[fold != f]) for f in range(made.plan.folds.count)]
        assert not row.headline
        assert row.n == len(x)
        assert row.value == pytest.approx(worth(x), rel=1e-4)
        assert row.replicates == pytest.approx(without, rel=1e-4)
        low, high = jackknife(row.value, without).interval()
        assert (row.ci_low, row.ci_high) == pytest.approx((low, high), rel=1e-3)
        directions = rows[tap.name, "rank", "default", "participation_ratio"]
        assert directions.headline
        assert directions.value == pytest.approx(participated(x, fold), rel=1e-4)
        without = [participated(x[fold != f], fold[fold != f]) for f in range(made.plan.folds.count)]
        assert directions.replicates == pytest.approx(without, rel=1e-4)
        assert (directions.ci_low, directions.ci_high) == pytest.approx(
            jackknife(directions.value, without).interval(), rel=1e-3
        )
        share = rows[tap.name, "rank", "default", "participation_over_dim"]
        assert share.value == pytest.approx(directions.value / tap.dim)
        assert share.ci_high == pytest.approx(directions.ci_high / tap.dim)
        singular = np.linalg.svd(x, compute_uv=False)
        published = rows[tap.name, "rank", "default", "rankme"]
        assert published.value == pytest.approx(np.exp(scipy.stats.entropy(singular)), rel=1e-3)
    assert rows["enc0.pre", "rank", "default", "effective_rank"].value > 5.9
    assert 1 < rows["enc0.out", "rank", "default", "effective_rank"].value < 2.01


def test_a_suite_gathers_the_frames_once(corpus, tmp_path):
    gathering = Gathering(Plan(corpus, 0))
    cca = expert(corpus, tmp_path, Cca, gathering, measures=["cca_mel", "cca_intra"], intervals="none")
    rank = expert(corpus, tmp_path, Rank, gathering)
    assert sum(isinstance(each, FrameStatistics) for each in gathering.statistics.values()) == 1
    for states, chosen in planted.batches(corpus, range(len(corpus.utterances)), 8, TAPS, FEATURES):
        cca("test", states, chosen, records={})
    alone = expert(corpus, tmp_path)
    planted.feed(alone, FEATURES)
    found, expected = planted.rows_of(rank), planted.rows_of(alone)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert found[key].value == pytest.approx(row.value, rel=1e-6)


def test_without_intervals(corpus, tmp_path):
    made = expert(corpus, tmp_path, intervals="none")
    planted.feed(made, FEATURES)
    assert all(row.ci_low is None and row.value is not None for row in planted.rows_of(made).values())


def test_a_dead_tap_and_too_few_frames_are_refused(tmp_path):
    short = planted.corpus(speakers=3, per_speaker=2, phones_each=3, words=False)
    taps = (*TAPS[:2], Tap(2, "mid.out", "mid", "out", 640, 70))
    made = expert(short, tmp_path, taps=taps)
    planted.feed(made, (lambda u, tap, n: np.zeros((n, tap.dim)), planted.noise, planted.noise))
    rows = planted.rows_of(made)
    assert "do not vary" in rows["enc0.pre", "rank", "default", "effective_rank"].refused
    assert rows["enc0.out", "rank", "default", "effective_rank"].value > 5
    assert "do not vary" in rows["enc0.pre", "rank", "default", "participation_ratio"].refused
    assert rows["mid.out", "rank", "default", "participation_ratio"].value > 30, "few frames are no bias there"
    assert "rows for 70 dimensions" in rows["mid.out", "rank", "default", "rankme"].refused


def test_unknown_options_are_refused(corpus, tmp_path):
    with pytest.raises(UserError, match="intervals: 'fast' is not possible"):
        expert(corpus, tmp_path, intervals="fast")


@pytest.mark.parametrize(("speakers", "folds"), [(6, 3), (8, 4)])
def test_three_folds_are_enough_for_an_interval(tmp_path, speakers, folds):
    gathering = Gathering(Plan(planted.corpus(speakers=speakers, per_speaker=3), 0, "speaker"))
    made = expert(None, tmp_path, gathering=gathering, split_by="speaker")
    assert made.plan.folds.count == folds
    planted.feed(made, FEATURES)
    row = planted.rows_of(made)["enc0.pre", "rank", "default", "participation_ratio"]
    assert len(row.replicates) == folds
    assert row.ci_low < row.value < row.ci_high
