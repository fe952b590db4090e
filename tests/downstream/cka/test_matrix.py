"""cka_matrix: every pair against the definition on the reservoir's rows."""

import itertools

import numpy as np
import planted
import pytest
from second_model import PlantedModel, latent, mixed

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.batch import Batch
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.reservoir import FrameReservoir
from s3prl_plugin.downstream.cka.expert import DownstreamExpert
from s3prl_plugin.report import drawing, tables, text
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 6),
    Tap(1, "mid.out", "mid", "out", 640, 4),
    Tap(2, "dec0.out", "dec0", "out", 320, 6),
)
FEATURES = (mixed(latent("s", 3), seed="a"), mixed(latent("s", 3), seed="a"), planted.noise)
SECOND = (Tap(0, "layer0", None, "layer0", 320, 5), Tap(1, "layer1", None, "layer1", 640, 5))
SECOND_FEATURES = (planted.noise, mixed(latent("s", 3), seed="b"))


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=4)


def expert(corpus, out, **options):
    return DownstreamExpert(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert={"measures": ["cka_matrix"], **options},
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )


def places_of(expert):
    expert.log_records("test", records={}, logger=None, global_step=0)
    found = {(row.tap, row.tap2, row.upstream2): row for row in expert.rows}
    assert len(found) == len(expert.rows)
    return found


def views(plan, taps, features):
    """Every tap's sampled frames, averaged over cells of 40 ms."""
    reservoir = FrameReservoir(plan, taps, stride=640)
    for states, chosen in planted.batches(plan.corpus, range(len(plan.corpus.utterances)), 8, taps, features):
        reservoir.update(Batch(states, chosen, plan))
    rows = reservoir.rows()
    return [reservoir.frames(k, rows).astype(float) for k in range(len(taps))], reservoir.fold[rows]


def hsic(x, y, fold):
    """Over pairs of folds: the similarities of rows of one fold with rows of another agree in both views."""
    centred = [(x[fold == f] - x[fold == f].mean(0), y[fold == f] - y[fold == f].mean(0)) for f in np.unique(fold)]
    products = [
        ((a @ c.T) * (b @ d.T)).sum() / ((len(a) - 1) * (len(c) - 1))
        for (a, b), (c, d) in itertools.combinations(centred, 2)
    ]
    return np.mean(products)


def cka(x, y, fold):
    return hsic(x, y, fold) / np.sqrt(hsic(x, x, fold) * hsic(y, y, fold))


def test_every_pair_within_a_model(corpus, tmp_path):
    made = expert(corpus, tmp_path)
    planted.feed(made, FEATURES)
    found = places_of(made)
    frames, fold = views(Plan(corpus, 0), TAPS, FEATURES)
    assert len(found) == 9
    for (i, x), (j, y) in itertools.product(enumerate(TAPS), repeat=2):
        row = found[x.name, y.name, None]
        assert row.value == pytest.approx(cka(frames[i], frames[j], fold), abs=1e-6)
        assert row.value == found[y.name, x.name, None].value
        assert (row.measure, row.n, row.headline, row.trivial) == ("cka_matrix", len(fold), False, i == j)
        assert row.chance == 0.0
        if i == j:
            assert row.value == pytest.approx(1)
        else:
            assert row.ci_low < row.value < row.ci_high
    assert found["enc0.pre", "mid.out", None].ci_low > 0
    nothing = found["enc0.pre", "dec0.out", None]
    assert nothing.ci_low < 0 < nothing.ci_high


def test_between_two_models(corpus, tmp_path, monkeypatch):
    model = PlantedModel(corpus, SECOND, SECOND_FEATURES)
    monkeypatch.setattr(second_upstream, "load", lambda *given: model)
    made = expert(corpus, tmp_path, other={"upstream": "fbank"})
    planted.feed(made, FEATURES)
    found = places_of(made)
    plan = Plan(corpus, 0)
    (frames, fold), (others, _) = views(plan, TAPS, FEATURES), views(plan, SECOND, SECOND_FEATURES)
    assert len(found) == 9 + 6
    for (i, x), (j, y) in itertools.product(enumerate(TAPS), enumerate(SECOND)):
        row = found[x.name, y.name, "second"]
        assert row.value == pytest.approx(cka(frames[i], others[j], fold), abs=1e-6)
        assert not row.trivial
        assert (row.ci_low > 0) == (x.name != "dec0.out" and y.name == "layer1")
    assert model.calls == len(list(planted.batches(corpus, made.plan.needed, 8, TAPS, FEATURES))), "once per batch"


def test_layer_tables_and_curves_leave_matrices_out(corpus, tmp_path):
    made = expert(corpus, tmp_path, measures=["cka_mel", "cka_matrix"])
    planted.feed(made, FEATURES)
    made.log_records("test", records={}, logger=None, global_step=0)
    rows = results.read(tmp_path)
    assert len(rows) == 3 + 9
    shown = text.table(tables.layer_table(rows))
    assert "cka_mel" in shown
    assert "cka_matrix" not in shown
    assert text.text([tables.of_run(rows)]).count("cka_matrix") == 1, "in a table of its own"
    drawing.save(drawing.layer_curves(rows), tmp_path / "layers.svg")
    assert "cka_matrix" not in (tmp_path / "layers.svg").read_text()


def test_a_constant_tap_is_refused_and_the_others_are_not(corpus, tmp_path):
    def constant(utterance, tap, frames):
        return np.ones((frames, tap.dim))

    made = expert(corpus, tmp_path)
    planted.feed(made, (*FEATURES[:2], constant))
    found = places_of(made)
    for (tap, tap2, _), row in found.items():
        if "dec0.out" in (tap, tap2):
            assert "varies too little" in row.refused
            assert not row.headline
        else:
            assert row.value is not None
