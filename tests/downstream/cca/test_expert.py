from dataclasses import replace

import numpy as np
import planted
import pytest
import torch

from s3prl_plugin import results
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.view_moments import Moments
from s3prl_plugin.corpora.corpus import Segment
from s3prl_plugin.downstream.cca import r2, spectra
from s3prl_plugin.downstream.cca.expert import DownstreamExpert
from s3prl_plugin.downstream.cca.pair import PairOfViews
from s3prl_plugin.downstream.cca.split import stratified
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 12),
    Tap(1, "mid.out", "mid", "out", 640, 12),
    Tap(2, "low.out", "low", "out", 1280, 12),
    Tap(3, "dec0.out", "dec0", "out", 320, 12),
)
PHONETIC = (planted.phonetic(0.01), planted.phonetic(0.01), planted.phonetic(0.3), planted.noise)


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=12, per_speaker=6)


def expert(corpus, out, taps=TAPS, seed=0, **options):
    return DownstreamExpert(
        upstream_dim=12,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=taps,
        provenance={"upstream": "planted"},
        gathering=Gathering(Plan(corpus, seed)),
    )


def run(corpus, out, features=PHONETIC, batch_size=8, missing=(), **options):
    made = expert(corpus, out, **options)
    planted.feed(made, features, batch_size, missing)
    return planted.rows_of(made)


def test_phones_are_found_where_they_are_planted(corpus, tmp_path):
    rows = run(corpus, tmp_path, measures=["cca_phone"])
    found = {tap.name: rows[tap.name, "cca_phone", "default", "r2"] for tap in TAPS}
    assert found["enc0.pre"].value > 0.999
    assert found["mid.out"].value > 0.75  # frames that straddle two phones blur them
    assert found["enc0.pre"].value > found["mid.out"].value > found["low.out"].value > 0.1
    nothing = rows["dec0.out", "cca_phone", "default", "r2"]
    assert nothing.ci_low < 0 < nothing.ci_high
    for row in rows.values():
        assert row.ci_low <= row.value <= row.ci_high
        assert (row.chance, row.folds, row.split_by, row.refused) == (0.0, 6, "speaker", None)
        assert row.headline == (row.score == "r2")
        assert row.n_over_d == pytest.approx(row.n * 5 / 6 / 12, rel=0.02)
    assert len(rows) == 4


def test_shuffled_labels_give_nothing(corpus, tmp_path):
    rng = np.random.default_rng(1)
    labels = rng.permutation([s.label for u in corpus.utterances for s in u.phones if s.label != "sil"]).tolist()

    def relabelled(utterance):
        phones = (s if s.label == "sil" else Segment(labels.pop(), s.start_s, s.end_s) for s in utterance.phones)
        return replace(utterance, phones=tuple(phones))

    originals = {u.name: u for u in corpus.utterances}
    shuffled = replace(corpus, utterances=tuple(relabelled(u) for u in corpus.utterances))
    features = [lambda u, tap, n, f=f: f(originals[u.name], tap, n) for f in PHONETIC]
    for row in run(shuffled, tmp_path, features, measures=["cca_phone"]).values():
        assert row.ci_low < 0 < row.ci_high


def test_mel_is_found_at_every_rate(corpus, tmp_path):
    rows = run(corpus, tmp_path, (planted.mel_map,) * 3 + (planted.noise,), measures=["cca_mel"])
    for tap in ("enc0.pre", "mid.out", "low.out"):
        # 12 dimensions can carry 12 of 80 directions.
        assert rows[tap, "cca_mel", "default", "r2"].value == pytest.approx(12 / 80, abs=2e-3)
    nothing = rows["dec0.out", "cca_mel", "default", "r2"]
    assert nothing.ci_low < 0 < nothing.ci_high


def test_a_map_of_the_base_tap_is_the_base_tap(corpus, tmp_path):
    def averaged(utterance, tap, frames):
        fine = planted.noise(utterance, TAPS[0], planted.frames_at(utterance, TAPS[0]))
        factor = tap.stride // 320
        means = np.stack([fine[i : i + factor].mean(0) for i in range(0, len(fine), factor)])
        means = np.concatenate([means, np.zeros((1, 12))])[:frames]  # the decoder's frame more is beyond the overlap
        return means @ planted.generator("map", tap.name).standard_normal((12, 12))

    features = (planted.noise, averaged, averaged, averaged)
    rows = run(corpus, tmp_path, features, measures=["cca_intra"], scores=["r2", "r", "pwcca"])
    for tap in TAPS:
        for score in ("r2", "r", "pwcca"):
            row = rows[tap.name, "cca_intra", "default", score]
            assert row.value == pytest.approx(1.0, abs=5e-3)
            assert row.tap2 == "enc0.pre"
            assert row.trivial == (tap.name == "enc0.pre")
    lowest = run(corpus, tmp_path, features, measures=["cca_intra"], base="low.out")
    assert lowest["low.out", "cca_intra", "default", "r2"].trivial
    assert 0.2 < lowest["enc0.pre", "cca_intra", "default", "r2"].value < 0.6


def test_numbers_are_those_of_the_arrays(corpus, tmp_path):
    made = expert(corpus, tmp_path, measures=["cca_phone", "cca_word"])
    planted.feed(made, PHONETIC)
    rows = planted.rows_of(made)
    for measure in made.measures[:2]:
        sample = measure.means.sample
        x = measure.means.means(2, np.arange(len(sample)))
        y = np.eye(len(sample.classes))[sample.label]
        folds = [Moments.of(x[sample.fold == f], y[sample.fold == f]) for f in range(6)]
        found = r2.cross_validate(PairOfViews(folds))
        row = rows["low.out", measure.name, "default", "r2"]
        assert row.value == pytest.approx(found.value, abs=1e-9)
        assert row.n == len(sample)


def test_two_runs_are_bit_identical(corpus, tmp_path):
    for name in ("a", "b"):
        run(corpus, tmp_path / name, protocol="both")
    assert (tmp_path / "a" / results.FILE_NAME).read_bytes() == (tmp_path / "b" / results.FILE_NAME).read_bytes()


def test_the_batch_size_changes_rounding_only(corpus, tmp_path):
    eight, one = (run(corpus, tmp_path / str(size), batch_size=size, protocol="both") for size in (8, 1))
    assert eight.keys() == one.keys()
    for key, row in eight.items():
        assert row.refused == one[key].refused
        if row.value is not None:
            # directions of equal correlation may turn among each other, and PWCCA weighs each by itself
            assert row.value == pytest.approx(one[key].value, abs=0.02 if "pwcca" in key else 1e-4)


def test_a_corpus_without_words_is_refused_in_so_many_words(tmp_path):
    rows = run(planted.corpus(words=False), tmp_path, measures=["cca_phone", "cca_word"], protocol="both")
    words = [row for row in rows.values() if row.measure == "cca_word"]
    assert len(words) == 4 * 2
    assert all("no word times" in row.refused for row in words)
    assert all(row.value is not None for row in rows.values() if row.measure == "cca_phone")


def test_too_few_rows_for_the_dimension_are_refused(corpus, tmp_path):
    wide = tuple(replace(tap, dim=40) for tap in TAPS)
    rows = run(corpus, tmp_path, taps=wide, measures=["cca_word"], protocol="both")
    for (*_, protocol, _), row in rows.items():
        assert ("effective training rows per dim" if protocol == "default" else "rows for 40 dimensions") in row.refused
    less_wide = tuple(replace(tap, dim=22) for tap in TAPS)
    grey = run(corpus, tmp_path, taps=less_wide, measures=["cca_word"])
    assert all("limited by data" in row.grey for row in grey.values())


def test_utterances_that_never_came_are_missing_from_n(corpus, tmp_path):
    whole = run(corpus, tmp_path, measures=["cca_phone", "cca_mel"])
    less = run(corpus, tmp_path, measures=["cca_phone", "cca_mel"], missing=[0, 5, 33])
    for key, row in less.items():
        assert row.n < whole[key].n
        assert row.value is not None


def test_intervals_as_asked(corpus, tmp_path):
    found = {
        how: run(corpus, tmp_path, measures=["cca_phone"], intervals=how) for how in ("folds", "jackknife", "none")
    }
    for key, row in found["folds"].items():
        assert row.ci_low is not None
        assert found["jackknife"][key].ci_low not in (None, row.ci_low)
        assert found["none"][key].ci_low is None
        assert row.value == found["jackknife"][key].value == found["none"][key].value


def test_the_published_protocol_stands_beside_the_default_one(corpus, tmp_path):
    rows = run(corpus, tmp_path, (planted.mel_map,) * 2 + (planted.phonetic(0.3), planted.noise), protocol="both")
    published = {key: row for key, row in rows.items() if key[2] == "published"}
    assert {key[1] for key in published} == {"cca_mel", "cca_intra", "cca_phone", "cca_word"}
    for row in published.values():
        assert (row.score, row.folds, row.split_by, row.headline) == ("pwcca", 10, "frame or segment", True)
    assert published["enc0.pre", "cca_mel", "published", "pwcca"].value > 0.5
    assert abs(published["dec0.out", "cca_mel", "published", "pwcca"].value) < 0.1
    alone = run(corpus, tmp_path, (planted.mel_map,) * 2 + (planted.phonetic(0.3), planted.noise), protocol="published")
    assert {key: row.value for key, row in alone.items()} == {key: row.value for key, row in published.items()}


def test_published_rows_say_what_they_rest_on(corpus, tmp_path):
    rows = run(corpus, tmp_path, protocol="both", measures=["cca_mel", "cca_phone"])
    whole = {row.measure: row.n for row in rows.values() if row.protocol == "default"}  # every row is held out once
    published = [row for row in rows.values() if row.protocol == "published"]
    assert len(published) == 2 * len(TAPS)
    for row in published:
        if row.measure == "cca_phone":  # of frames each tap has its own number
            assert row.n == pytest.approx(0.3 * whole[row.measure], rel=0.03), "three folds of ten are scored"
            assert row.n_over_d == pytest.approx(0.8 * whole[row.measure] / 12, rel=0.03), "and eight trained on"
            assert row.n_over_d * 12 + 2 / 3 * row.n <= whole[row.measure] + 2, ()


def test_published_folds_share_out_every_label():
    label = np.repeat([0, 1, 2], [25, 7, 40])
    fold = stratified(label, 10, seed=0)
    for value in range(3):
        counts = np.bincount(fold[label == value], minlength=10)
        assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": "enc0.pr"}, "no tap is called 'enc0.pr'; did you mean 'enc0.pre'"),
        ({"protocol": "old"}, "protocol: 'old' is not possible"),
        ({"word_tokens": 5}, "word_tokens: 5 is not possible"),
        ({"intervals": "bootstrap"}, "intervals: 'bootstrap' is not possible"),
    ],
)
def test_options_are_checked(corpus, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        expert(corpus, tmp_path, **options)


def test_scores_are_the_same_bits_in_any_number_of_threads(corpus, tmp_path, monkeypatch):
    found = []
    for threads in (1, 3):
        out = tmp_path / str(threads)
        made = expert(corpus, out, scores=["r2", "r", "spectrum"], silence="both", protocol="both")
        planted.feed(made, PHONETIC)
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        made.log_records("test")
        found.append([(out / name).read_bytes() for name in (results.FILE_NAME, spectra.FILE_NAME)])
    for one, other in zip(*found, strict=True):
        assert one == other
