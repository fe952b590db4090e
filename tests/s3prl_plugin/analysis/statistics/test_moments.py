"""FoldMoments gathers, from rows in any portions, what numpy computes from all rows at once."""

import io

import numpy as np
import pytest
import torch

from s3prl_plugin.analysis.statistics.moments import FoldMoments, Moments
from s3prl_plugin.analysis.statistics.storage import Storage

DIMS = {"tap": 200, "mel": 8, "base": 24}
PAIRS = [("tap", "mel"), ("tap", "base"), ("base", "mel")]
FOLDS = 3


@pytest.fixture(scope="module")
def stream():
    """Utterances of uneven length: (fold, views), with offsets as layers have them."""
    rng = np.random.default_rng(0)
    offsets = {name: 10 * rng.standard_normal(d) for name, d in DIMS.items()}
    mix = rng.standard_normal((8, 200))
    utterances = []
    for i in range(24):
        n = int(rng.integers(1, 180))
        mel = rng.standard_normal((n, 8))
        views = {"mel": mel, "tap": mel @ mix + rng.standard_normal((n, 200)), "base": rng.standard_normal((n, 24))}
        views = {name: (view + offsets[name] + i).astype(np.float32) for name, view in views.items()}
        utterances.append((i % FOLDS, views))
    return utterances


def gather(utterances, **options):
    collected = FoldMoments(DIMS, PAIRS, FOLDS, **options)
    for fold, views in utterances:
        collected.update(fold, {name: torch.from_numpy(view) for name, view in views.items()})
    return collected


def all_rows(utterances, fold, name):
    return np.concatenate([views[name] for f, views in utterances if f == fold])


def assert_same_bits(a, b):
    for x, y in PAIRS:
        for mine, theirs in zip(a.moments(x, y), b.moments(x, y), strict=True):
            assert mine.n == theirs.n
            assert (mine.mean == theirs.mean).all()
            assert (mine.scatter == theirs.scatter).all()


@pytest.mark.parametrize(("x", "y"), [*PAIRS, ("tap", "tap")])
def test_streamed_moments_are_those_of_all_rows(stream, x, y):
    collected = gather(stream)
    for fold, moments in enumerate(collected.moments(x, y)):
        exact = Moments.of(all_rows(stream, fold, x), all_rows(stream, fold, y))
        spread = np.sqrt(np.outer(np.diag(exact.scatter), np.diag(exact.scatter)))
        assert moments.n == exact.n == collected.n[fold]
        np.testing.assert_allclose(moments.mean, exact.mean, rtol=1e-6, atol=1e-7)
        assert np.abs((moments.scatter - exact.scatter) / spread).max() < 1e-7


def test_portions_do_not_matter_beyond_rounding(stream):
    small = FoldMoments(DIMS, PAIRS, FOLDS)
    for fold, views in stream:
        for start in range(0, len(views["mel"]), 7):
            small.update(fold, {name: view[start : start + 7] for name, view in views.items()})
    whole = gather(stream)
    for a, b in zip(whole.moments("tap", "base"), small.moments("tap", "base"), strict=True):
        np.testing.assert_allclose(a.scatter, b.scatter, rtol=1e-5, atol=1e-3)


def test_the_same_updates_give_the_same_bits(stream):
    assert_same_bits(gather(stream), gather(stream))


@pytest.mark.parametrize("at", [1, 11, 23])
def test_an_interrupted_pass_ends_with_the_same_bits(stream, at):
    begun = gather(stream[:at])
    file = io.BytesIO()
    torch.save(begun.state_dict(), file)
    resumed = FoldMoments(DIMS, PAIRS, FOLDS)
    resumed.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    for fold, views in stream[at:]:
        resumed.update(fold, views)
    assert_same_bits(resumed, gather(stream))


def test_looking_at_the_moments_does_not_change_them(stream):
    collected = gather(stream[:10])
    collected.moments("tap", "mel")
    for fold, views in stream[10:]:
        collected.update(fold, views)
    assert_same_bits(collected, gather(stream))


def test_merged_shards_are_one_pass(stream):
    a, b, whole = gather(stream[:5]), gather(stream[5:]), gather(stream)
    before = b.moments("tap", "mel")[0].scatter
    a.merge(b)
    for x, y in PAIRS:
        for merged, single in zip(a.moments(x, y), whole.moments(x, y), strict=True):
            assert merged.n == single.n
            np.testing.assert_allclose(merged.scatter, single.scatter, rtol=1e-6, atol=1e-4)
    assert (b.moments("tap", "mel")[0].scatter == before).all()


def test_merging_into_nothing_and_from_nothing(stream):
    empty, full = FoldMoments(DIMS, PAIRS, FOLDS), gather(stream)
    full.merge(FoldMoments(DIMS, PAIRS, FOLDS))
    empty.merge(full)
    for a, b in zip(empty.moments("tap", "mel"), gather(stream).moments("tap", "mel"), strict=True):
        np.testing.assert_allclose(a.scatter, b.scatter, rtol=1e-12)


@pytest.mark.parametrize("offset", [1e4, 1e6])
def test_huge_offsets_cost_no_more_than_float32_has_lost(offset):
    rng = np.random.default_rng(2)
    rows = (rng.standard_normal((3000, 5)) + offset).astype(np.float32)
    collected = FoldMoments({"x": 5}, [], 1)
    collected.update(0, {"x": rows})
    exact = np.cov(rows.astype(np.float64).T) * 2999
    np.testing.assert_allclose(collected.view("x")[0].scatter, exact, rtol=1e-6, atol=1e-6 * exact.max())


def test_an_offset_that_moves_costs_nothing():
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((40, 100, 4)) + np.linspace(0, 3000, 40)[:, None, None]
    rows = rows.astype(np.float32)
    collected = FoldMoments({"x": 4}, [], 1)
    for utterance in rows:
        collected.update(0, {"x": utterance})
    exact = np.cov(rows.reshape(-1, 4).astype(np.float64).T) * 3999
    np.testing.assert_allclose(collected.view("x")[0].scatter, exact, rtol=1e-9)


def test_the_null_direction_of_a_layer_norm_stays_null():
    """Float32 products would raise it to 1e-10 of the largest eigenvalue, and sometimes below zero."""
    torch.manual_seed(0)
    rows = torch.nn.functional.layer_norm(torch.randn(8000, 64) @ torch.randn(64, 64), (64,))
    rows = rows * (1 + 0.3 * torch.randn(64)) + torch.randn(64)
    collected = FoldMoments({"x": 64}, [], 1)
    collected.update(0, {"x": rows})
    values = np.linalg.eigvalsh(collected.view("x")[0].scatter)
    assert abs(values[0]) < 1e-13 * values[-1]
    assert values[1] > 1e-6 * values[-1]


def test_what_is_kept_of_a_scatter_is_little_more_than_half():
    bytes_kept = FoldMoments.memory_for({"tap": 768}, [], folds=1)
    assert 8 * 768 * 769 / 2 < bytes_kept < 0.65 * 8 * 768 * 768


def test_memory_is_what_is_taken(stream):
    collected = gather(stream)
    state = collected.state_dict()["folds"]
    kept = sum(t.nbytes for fold in state for t in [*fold["scatter"], *fold["mean"].values()])
    assert collected.memory_bytes == kept == FoldMoments.memory_for(DIMS, PAIRS, FOLDS)


def test_a_half_precision_view_is_taken(stream):
    fold, views = stream[0]
    collected = FoldMoments(DIMS, PAIRS, FOLDS)
    collected.update(fold, {name: torch.from_numpy(view).bfloat16() for name, view in views.items()})
    assert collected.n[fold] == len(views["mel"])


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e300])
def test_rows_that_are_not_numbers_are_refused_by_name(bad):
    collected = FoldMoments({"x": 2, "y": 1}, [("x", "y")], 1)
    rows = torch.zeros(3, 2, dtype=torch.float64)
    rows[1, 0] = bad
    with pytest.raises(FloatingPointError, match="'x'"):
        collected.update(0, {"x": rows, "y": torch.zeros(3, 1)})


def test_wrong_views_are_refused(stream):
    collected = FoldMoments(DIMS, PAIRS, FOLDS)
    _, views = stream[1]
    with pytest.raises(ValueError, match="expected"):
        collected.update(0, {"tap": views["tap"]})
    with pytest.raises(ValueError, match="same rows"):
        collected.update(0, {**views, "mel": views["mel"][:-1]})
    with pytest.raises(ValueError, match="no dimension"):
        FoldMoments({"x": 2}, [("x", "y")], 1)
    with pytest.raises(ValueError, match="not collected"):
        collected.moments("mel", "tap")
    with pytest.raises(ValueError, match="other views"):
        collected.load_state_dict(FoldMoments({"x": 2}, [], FOLDS).state_dict())
    with pytest.raises(ValueError, match="cannot be added"):
        collected.merge(FoldMoments({"x": 2}, [], FOLDS))


def test_sums_on_disk_have_the_same_bits(stream, tmp_path):
    storage = Storage(tmp_path)
    on_disk = FoldMoments(DIMS, PAIRS, FOLDS, storage=storage)
    for fold, views in stream:
        on_disk.update(fold, views)
        storage.let_go()
    assert_same_bits(gather(stream), on_disk)
