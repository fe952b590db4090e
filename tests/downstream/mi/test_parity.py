"""mi_parity: a planted trace of up-sampling is found, speech alone has none, and one rate is refused."""

import numpy as np
import planted
import pytest

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.mi.expert import DownstreamExpert
from s3prl_plugin.states.taps import Tap

FINE = Tap(0, "enc0.pre", "enc0", "pre", 320, 6)
COARSE = Tap(1, "mid.out", "mid", "out", 640, 6)
UPSAMPLED = Tap(2, "dec0.out", "dec0", "out", 320, 6)
COARSEST = Tap(3, "low.out", "low", "out", 1280, 6)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(per_speaker=8, phones=False, words=False)


def run(corpus, out, taps, features, **options):
    made = DownstreamExpert(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert={"measures": ["mi_parity"], "frame_clusters": 20, **options},
        expdir=str(out),
        taps=taps,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, features)
    made.log_records("test", records={}, logger=None, global_step=0)
    return made, {(row.tap, row.score): row for row in made.rows}


def marked(period, size):
    """Noise, and a mark of its place on every frame: one direction for each place within `period` frames."""

    def feature(utterance, tap, frames):
        return planted.noise(utterance, tap, frames) + size * np.eye(tap.dim)[np.arange(frames) % period]

    return feature


def test_a_planted_trace_is_found_and_noise_has_none(corpus, tmp_path):
    taps = (FINE, COARSE, UPSAMPLED)
    _, rows = run(corpus, tmp_path, taps, (planted.noise, planted.noise, marked(2, 20)))
    found = rows["dec0.out", "adjusted"]
    assert found.value == pytest.approx(1, abs=1e-6)
    assert (found.headline, found.chance, found.clusters, found.frame_stride) == (True, 0, 20, None)
    nothing = rows["enc0.pre", "adjusted"]
    assert nothing.ci_low < 0 < nothing.ci_high
    assert abs(nothing.value) < 0.02
    uncorrected = rows["enc0.pre", "mi_over_h"]
    assert uncorrected.value == pytest.approx(uncorrected.chance, abs=0.02)
    assert "lowest frame rate" in rows["mid.out", "adjusted"].refused
    assert not any(row.higher_is_better for row in rows.values())


def test_a_faint_trace_lies_between(corpus, tmp_path):
    _, rows = run(corpus, tmp_path, (COARSE, UPSAMPLED), (planted.noise, marked(2, 1.5)), seeds=2)
    row = rows["dec0.out", "adjusted"]
    assert 0.05 < row.ci_low < row.value < row.ci_high < 0.9
    assert row.number("seed_sd") is not None


def test_positions_within_the_lowest_rate_are_told_apart(corpus, tmp_path):
    taps = (COARSEST, UPSAMPLED, FINE, COARSE)
    _, rows = run(corpus, tmp_path, taps, (planted.noise, marked(4, 20), marked(2, 20), marked(2, 20)))
    assert rows["dec0.out", "adjusted"].value == pytest.approx(1, abs=1e-6)
    # Of four places, a mark of every second tells log 2 of log 4; at 40 ms there are but two.
    assert rows["enc0.pre", "mi_over_h"].value == pytest.approx(0.5, abs=0.02)
    assert rows["mid.out", "adjusted"].value == pytest.approx(1, abs=1e-6)


def test_models_of_one_rate_are_refused_without_keeping_frames(corpus, tmp_path):
    made, rows = run(corpus, tmp_path, (FINE, UPSAMPLED), (planted.noise, planted.noise))
    assert len(rows) == 4
    assert all("all taps have one frame rate" in row.refused for row in rows.values())
    assert not made.gathering.statistics


def test_rates_that_do_not_divide_are_refused(corpus, tmp_path):
    odd = Tap(0, "odd", None, "odd", 480, 6)
    _, rows = run(corpus, tmp_path, (odd, COARSE), (planted.noise, planted.noise))
    assert "no whole number" in rows["odd", "adjusted"].refused
