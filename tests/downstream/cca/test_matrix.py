"""cca_matrix: every pair against R2_CCA of the reservoir's rows by its definition."""

import itertools
from dataclasses import replace

import literal_r2
import numpy as np
import planted
import pytest
from second_model import PlantedModel, latent, mixed

from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir
from s3prl_plugin.downstream.cca.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 6),
    Tap(1, "mid.out", "mid", "out", 640, 4),
    Tap(2, "dec0.out", "dec0", "out", 320, 6),
)
FEATURES = (mixed(latent("s", 3), seed="a"), mixed(latent("s", 3), seed="a"), planted.noise)
SECOND = (Tap(0, "layer0", None, "layer0", 320, 5), Tap(1, "layer1", None, "layer1", 1280, 5))
SECOND_FEATURES = (mixed(latent("s", 3), seed="b"), mixed(latent("s", 3), seed="b"))


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=4)


def expert(corpus, out, taps=TAPS, **options):
    return DownstreamExpert(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert={"measures": ["cca_matrix"], **options},
        expdir=str(out),
        taps=taps,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )


def matrix(corpus, out, features=FEATURES, **options):
    """The rows, by tap, tap2 and upstream2."""
    made = expert(corpus, out, **options)
    planted.feed(made, features)
    made.log_records("test", records={}, logger=None, global_step=0)
    found = {(row.tap, row.tap2, row.upstream2): row for row in made.rows}
    assert len(found) == len(made.rows)
    return found


def views(plan, taps, features, stride):
    """Every tap's sampled frames, averaged over cells."""
    reservoir = FrameReservoir(plan, taps, stride=stride)
    for states, chosen in planted.batches(plan.corpus, range(len(plan.corpus.utterances)), 8, taps, features):
        reservoir.update(Batch(states, chosen, plan))
    rows = reservoir.rows()
    return [reservoir.frames(k, rows).astype(float) for k in range(len(taps))], reservoir.fold[rows]


def check(found, taps, frames, others_taps, others, fold, upstream2):
    """Every place against the arrays: the mean is over the dimensions of the second tap."""
    for (i, x), (j, y) in itertools.product(enumerate(taps), enumerate(others_taps)):
        row = found[x.name, y.name, upstream2]
        assert row.value == pytest.approx(literal_r2.r2(frames[i], others[j], fold), abs=1e-9)
        assert (row.score, row.n, row.headline, row.chance, row.number("directions")) == (
            "r2",
            len(fold),
            False,
            0.0,
            y.dim,
        )
        sizes = np.bincount(fold)
        assert row.n_over_d == pytest.approx((len(fold) - sizes.max()) / x.dim)


def test_every_pair_within_a_model(corpus, tmp_path):
    found = matrix(corpus, tmp_path)
    frames, fold = views(Plan(corpus, 0), TAPS, FEATURES, 640)
    assert len(found) == 9
    check(found, TAPS, frames, TAPS, frames, fold, None)
    for tap in TAPS:
        own = found[tap.name, tap.name, None]
        assert own.value == pytest.approx(1, abs=0.005)
        assert (own.trivial, own.ci_low) == (True, None)
    small, large = found["enc0.pre", "mid.out", None], found["mid.out", "enc0.pre", None]
    assert small.value * 4 == pytest.approx(large.value * 6)
    assert small.ci_low < small.value < small.ci_high
    assert small.ci_low * 4 == pytest.approx(large.ci_low * 6)


def test_between_two_models_on_the_coarsest_grid_of_both(corpus, tmp_path, monkeypatch):
    model = PlantedModel(corpus, SECOND, SECOND_FEATURES)
    monkeypatch.setattr(second_upstream, "load", lambda *given: model)
    found = matrix(corpus, tmp_path, other={"upstream": "fbank"}, intervals="none")
    plan = Plan(corpus, 0)
    (within, fold), (frames, _) = views(plan, TAPS, FEATURES, 640), views(plan, TAPS, FEATURES, 1280)
    others, _ = views(plan, SECOND, SECOND_FEATURES, 1280)
    assert len(found) == 9 + 6
    check(found, TAPS, within, TAPS, within, fold, None)
    check(found, TAPS, frames, SECOND, others, fold, "second")
    shared = {(row.tap, row.tap2): row.value * 5 for key, row in found.items() if key[2] == "second"}
    assert shared["enc0.pre", "layer0"] == pytest.approx(3, abs=0.1), "three directions are planted in both"
    assert shared["enc0.pre", "layer1"] == pytest.approx(3, abs=0.3)
    assert abs(shared["dec0.out", "layer0"]) < 0.3
    assert all(row.ci_low is None for row in found.values())


def test_between_a_model_and_one_whose_frames_were_saved(corpus, tmp_path, monkeypatch):
    second = expert(corpus, tmp_path / "b", SECOND, measures=["cca_mel"], save_frames=[80])
    planted.feed(second, SECOND_FEATURES)
    second.log_records("test", records={}, logger=None, global_step=0)
    found = matrix(corpus, tmp_path / "a", other={"saved": str(tmp_path / "b")})
    model = PlantedModel(corpus, SECOND, SECOND_FEATURES, name="planted")
    monkeypatch.setattr(second_upstream, "load", lambda *given: model)
    in_pass = matrix(corpus, tmp_path / "c", other={"upstream": "fbank"})
    assert found.keys() == in_pass.keys()
    for key, row in found.items():
        assert row.value == pytest.approx(in_pass[key].value, abs=1e-12)


def test_an_invertible_map_changes_nothing(corpus, tmp_path):
    def mapped(utterance, tap, frames):
        return FEATURES[1](utterance, tap, frames) @ np.random.default_rng(3).standard_normal((4, 4)) + 5

    plain, changed = matrix(corpus, tmp_path / "a"), matrix(corpus, tmp_path / "b", (FEATURES[0], mapped, FEATURES[2]))
    for key, row in plain.items():
        assert changed[key].value == pytest.approx(row.value, abs=1e-5)


def test_too_few_rows_for_the_dimension_are_refused_pair_by_pair(corpus, tmp_path):
    taps = (TAPS[0], replace(TAPS[1], dim=220), replace(TAPS[2], dim=400))
    found = matrix(corpus, tmp_path, (planted.noise,) * 3, taps=taps)
    wide = found["enc0.pre", "dec0.out", None]
    assert "effective training rows per dimension, at least 1.3 needed" in wide.refused
    assert not wide.headline
    assert found["dec0.out", "enc0.pre", None].refused == wide.refused
    assert "limited by data" in found["enc0.pre", "mid.out", None].grey
    assert found["enc0.pre", "enc0.pre", None].grey is None


def test_it_says_before_the_pass_how_much_there_is_to_do(corpus, tmp_path, capsys):
    expert(corpus, tmp_path)
    assert (
        "cca_matrix: 6 pairs of this model's taps, after the pass: a minute or less, 0.00 GB" in capsys.readouterr().out
    )
    with pytest.raises(UserError, match="no published protocol"):
        expert(corpus, tmp_path, protocol="published")
