"""mi_phone and mi_word on input that says little or nothing: the right limit or a stated refusal, never NaN."""

from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.information.clusters import DEFAULT, predict
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.downstream.mi.expert import DownstreamExpert
from s3prl_plugin.states.taps import Tap

DIM = 6
ALL = {"phone_tokens_per_half": None, "word_tokens_per_half": None}
clear = planted.phonetic(0.3)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(per_speaker=8)


def run(corpus, out, feature, dim=DIM, missing=None, **options):
    """The rows by measure, protocol and score; `missing` says which folds' utterances never come."""
    tap = Tap(0, "layer0", None, "layer0", 320, dim)
    made = DownstreamExpert(
        upstream_dim=dim,
        upstream_rate=320,
        downstream_expert={"measures": ["mi_phone", "mi_word"], **ALL, **options},
        expdir=str(out),
        taps=(tap,),
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    gone = np.flatnonzero(missing(made.plan)) if missing else ()
    planted.feed(made, (feature,), missing=gone)
    return {key[1:]: row for key, row in planted.rows_of(made).items()}


def relabelled(corpus, name_of):
    """The same segments by other names; silence stays."""

    def segments(found):
        return tuple(Segment(s.label if s.label == "sil" else name_of(s.label), s.start_s, s.end_s) for s in found)

    utterances = (replace(u, phones=segments(u.phones), words=segments(u.words)) for u in corpus.utterances)
    return replace(corpus, utterances=tuple(utterances))


def test_one_class_is_refused(corpus, tmp_path):
    rows = run(relabelled(corpus, lambda label: "same"), tmp_path, clear, protocol="both")
    for (measure, _, _), row in rows.items():
        assert f"1 {measure[3:]} classes" in row.refused


@pytest.mark.filterwarnings("error")
def test_features_that_are_all_alike_tell_nothing(corpus, tmp_path):
    rows = run(corpus, tmp_path, lambda u, tap, frames: np.full((frames, tap.dim), 3.25), clusters=50)
    for row in rows.values():
        if row.score == "whitened":
            assert "do not vary" in row.refused
            continue
        assert row.value == pytest.approx(0, abs=1e-12)
        if row.ci_low is not None:
            assert (row.ci_low, row.ci_high) == pytest.approx((0, 0), abs=1e-12)


def test_fewer_rows_than_clusters_are_refused(corpus, tmp_path):
    for row in run(corpus, tmp_path, clear, clusters=4000).values():
        assert "training segments for 4000 clusters" in row.refused


@pytest.mark.parametrize("side", ["training", "scored", "no"])
def test_halves_that_never_came_are_refused(corpus, tmp_path, side):
    def missing(plan):
        trains = plan.trains(plan.folds.of_utterance)
        return {"training": ~trains, "scored": trains, "no": np.ones(len(trains), dtype=bool)}[side]

    rows = run(corpus, tmp_path, clear, missing=missing, protocol="both")
    assert len(rows) == 2 * 5
    for row in rows.values():
        assert row.value is None
        assert row.refused


def same(rows, others, tolerance, of_words):
    """Whether values agree; these features do not know words, whose small numbers move more with rounding."""
    assert rows.keys() == others.keys()
    for key, row in rows.items():
        assert row.value == pytest.approx(others[key].value, abs=of_words if key[0] == "mi_word" else tolerance), key
        assert row.n == others[key].n


def test_names_of_labels_do_not_matter(corpus, tmp_path):
    names = {"aa": "t", "iy": "s", "uw": "m", "s": "uw", "t": "iy", "m": "aa"}
    names |= {"one": "four", "two": "one", "three": "zzz", "four": "two"}
    renamed = relabelled(corpus, names.__getitem__)
    originals = {u.name: u for u in corpus.utterances}
    rows = run(corpus, tmp_path, clear)
    # Features follow what was said, whatever it is called.
    others = run(renamed, tmp_path / "renamed", lambda u, tap, frames: clear(originals[u.name], tap, frames))
    same(rows, others, 1e-12, of_words=1e-12)


@pytest.mark.parametrize("kind", ["constant dimension", "duplicated columns", "huge offset", "huge", "tiny"])
@pytest.mark.filterwarnings("error")
def test_what_means_nothing_changes_nothing(corpus, tmp_path, kind):
    tap = Tap(0, "layer0", None, "layer0", 320, DIM)

    def feature(utterance, _, frames):
        x = clear(utterance, tap, frames)
        return {
            "constant dimension": np.concatenate([x, np.full((frames, 1), 1e4)], axis=1),
            "duplicated columns": np.concatenate([x, x], axis=1),
            "huge offset": x + 1e6,  # float32 has steps of 0.06 there
            "huge": x * 2.0**100,
            "tiny": x * 2.0**-100,
        }[kind]

    dim = {"constant dimension": DIM + 1, "duplicated columns": 2 * DIM}.get(kind, DIM)
    plain = run(corpus, tmp_path, clear)
    assert plain["mi_phone", "default", "adjusted"].value > 0.5
    # of 60 words k-means may find another optimum
    same(run(corpus, tmp_path / "other", feature, dim), plain, 0.02, of_words=0.1)


@pytest.mark.parametrize("power", [-100, -1, 70])
def test_clusters_do_not_depend_on_the_scale_at_all(power):
    x = np.random.default_rng(0).standard_normal((900, 5)).astype(np.float32)
    plain = predict(x[:600], x[600:], 30, 0, DEFAULT)
    scaled = x * np.float32(2.0) ** power
    np.testing.assert_array_equal(predict(scaled[:600], scaled[600:], 30, 0, DEFAULT), plain)


@pytest.mark.filterwarnings("error")
def test_fewer_distinct_rows_than_clusters_leave_clusters_empty():
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)[np.arange(200) % 4]
    found = predict(x, x[:40], 10, 0, DEFAULT)
    assert len({(int(c), i % 4) for i, c in enumerate(found)}) == 4
