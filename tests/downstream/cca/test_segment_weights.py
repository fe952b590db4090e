"""Segments as their one central frame: the numbers are those of the frames themselves, beside those of the means."""

import numpy as np
import planted
import pytest

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import r2
from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.downstream.cka.expert import DownstreamExpert as Cka
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (Tap(0, "fine", "enc0", "pre", 320, 8), Tap(1, "coarse", "mid", "out", 1280, 8))
FEATURES = (planted.phonetic(1.0), planted.phonetic(0.5))
ALL = {"phone_tokens": None, "word_tokens": None}


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=4)


def run(corpus, out, kind=Cca, **options):
    made = kind(
        upstream_dim=8,
        upstream_rate=320,
        downstream_expert={"measures": [f"{kind.name}_phone", f"{kind.name}_word"], **ALL, **options},
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, FEATURES)
    made.log_records("test")
    return made


def by_identity(rows):
    return {row.identity: row for row in rows}


def central_frames(plan, tap, feature, unit):
    """One frame per segment, found by its midpoint in seconds; with its label and fold."""
    x, labels, fold = [], [], []
    for position, utterance in enumerate(plan.corpus.utterances):
        frames = feature(utterance, tap, planted.frames_at(utterance, tap))
        for segment in utterance.phones if unit == "phone" else utterance.words:
            if segment.label != "sil":
                middle_ms = 1000 * (segment.start_s + segment.end_s) / 2
                x.append(frames[min(int(round(middle_ms, 6) // tap.resolution_ms), len(frames) - 1)])
                labels.append(segment.label)
                fold.append(plan.folds.of_utterance[position])
    return np.array(x, dtype=np.float32), np.unique(labels, return_inverse=True)[1], np.array(fold)


@pytest.mark.parametrize("unit", ["phone", "word"])
def test_numbers_are_those_of_the_central_frames(corpus, tmp_path, unit):
    plan = Plan(corpus, 0)
    made = run(corpus, tmp_path, segment_weights="centre", intervals="none")
    found = {(row.tap, row.measure, row.score): row for row in made.rows}
    for tap, feature in zip(TAPS, FEATURES, strict=True):
        x, label, fold = central_frames(plan, tap, feature, unit)
        y = np.eye(label.max() + 1)[label]
        folds = [Moments.of(x[fold == f], y[fold == f]) for f in np.unique(fold)]
        expected = r2.cross_validate(PairOfViews(folds))
        row = found[tap.name, f"cca_{unit}", "r2"]
        assert (row.segments, row.n) == ("centre", len(x))
        assert row.value == pytest.approx(expected.value, abs=1e-6)


@pytest.mark.parametrize("kind", [Cca, Cka])
def test_a_list_gives_the_rows_of_each_in_one_run(corpus, tmp_path, kind):
    together = run(corpus, tmp_path, kind, segment_weights=["centre", "frames"]).rows
    apart = [row for how in ("frames", "centre") for row in run(corpus, tmp_path / how, kind, segment_weights=how).rows]
    assert by_identity(together) == by_identity(apart)
    assert len(by_identity(together)) == len(together) == len(results.read(tmp_path))
    assert {row.segments for row in together} == {None, "centre"}


def test_the_grid_of_central_frames_is_told(corpus, tmp_path):
    rows = [row for row in run(corpus, tmp_path, segment_weights=["frames", "centre"]).rows if row.tap is None]
    shared = {(row.measure, row.stride, row.segments): row.value for row in rows if row.score == "shared"}
    assert len(shared) == 2 * 2 * 2
    assert shared["grid_word", 1280, "centre"] < shared["grid_word", 1280, None]


@pytest.mark.parametrize("given", [[], ["frames", "middle"], "middle"])
def test_other_ways_are_refused(corpus, tmp_path, given):
    with pytest.raises(UserError, match="segment_weights"):
        run(corpus, tmp_path, segment_weights=given)
