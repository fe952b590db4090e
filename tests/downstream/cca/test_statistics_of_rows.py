"""What stands around the scores: replicates, subsets, controls, chance, further scores, spectra."""

import json
from dataclasses import replace

import numpy as np
import planted
import pytest

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca import r2
from s3prl_plugin.downstream.cca.controlled import ControlledPair
from s3prl_plugin.downstream.cca.default import jackknife
from s3prl_plugin.downstream.cca.expert import DownstreamExpert
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference import differences
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 12),
    Tap(1, "mid.out", "mid", "out", 640, 12),
    Tap(2, "dec0.out", "dec0", "out", 320, 12),
)
FEATURES = (planted.phonetic(0.5), planted.phonetic(1.0), planted.noise)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=12, per_speaker=6)


def run(corpus, out, features=FEATURES, **options):
    made = DownstreamExpert(
        upstream_dim=12,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=TAPS,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, 0)),
    )
    planted.feed(made, features)
    made.log_records("test")
    return made


def named(made, measure, score="r2", protocol="default", **fields):
    """Row per tap."""
    fields = {"subset": None, "control": None, **fields}
    chosen = [r for r in made.rows if (r.measure, r.score, r.protocol) == (measure, score, protocol)]
    return {r.tap: r for r in chosen if all(getattr(r, name) == value for name, value in fields.items())}


def segment_folds(made, tap):
    """Per fold, the segment means of a tap with one-hot labels, and everything that they are made of."""
    means = made.measures[0].means
    sample = means.sample
    x, y = means.means(tap, np.arange(len(sample))), np.eye(len(sample.classes))[sample.label]
    return x, y, sample


def test_rows_keep_what_paired_differences_need(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone"], protocol="both")
    found = {}
    for k, tap in enumerate(TAPS):
        x, y, sample = segment_folds(made, k)
        folds = [Moments.of(x[sample.fold == f], y[sample.fold == f]) for f in range(6)]
        found[tap.name] = r2.cross_validate(PairOfViews(folds))
    rows = named(made, "cca_phone")
    for tap, row in rows.items():
        np.testing.assert_allclose(row.per_fold, found[tap].per_fold, atol=1e-9)
        assert (row.ci_low, row.ci_high) == pytest.approx(found[tap].interval(), abs=1e-9)
        assert (row.folds_id, row.replicates, row.number("directions")) == (made.plan.folds_id, None, 5)
        assert row.n_eff_over_d == pytest.approx(found[tap].n_eff_over_d)
    of_rows = differences.difference(rows["enc0.pre"], rows["mid.out"])
    paired = found["enc0.pre"].estimate - found["mid.out"].estimate
    assert of_rows.p == pytest.approx(paired.p_value, rel=1e-6)
    assert (of_rows.ci_low, of_rows.ci_high) == pytest.approx(paired.interval(), abs=1e-9)
    for row in named(made, "cca_phone", "pwcca", "published").values():
        assert (row.per_fold, row.replicates, row.folds_id) == (None, None, None)
    assert {row.score for row in made.rows if row.protocol == "default"} == {"r2"}
    assert results.read(tmp_path) == made.rows


def test_jackknifed_rows_keep_the_score_without_each_fold(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone"], intervals="jackknife", scores=["r", "pwcca"])
    plain = run(corpus, tmp_path / "folds", measures=["cca_phone"], scores=["r", "pwcca"])
    x, y, sample = segment_folds(made, 1)
    folds = [Moments.of(x[sample.fold == f], y[sample.fold == f]) for f in range(6)]
    pair = PairOfViews(folds)
    beside = jackknife(folds, 5)
    expected = {"r2": r2.jackknife(pair, r2.cross_validate(pair)), "r": beside.r, "pwcca": beside.pwcca}
    for score, estimate in expected.items():
        row = named(made, "cca_phone", score)["mid.out"]
        np.testing.assert_allclose(row.replicates, estimate.replicates, atol=1e-9)
        assert (row.ci_low, row.ci_high) == pytest.approx(estimate.interval(), abs=1e-9)
        assert (row.per_fold, row.value) == (None, named(plain, "cca_phone", score)["mid.out"].value)


def test_with_and_without_silence_come_from_one_pass(tmp_path):
    corpus = planted.corpus(speakers=8, per_speaker=2, words=False)

    def loud_in_silence(utterance, tap, frames):
        silent = planted.phone_at(utterance, tap.stride, frames) < 0
        return planted.mel_map(utterance, tap, frames) * np.where(silent, 5.0, 1.0)[:, None]

    features = (planted.mel_map, loud_in_silence, planted.noise)
    options = {"measures": ["cca_mel", "cca_intra"], "scores": ["r", "pwcca"]}
    runs = {how: run(corpus, tmp_path / how, features, silence=how, **options) for how in ("with", "without", "both")}
    for measure in ("cca_mel", "cca_intra"):
        for score in ("r2", "r", "pwcca"):
            for subset, alone in ((None, "with"), ("speech", "without")):
                expected = named(runs[alone], measure, score, subset=subset)
                found = named(runs["both"], measure, score, subset=subset)
                assert found.keys() == expected.keys() == {tap.name for tap in TAPS}
                for tap, row in found.items():
                    assert row.value == pytest.approx(expected[tap].value, abs=1e-6)
                    assert (row.n, row.trivial) == (expected[tap].n, expected[tap].trivial)
    everything, speech = (named(runs["both"], "cca_mel", subset=s) for s in (None, "speech"))
    assert speech["enc0.pre"].n < everything["enc0.pre"].n
    assert speech["mid.out"].value > everything["mid.out"].value + 0.005  # the map is one map in speech
    published = [
        run(corpus, tmp_path, features, measures=["cca_intra"], silence=how, protocol="published").rows
        for how in ("with", "both")
    ]
    of_all_frames, of_both = ([replace(row, options_id=None) for row in rows] for rows in published)
    assert of_all_frames == of_both  # of all frames, as published


def test_without_phones_there_is_no_speech_to_tell_from_silence(tmp_path):
    made = run(planted.corpus(phones=False, words=False), tmp_path, measures=["cca_mel"], silence="both")
    assert all(row.value is not None for row in named(made, "cca_mel").values())
    refused = named(made, "cca_mel", subset="speech")
    assert len(refused) == 3
    assert all("no phone times" in row.refused for row in refused.values())


def test_what_is_held_constant_is_in_rows_of_its_own(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone"], control=["duration"])
    plain, controlled = named(made, "cca_phone"), named(made, "cca_phone", control="duration")
    x, y, sample = segment_folds(made, 1)
    duration = (sample.alignment.end - sample.alignment.start)[sample.segment]
    edges = np.quantile(duration, np.linspace(0.1, 0.9, 9))
    z = np.eye(10)[(duration[:, None] > edges).sum(axis=1)]
    folds = [Moments.of(np.column_stack([x, y])[sample.fold == f], z[sample.fold == f]) for f in range(6)]
    expected = r2.cross_validate(ControlledPair(folds, 12))
    assert controlled["mid.out"].value == pytest.approx(expected.value, abs=1e-8)
    assert controlled["mid.out"].value == pytest.approx(plain["mid.out"].value, abs=0.05)  # durations say nothing here
    assert controlled["mid.out"].identity != plain["mid.out"].identity
    assert len(controlled["mid.out"].per_fold) == 6


def test_speakers_are_held_constant_only_where_folds_share_them(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone"], control=["duration", "speaker"])
    refused = named(made, "cca_phone", control="duration+speaker")
    assert all("folds are by speaker" in row.refused for row in refused.values())
    few = planted.corpus(speakers=4, per_speaker=12)

    def voice(utterance, tap, frames):
        return FEATURES[0](utterance, tap, frames) + 3 * planted.generator(utterance.speaker, tap.name).standard_normal(
            tap.dim
        )

    made = run(few, tmp_path / "few", (voice,) * 3, measures=["cca_phone"], control=["speaker"])
    plain, controlled = named(made, "cca_phone"), named(made, "cca_phone", control="speaker")
    assert controlled["enc0.pre"].value > plain["enc0.pre"].value


def test_chance_is_the_mean_over_permutations(corpus, tmp_path):
    options = {"measures": ["cca_phone", "cca_word"], "word_tokens": 150, "scores": ["r2", "r", "pwcca"]}
    made = run(corpus, tmp_path, permutations=12, **options)
    without = run(corpus, tmp_path / "none", **options)
    for measure in ("cca_phone", "cca_word"):
        for score in ("r2", "r", "pwcca"):
            for tap, row in named(made, measure, score).items():
                assert row.permutations == 12
                assert abs(row.chance) < 0.06
                assert row.chance < row.chance_high < 0.25
                theory = named(without, measure, score)[tap]
                assert (theory.chance, theory.permutations, theory.chance_high) == (0.0, None, None)
                assert (row.value, row.per_fold) == (theory.value, theory.per_fold)
    informed, noise = (named(made, "cca_phone")[tap] for tap in ("enc0.pre", "dec0.out"))
    assert informed.value > informed.chance_high
    assert noise.value < informed.value


def test_svcca_stands_beside_the_other_scores_on_request(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone"], scores=["r2", "svcca"])
    found = named(made, "cca_phone", "svcca")
    assert found["enc0.pre"].value > found["mid.out"].value > abs(found["dec0.out"].value)
    assert found["enc0.pre"].ci_low < found["enc0.pre"].value < found["enc0.pre"].ci_high
    assert not any(row.headline for row in found.values())


def test_spectra_belong_to_the_rows(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone", "cca_mel"], scores=["spectrum", "r"], control=["duration"])
    text = (tmp_path / "spectra.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 3 * 3
    for line in lines:
        row = named(made, line["measure"], "r", control=line["control"])[line["tap"]]
        assert len(line["held_out"]) == (80 if line["measure"] == "cca_mel" else 5)
        assert np.mean(line["held_out"]) == pytest.approx(row.value)
        assert (np.diff(line["training"]) <= 0).all()
    run(corpus, tmp_path, measures=["cca_phone", "cca_mel"], scores=["spectrum", "r"], control=["duration"])
    assert (tmp_path / "spectra.jsonl").read_text() == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"silence": "no"}, "silence: 'no' is not possible"),
        ({"control": "duration"}, "control: 'duration' is not possible"),
        ({"control": ["durations"]}, "there is no 'durations'; did you mean 'duration'"),
        ({"permutations": -1}, "permutations: -1 is not possible"),
        ({"scores": ["cca"]}, "there is no 'cca'"),
        ({"scores": "r"}, "scores: 'r' is not possible"),
    ],
)
def test_options_are_checked(corpus, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        run(corpus, tmp_path, **options)
