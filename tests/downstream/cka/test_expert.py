"""The whole of `-d cka`: the definition of HSIC on arrays, its invariances, and zero where nothing is shared."""

import itertools

import numpy as np
import planted
import pytest
from second_model import PlantedModel, latent, mixed

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.analysis.other_models.sampled import Sampler
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.analysis.statistics.frame_statistics import FrameStatistics
from s3prl_plugin.downstream.cca.expert import DownstreamExpert as Cca
from s3prl_plugin.downstream.cka.expert import DownstreamExpert as Cka
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.intervals import jackknife
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 6),
    Tap(1, "enc0.out", "enc0", "out", 320, 5),
    Tap(2, "mid.out", "mid", "out", 640, 4),
)
FEATURES = (planted.phonetic(0.5), planted.phonetic(1.0), planted.phonetic(0.5))


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=4)


def expert(corpus, out, kind=Cka, gathering=None, taps=TAPS, **options):
    return kind(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=taps,
        provenance={"upstream": "planted"},
        gathering=gathering or Gathering(Plan(corpus, 0)),
    )


def run(corpus, out, features=FEATURES, missing=(), **options):
    made = expert(corpus, out, **options)
    planted.feed(made, features, missing=missing)
    return planted.rows_of(made)


def hsic(x, y, fold):
    """The mean over pairs of folds of the inner product of their cross covariances, as numpy has these."""
    d = x.shape[1]
    covariances = [np.cov(x[fold == f].T, y[fold == f].T)[:d, d:] for f in np.unique(fold)]
    return np.mean([(a * b).sum() for a, b in itertools.permutations(covariances, 2)])


def cka(x, y, fold):
    return hsic(x, y, fold) / np.sqrt(hsic(x, x, fold) * hsic(y, y, fold))


def arrays(plan, *features):
    """Frames of features at taps of one stride, and their folds."""
    rows, fold = [], []
    for position, utterance in enumerate(plan.corpus.utterances):
        frames = min(planted.frames_at(utterance, tap) for tap, _ in features)
        rows.append([feature(utterance, tap, planted.frames_at(utterance, tap))[:frames] for tap, feature in features])
        fold.append(np.full(frames, plan.folds.of_utterance[position]))
    return *(np.concatenate(part) for part in zip(*rows, strict=True)), np.concatenate(fold)


def test_numbers_are_those_of_the_arrays(corpus, tmp_path):
    rows = run(corpus, tmp_path, measures=["cka_intra"])
    plan = Plan(corpus, 0)
    x, y, fold = arrays(plan, (TAPS[1], FEATURES[1]), (TAPS[0], FEATURES[0]))
    row = rows["enc0.out", "cka_intra", "default", "cka"]
    assert row.value == pytest.approx(cka(x, y, fold), abs=1e-5)
    without = [cka(x[fold != f], y[fold != f], fold[fold != f]) for f in range(plan.folds.count)]
    assert row.replicates == pytest.approx(without, abs=1e-5)
    assert (row.ci_low, row.ci_high) == pytest.approx(jackknife(row.value, without).interval(), abs=1e-4)
    assert (row.n, row.n_over_d, row.tap2) == (len(x), len(x) / 5, "enc0.pre")
    assert (row.chance, row.headline, row.folds_id) == (0.0, True, plan.folds_id)
    base = rows["enc0.pre", "cka_intra", "default", "cka"]
    assert base.trivial
    assert base.value == pytest.approx(1)
    assert base.ci_low is None


def test_labels_are_one_hot_columns(corpus, tmp_path):
    made = expert(corpus, tmp_path, measures=["cka_phone", "cka_word"])
    planted.feed(made, FEATURES)
    rows = planted.rows_of(made)
    for measure in made.measures:
        sample = measure.means.sample
        x = measure.means.means(2, np.arange(len(sample)))
        expected = cka(x, np.eye(len(sample.classes))[sample.label], sample.fold)
        assert rows["mid.out", measure.name, "default", "cka"].value == pytest.approx(expected, abs=1e-9)
    assert rows["enc0.pre", "cka_phone", "default", "cka"].value > 0.5
    word = rows["enc0.pre", "cka_word", "default", "cka"]
    assert word.ci_low < 0 < word.ci_high, "the planted features know phones, and words are drawn apart from them"


def test_rotation_scale_and_shift_change_nothing_and_other_maps_do(corpus, tmp_path):
    def mapped(feature, change):
        return lambda utterance, tap, frames: change(feature(utterance, tap, frames))

    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((4, 4)))[0]
    changes = {"same": lambda x: x, "rotated": lambda x: 30 * x @ rotation + 100, "bent": lambda x: x * [9, 1, 1, 1]}
    measures = ["cka_mel", "cka_intra", "cka_phone"]
    found = {
        name: run(corpus, tmp_path / name, (*FEATURES[:2], mapped(FEATURES[2], change)), measures=measures)
        for name, change in changes.items()
    }
    for measure in measures:
        same, rotated, bent = (found[name]["mid.out", measure, "default", "cka"].value for name in changes)
        assert rotated == pytest.approx(same, abs=1e-5)
        assert measure == "cka_mel" or abs(bent - same) > 0.01


def test_independent_features_that_resemble_their_neighbours_are_zero(corpus, tmp_path):
    def slow(name):
        def feature(utterance, tap, frames):
            noise = planted.generator(name, utterance.name).standard_normal((frames, tap.dim))
            for t in range(1, frames):
                noise[t] += 0.97 * noise[t - 1]
            return noise

        return feature

    features = (slow("a"), slow("b"), slow("c"))
    rows = run(corpus, tmp_path, features, measures=["cka_intra", "cka_mel"])
    x, y, _ = arrays(Plan(corpus, 0), (TAPS[1], features[1]), (TAPS[0], features[0]))
    x, y = x - x.mean(0), y - y.mean(0)
    usual = np.square(x.T @ y).sum() / np.sqrt(np.square(x.T @ x).sum() * np.square(y.T @ y).sum())
    row = rows["enc0.out", "cka_intra", "default", "cka"]
    assert row.ci_low < 0 < row.ci_high
    assert abs(row.value) < 0.02 < usual
    assert abs(rows["mid.out", "cka_mel", "default", "cka"].value) < 0.02


def test_a_suite_keeps_the_frames_once_for_cca_and_cka(corpus, tmp_path):
    gathering = Gathering(Plan(corpus, 0))
    both = {"measures": ["cka_mel", "cka_intra", "cka_phone"]}
    cka_alone = run(corpus, tmp_path / "alone", **both)
    cca = expert(corpus, tmp_path, Cca, gathering, measures=["cca_mel", "cca_phone"])
    made = expert(corpus, tmp_path, Cka, gathering, **both)
    assert len([s for s in gathering.statistics.values() if isinstance(s, FrameStatistics)]) == 1
    assert len(gathering.statistics) == 2, "frames and phone segments"
    planted.feed(cca, FEATURES)
    for key, row in planted.rows_of(made).items():
        assert row.value == pytest.approx(cka_alone[key].value, abs=1e-12)


def test_frames_are_kept_apart_where_only_one_analysis_has_another_model_beside_them(corpus, tmp_path, monkeypatch):
    model = PlantedModel(corpus, (Tap(0, "layer0", None, "layer0", 320, 3),), (planted.noise,))
    monkeypatch.setattr(second_upstream, "load", lambda *given: model)
    beside = {"other": {"upstream": "fbank", "tap": "layer0"}}

    def kept(for_cca):
        gathering = Gathering(Plan(corpus, 0))
        expert(corpus, tmp_path, Cca, gathering, **for_cca)
        expert(corpus, tmp_path, Cka, gathering, measures=["cka_mel", "cka_inter"], **beside)
        return len(gathering.statistics)

    assert kept({"measures": ["cca_mel", "cca_inter"], **beside}) == 1
    assert kept({"measures": ["cca_mel"]}) == 2, "an utterance's last frame may be missing beside another model"


def test_another_model_in_the_same_pass(corpus, tmp_path, monkeypatch):
    taps = (Tap(0, "layer0", None, "layer0", 320, 3), Tap(1, "layer1", None, "layer1", 640, 3))
    model = PlantedModel(corpus, taps, (mixed(latent("shared", 2), seed="b"), planted.noise))
    monkeypatch.setattr(second_upstream, "load", lambda *given: model)
    features = (mixed(latent("shared", 2), seed="a"), planted.noise, mixed(latent("shared", 2), seed="a"))
    other = {"upstream": "fbank", "tap": "layer0"}
    rows = run(corpus, tmp_path, features, measures=["cka_mel", "cka_inter"], other=other)
    x, y, fold = arrays(Plan(corpus, 0), (TAPS[0], features[0]), (taps[0], model.features[0]))
    row = rows["enc0.pre", "cka_inter", "default", "cka"]
    assert row.value == pytest.approx(cka(x, y, fold), abs=1e-5)
    assert (row.tap2, row.upstream2, row.n) == ("layer0", "second", len(x))
    assert rows["mid.out", "cka_inter", "default", "cka"].ci_low > 0, "averaged over a 40 ms frame, it still is there"
    nothing = rows["enc0.out", "cka_inter", "default", "cka"]
    assert nothing.ci_low < 0 < nothing.ci_high


def test_an_upstream_of_s3prl_in_the_same_pass(corpus, tmp_path):
    import s3prl_plugin

    s3prl_plugin.register()
    from s3prl import hub

    rows = run(corpus, tmp_path, measures=["cka_inter"], other={"upstream": "fbank", "tap": "layer0"})
    plan = Plan(corpus, 0)
    parts, fbank = [], hub.fbank()
    for position, utterance in enumerate(corpus.utterances):
        x = FEATURES[0](utterance, TAPS[0], planted.frames_at(utterance, TAPS[0]))
        (y,) = fbank([planted.waveform(utterance)])["hidden_states"]
        y = y[0, : 2 * (y.shape[1] // 2)].reshape(-1, 2, y.shape[2]).mean(dim=1).numpy()  # 10 ms to 20 ms
        n = min(len(x), len(y), planted.frames_at(utterance, TAPS[1]))
        parts.append((x[:n], y[:n], np.full(n, plan.folds.of_utterance[position])))
    row = rows["enc0.pre", "cka_inter", "default", "cka"]
    assert row.value == pytest.approx(cka(*map(np.concatenate, zip(*parts, strict=True))), abs=1e-4)
    assert (row.upstream2, row.tap2) == ("fbank", "layer0")


def test_missing_words_are_refused_and_missing_utterances_are_missing_from_n(tmp_path, corpus):
    rows = run(planted.corpus(words=False), tmp_path, measures=["cka_word"])
    assert all("no word times" in row.refused and row.headline for row in rows.values())
    whole, less = (run(corpus, tmp_path / str(len(m)), measures=["cka_mel"], missing=m) for m in ((), (0, 5)))
    assert all(less[key].n < row.n for key, row in whole.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": "enc0.pr"}, "cka: downstream_expert.base: no tap is called 'enc0.pr'; did you mean 'enc0.pre'"),
        ({"measures": ["cka_mell"]}, "there is no 'cka_mell'; did you mean 'cka_mel'"),
        ({"measures": ["cka_inter"]}, "cka_inter needs cka: downstream_expert.other"),
        ({"save_frames": [0]}, "save_frames: .* is not possible; give true or false, or a list"),
        ({"sampled_frames": 0}, "sampled_frames: 0 is not possible"),
    ],
)
def test_options_are_checked(corpus, tmp_path, options, message):
    with pytest.raises(UserError, match=message):
        expert(corpus, tmp_path, **options)


def test_rows_say_where_one_direction_is_all_that_is_compared(corpus, tmp_path):
    def loud(utterance, tap, frames):
        x = planted.phonetic(0.5)(utterance, tap, frames)
        x[:, 0] = 50 * planted.generator("loud", utterance.name).standard_normal(frames)
        return x

    rows = run(corpus, tmp_path, (FEATURES[0], loud, FEATURES[2]), measures=["cka_intra", "cka_phone"])
    for measure in ("cka_intra", "cka_phone"):
        assert rows["enc0.out", measure, "default", "cka"].number("first_component") > 0.9
        assert "its similarities see little else" in rows["enc0.out", measure, "default", "cka"].caveat
        assert rows["enc0.pre", measure, "default", "cka"].caveat is None
        assert 1 / 6 < rows["enc0.pre", measure, "default", "cka"].number("first_component") < 0.5


def test_a_model_whose_run_kept_its_frames(corpus, tmp_path):
    taps = (Tap(0, "layer0", None, "layer0", 320, 3), Tap(1, "layer1", None, "layer1", 640, 3))
    kept = expert(corpus, tmp_path / "b", taps=taps, measures=["cka_mel"], save_frames=[20, 40])
    theirs = Sampler(kept.gathering, taps, kept.options).own(None)
    planted.feed(kept, (mixed(latent("shared", 2), seed="b"), planted.noise))
    planted.rows_of(kept)
    other = {"saved": str(tmp_path / "b"), "tap": "layer0"}
    made = expert(corpus, tmp_path / "a", measures=["cka_inter"], other=other)
    ours = Sampler(made.gathering, TAPS, made.options).own(None)
    planted.feed(made, (mixed(latent("shared", 2), seed="a"), planted.noise, planted.noise))
    rows = planted.rows_of(made)
    assert {(row.measure, row.tap2, row.subset) for row in rows.values()} == {("cka_inter", "layer0", "sampled")}
    number = ours.rows()
    for k, name in enumerate(("enc0.pre", "enc0.out")):
        x, y = (kind.frames(tap, number).astype(float) for kind, tap in ((ours, k), (theirs, 0)))
        row = rows[name, "cka_inter", "default", "cka"]
        assert row.n == len(number)
        assert row.value == pytest.approx(cka(x, y, ours.fold[number]), abs=1e-5)
    assert rows["enc0.pre", "cka_inter", "default", "cka"].ci_low > 0
