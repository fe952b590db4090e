"""What stands around the scores: replicates, subsets, controls, chance, further scores, spectra."""

import json

import numpy as np
import planted
import pytest

from s3prl_plugin import results
from s3prl_plugin.analysis.intervals import paired_difference
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.downstream.cca.controlled import ControlledPair
from s3prl_plugin.downstream.cca.default import cross_validate_pair, jackknife
from s3prl_plugin.downstream.cca.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.report import differences
from s3prl_plugin.taps import Tap

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


def named(made, measure, score="corrected", protocol="default", **fields):
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


def test_rows_keep_the_replicates_that_paired_differences_need(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone"], protocol="both")
    found = {}
    for k, tap in enumerate(TAPS):
        x, y, sample = segment_folds(made, k)
        found[tap.name] = jackknife([Moments.of(x[sample.fold == f], y[sample.fold == f]) for f in range(6)], 5)
    for score, inner in (("corrected", "product"), ("r", "r"), ("pwcca", "pwcca")):
        rows = named(made, "cca_phone", score)
        for tap, row in rows.items():
            np.testing.assert_allclose(row.replicates, getattr(found[tap], inner).replicates, atol=1e-9)
            assert row.folds_id == made.plan.folds_id
        of_rows = differences.difference(rows["enc0.pre"], rows["mid.out"])
        paired = paired_difference(getattr(found["enc0.pre"], inner), getattr(found["mid.out"], inner))
        assert of_rows.p == pytest.approx(paired.p_value, rel=1e-6)
        if score != "corrected":
            assert (of_rows.ci_low, of_rows.ci_high) == pytest.approx(paired.interval(), abs=1e-9)
    for row in named(made, "cca_phone", "pwcca", "published").values():
        assert (row.replicates, row.folds_id) == (None, None)
    assert results.read(tmp_path) == made.rows
    fast = run(corpus, tmp_path / "fast", measures=["cca_phone"], intervals="fast")
    assert all(row.replicates is None for row in fast.rows)


def test_with_and_without_silence_come_from_one_pass(tmp_path):
    corpus = planted.corpus(speakers=8, per_speaker=2, words=False)

    def loud_in_silence(utterance, tap, frames):
        silent = planted.phone_at(utterance, tap.stride, frames) < 0
        return planted.mel_map(utterance, tap, frames) * np.where(silent, 5.0, 1.0)[:, None]

    features = (planted.mel_map, loud_in_silence, planted.noise)
    runs = {
        how: run(corpus, tmp_path / how, features, measures=["cca_mel", "cca_intra"], silence=how)
        for how in ("with", "without", "both")
    }
    for measure in ("cca_mel", "cca_intra"):
        for score in ("corrected", "r", "pwcca"):
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
    assert published[0] == published[1]  # of all frames, as published


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
    expected = cross_validate_pair(ControlledPair(folds, 12), 5)
    assert controlled["mid.out"].value == pytest.approx(expected.corrected, abs=1e-8)
    assert controlled["mid.out"].value == pytest.approx(plain["mid.out"].value, abs=0.05)  # durations say nothing here
    assert controlled["mid.out"].identity != plain["mid.out"].identity
    assert len(controlled["mid.out"].replicates) == 6


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
    made = run(corpus, tmp_path, measures=["cca_phone", "cca_word"], permutations=12, word_tokens=150)
    without = run(corpus, tmp_path / "none", measures=["cca_phone", "cca_word"], word_tokens=150)
    for measure in ("cca_phone", "cca_word"):
        for score in ("corrected", "r", "pwcca"):
            for tap, row in named(made, measure, score).items():
                assert row.permutations == 12
                assert abs(row.chance) < 0.06
                assert row.chance < row.chance_high < 0.25
                theory = named(without, measure, score)[tap]
                assert (theory.chance, theory.permutations, theory.chance_high) == (0.0, None, None)
                assert (row.value, row.replicates) == (theory.value, theory.replicates)
    informed, noise = (named(made, "cca_phone")[tap] for tap in ("enc0.pre", "dec0.out"))
    assert informed.value > informed.chance_high
    assert noise.value < informed.value


def test_svcca_stands_beside_the_other_scores_on_request(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone"], extra_scores=["svcca"], intervals="fast")
    found = named(made, "cca_phone", "svcca")
    assert found["enc0.pre"].value > found["mid.out"].value > abs(found["dec0.out"].value)
    assert found["enc0.pre"].ci_low < found["enc0.pre"].value < found["enc0.pre"].ci_high
    assert not any(row.headline for row in found.values())


def test_spectra_belong_to_the_rows(corpus, tmp_path):
    made = run(corpus, tmp_path, measures=["cca_phone", "cca_mel"], spectrum=True, control=["duration"])
    text = (tmp_path / "spectra.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 3 * 3
    for line in lines:
        row = named(made, line["measure"], "r", control=line["control"])[line["tap"]]
        assert len(line["held_out"]) == (80 if line["measure"] == "cca_mel" else 5)
        assert np.mean(line["held_out"]) == pytest.approx(row.value)
        product = np.mean(line["training"]) * np.mean(line["held_out"])
        corrected = named(made, line["measure"], control=line["control"])[line["tap"]].value
        assert np.sign(product) * abs(product) ** 0.5 == pytest.approx(corrected)
        signed = np.sign(line["held_out"]) * np.sqrt(np.abs(line["held_out"]) * line["training"])
        np.testing.assert_allclose(line["corrected"], signed)
    run(corpus, tmp_path, measures=["cca_phone", "cca_mel"], spectrum=True, control=["duration"])
    assert (tmp_path / "spectra.jsonl").read_text() == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"silence": "no"}, "silence is 'no'; it must be one of with, without, both"),
        ({"control": "duration"}, "control is 'duration'; it must be a list of some of duration, speaker"),
        ({"control": ["durations"]}, "there is no 'durations'; did you mean 'duration'"),
        ({"permutations": -1}, "permutations is -1; it must be a whole number of at least 0"),
        ({"extra_scores": ["cca"]}, "there is no 'cca'"),
        ({"spectrum": "yes"}, "spectrum is 'yes'; it must be true or false"),
    ],
)
def test_options_are_checked(corpus, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        run(corpus, tmp_path, **options)
