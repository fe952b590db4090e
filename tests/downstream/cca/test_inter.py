"""cca_inter, with a model in the same pass and with saved frames, against R2_CCA of the arrays by its definition."""

import literal_r2
import numpy as np
import planted
import pytest
from second_model import PlantedModel, latent, mixed

from s3prl_plugin.analysis.grid import average_cells
from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.other_models import second_upstream
from s3prl_plugin.analysis.other_models.sampled import Sampler
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.downstream.cca.expert import DownstreamExpert
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 6),
    Tap(1, "mid.out", "mid", "out", 640, 6),
    Tap(2, "dec0.out", "dec0", "out", 320, 6),
)
FEATURES = (mixed(latent("s", 3), seed="a"), mixed(latent("s", 3), seed="a"), planted.noise)
SECOND = (Tap(0, "layer0", None, "layer0", 320, 5), Tap(1, "layer1", None, "layer1", 640, 5))
SECOND_FEATURES = (mixed(latent("s", 3), seed="b"), mixed(latent("s", 3), seed="b"))


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=4)


@pytest.fixture
def second(corpus, monkeypatch):
    model = PlantedModel(corpus, SECOND, SECOND_FEATURES)
    monkeypatch.setattr(second_upstream, "load", lambda *given: model)
    return model


def expert(corpus, out, taps=TAPS, seed=0, name="planted", **options):
    return DownstreamExpert(
        upstream_dim=6,
        upstream_rate=320,
        downstream_expert=options,
        expdir=str(out),
        taps=taps,
        provenance={"upstream": name},
        gathering=Gathering(Plan(corpus, seed)),
    )


def run(corpus, out, features=FEATURES, missing=(), **options):
    made = expert(corpus, out, **options)
    planted.feed(made, features, missing=missing)
    return planted.rows_of(made)


def pairs_of_frames(plan, tap, feature, other, other_feature):
    """Every frame of a tap with what the other model's tap says of the same time, and its fold."""
    parts = []
    for position, utterance in enumerate(plan.corpus.utterances):
        x, y = (f(utterance, t, planted.frames_at(utterance, t)) for t, f in ((tap, feature), (other, other_feature)))
        y = average_cells(planted.torch.from_numpy(y), other.stride, tap.stride, len(x)).numpy()
        n = min([len(y), *(planted.frames_at(utterance, t) for t in TAPS if t.stride == tap.stride)])
        parts.append((x[:n], y[:n], np.full(n, plan.folds.of_utterance[position])))
    return [np.concatenate(part) for part in zip(*parts, strict=True)]


@pytest.mark.parametrize("position", [0, 1])
def test_a_model_in_the_same_pass(corpus, tmp_path, second, position):
    other = {"upstream": "fbank", "tap": SECOND[position].name}
    rows = run(corpus, tmp_path, measures=["cca_intra", "cca_inter"], other=other)
    plan = Plan(corpus, 0)
    for tap, feature in zip(TAPS, FEATURES, strict=True):
        x, y, fold = pairs_of_frames(plan, tap, feature, SECOND[position], SECOND_FEATURES[position])
        row = rows[tap.name, "cca_inter", "default", "r2"]
        assert row.value == pytest.approx(literal_r2.r2(x, y, fold), abs=2e-4)
        assert row.headline
        assert (row.tap2, row.upstream2, row.n, row.trivial) == (SECOND[position].name, "second", len(x), False)
        assert row.ci_low < row.value < row.ci_high
    assert (
        rows["dec0.out", "cca_inter", "default", "r2"].ci_low
        < 0
        < rows["enc0.pre", "cca_inter", "default", "r2"].ci_low
    )


def test_three_shared_directions_are_found(corpus, tmp_path, second):
    rows = run(corpus, tmp_path, measures=["cca_inter"], other={"upstream": "fbank", "tap": "layer0"}, intervals="none")
    assert rows["enc0.pre", "cca_inter", "default", "r2"].value == pytest.approx(3 / 5, abs=0.02)
    # a 40 ms frame of noise is the mean of two 20 ms frames, exactly what the other model's are averaged to
    assert rows["mid.out", "cca_inter", "default", "r2"].value == pytest.approx(3 / 5, abs=0.02)


def test_beside_another_model_the_other_measures_stay(corpus, tmp_path, second):
    alone = run(corpus, tmp_path / "alone", measures=["cca_mel", "cca_intra"], protocol="both", intervals="none")
    other = {"upstream": "fbank", "tap": "layer0"}
    measures = ["cca_mel", "cca_intra", "cca_inter"]
    beside = run(corpus, tmp_path, measures=measures, protocol="both", intervals="none", other=other)
    for key, row in alone.items():
        assert beside[key].value == pytest.approx(row.value, abs=1e-9)
    assert beside["enc0.pre", "cca_inter", "published", "pwcca"].upstream2 == "second"


def saved(corpus, folder, save=True, missing=(), seed=0, **options):
    """A run of the second model that keeps its frames."""
    made = expert(corpus, folder, SECOND, seed, "second", measures=["cca_mel"], save_frames=save, **options)
    planted.feed(made, SECOND_FEATURES, missing=missing)
    planted.rows_of(made)
    return {"saved": str(folder), "tap": "layer0"}


def test_saved_frames_give_what_the_same_pass_gives_on_these_frames(corpus, tmp_path, second):
    other = saved(corpus, tmp_path / "b", [20, 40])
    made = expert(corpus, tmp_path / "a", measures=["cca_inter"], other=other)
    sampler = Sampler(made.gathering, TAPS, made.options)
    own, in_pass = sampler.own(None), {320: sampler.of_second(second, None), 640: sampler.of_second(second, 640)}
    planted.feed(made, FEATURES)
    rows = planted.rows_of(made)
    number = own.rows()
    for k, tap in enumerate(TAPS):
        x, y = own.frames(k, number).astype(float), in_pass[tap.stride].frames(0, number).astype(float)
        row = rows[tap.name, "cca_inter", "default", "r2"]
        assert row.value == pytest.approx(literal_r2.r2(x, y, own.fold[number]), abs=1e-9)
        assert (row.n, row.tap2, row.upstream2, row.subset) == (len(number), "layer0", "second", "sampled")
        assert row.ci_low < row.value < row.ci_high
    assert rows["enc0.pre", "cca_inter", "default", "r2"].value == pytest.approx(3 / 5, abs=0.05)


def test_frames_that_were_not_averaged_are_refused_with_what_would_help(corpus, tmp_path):
    rows = run(corpus, tmp_path / "a", measures=["cca_inter"], other=saved(corpus, tmp_path / "b"))
    assert rows["enc0.pre", "cca_inter", "default", "r2"].value is not None
    refused = rows["mid.out", "cca_inter", "default", "r2"]
    assert "not averaged over 40 ms; save_frames: [20, 40] in the run of second would help" in refused.refused
    coarse = run(corpus, tmp_path / "c", measures=["cca_inter"], other={"saved": str(tmp_path / "b"), "tap": "layer1"})
    assert all(row.value is not None for row in coarse.values()), "a coarser frame stands for all of its time"


def test_utterances_that_one_of_the_runs_missed_are_left_out(corpus, tmp_path):
    other = saved(corpus, tmp_path / "b", missing=[3])
    whole = run(corpus, tmp_path / "a", measures=["cca_inter"], other=other)["enc0.pre", "cca_inter", "default", "r2"]
    less = run(corpus, tmp_path / "c", missing=[7, 9], measures=["cca_inter"], other=other)
    assert less["enc0.pre", "cca_inter", "default", "r2"].n == whole.n - 40
    assert less["enc0.pre", "cca_inter", "default", "r2"].value == pytest.approx(whole.value, abs=0.05)


def test_frames_of_another_run_are_refused_before_the_pass(corpus, tmp_path):
    here = saved(corpus, tmp_path / "b")

    def refusal(corpus=corpus, seed=0, other=here, **options):
        with pytest.raises(UserError) as told:
            expert(corpus, tmp_path / "a", seed=seed, other=other, **{"measures": ["cca_inter"], **options})
        return str(told.value)

    assert "another seed (0, here 1); both models need the same corpus, seed" in refusal(seed=1)
    assert "another folds_id" in refusal(corpus=planted.corpus(speakers=8, per_speaker=3))
    assert "other moments; both runs need the same sampled_per_utterance" in refusal(sampled_per_utterance=5)
    assert "save_frames: true, and name its folder" in refusal(other={"saved": str(tmp_path), "tap": "layer0"})
    assert "second has no tap 'layer3'; did you mean 'layer" in refusal(other={**here, "tap": "layer3"})
    assert "`tap` is missing; second has layer0, layer1" in refusal(other={"saved": here["saved"]})
    assert "no published protocol" in refusal(protocol="published")
    (tmp_path / "b" / "statistics" / "frames.pt").write_bytes(b"nothing")
    assert "cannot be read" in refusal()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"other": None}, "cca_inter needs cca: downstream_expert.other: {upstream: NAME, tap: NAME} or {saved"),
        ({"other": {"upstream": "hubert_base"}, "measures": ["cca_mel"]}, "names neither cca_inter nor cca_matrix"),
        ({"other": "hubert_base"}, r"other: 'hubert_base' is not possible; give \{upstream: text, .*, \{saved: text, "),
        ({"other": {"tap": "layer0"}}, "other needs `upstream`"),
        ({"other": {"upstream": "hubert_base", "ckpt": "x"}}, "unknown key 'ckpt'"),
        (
            {"other": {"upstream": "hubert_base", "checkpoint": 3}},
            "other.checkpoint: 3 is not possible; give text",
        ),
        ({"other": {"upstream": "hubert_base", "options": 3}}, "other.options: 3 is not possible; give keys"),
    ],
)
def test_what_other_says_is_checked(corpus, tmp_path, second, options, message):
    with pytest.raises(UserError, match=message):
        expert(corpus, tmp_path, **{"measures": ["cca_inter"], **options})
