"""A run that measures some taps only: their numbers are those of a run that measures all, and there are no others."""

import importlib
from dataclasses import asdict
from fnmatch import fnmatch

import planted
import pytest

from s3prl_plugin.analysis.one_pass.gathering import Gathering
from s3prl_plugin.analysis.planning.plan import Plan
from s3prl_plugin.errors import UserError
from s3prl_plugin.states.taps import Tap

# dec0 may have a frame more than enc0, whose frames then count for both; mid alone has the lowest rate
TAPS = (
    Tap(0, "enc0.pre", "enc0", "pre", 320, 6),
    Tap(1, "enc0.out", "enc0", "out", 320, 5),
    Tap(2, "mid.out", "mid", "out", 640, 6),
    Tap(3, "dec0.pre", "dec0", "pre", 320, 4),
    Tap(4, "dec0.out", "dec0", "out", 320, 6),
)
FEATURES = (planted.mel_map, planted.phonetic(1.0), planted.phonetic(2.0), planted.noise, planted.phonetic(0.5))
OPTIONS = {
    "cca": {
        "measures": ["cca_mel", "cca_intra", "cca_phone", "cca_matrix"],
        "intervals": "jackknife",
        "silence": "with",
        "sampled_frames": 400,
    },
    "cka": {"measures": ["cka_mel", "cka_intra", "cka_word", "cka_matrix"], "sampled_frames": 400},
    "mi": {
        "measures": ["mi_phone", "mi_frames", "mi_parity"],
        "frame_clusters": 8,
        "frame_permutations": 2,
        "sampled_frames": 400,
    },
    "rank": {},
    "rate": {"clusters": [5], "measures": ["rate_bits", "rate_phone"]},
}


@pytest.fixture(scope="module")
def corpus():
    return planted.corpus(speakers=8, per_speaker=3)


def expert(corpus, folder, name, options, gathering=None, **more):
    made = importlib.import_module(f"s3prl_plugin.downstream.{name}.expert").DownstreamExpert
    gathering = gathering or Gathering(Plan(corpus, 0))
    return made(6, 320, {"batch_size": 4, **options}, str(folder), TAPS, {"upstream": "u"}, gathering, **more)


def rows(corpus, folder, name, **more):
    made = expert(corpus, folder, name, {**OPTIONS[name], **more.pop("options", {})}, **more)
    planted.feed(made, FEATURES)
    made.log_records("test")
    return {row.identity: asdict(row) for row in made.rows}


def assert_same(some, every):
    assert some.keys() <= every.keys()
    for key, row in some.items():
        for field, value in row.items():
            expected = every[key][field]
            if isinstance(value, float) or (field == "replicates" and value is not None):
                assert value == pytest.approx(expected, rel=1e-6, abs=1e-9), (key, field)
            else:
                assert value == expected, (key, field)


@pytest.mark.parametrize("name", list(OPTIONS))
def test_numbers_and_folds_stay_what_they_are(corpus, tmp_path, name):
    every = rows(corpus, tmp_path / "all", name)
    for patterns in (["dec0.*"], ["mid.out", "enc0.out"]):
        chosen = {tap.name for tap in TAPS if any(fnmatch(tap.name, pattern) for pattern in patterns)}
        some = rows(corpus, tmp_path / patterns[0], name, options={"taps": patterns})
        assert {row["tap"] for row in some.values()} - {None} == chosen
        wanted = {
            key
            for key, row in every.items()
            if row["tap"] in chosen and (not row["measure"].endswith("_matrix") or row["tap2"] in chosen)
        }
        assert {key for key, row in some.items() if row["tap"]} == wanted
        assert_same(some, every)


def test_those_of_the_flags_are_meant_as_well(corpus, tmp_path):
    some = rows(corpus, tmp_path, "rank", selected=["mid.out", "dec0.pre"])
    assert {row["tap"] for row in some.values()} == {"mid.out", "dec0.pre"}
    both = rows(corpus, tmp_path, "rank", selected=["mid.out", "dec0.pre"], options={"taps": ["dec0.*"]})
    assert {row["tap"] for row in both.values()} == {"dec0.pre"}
    with pytest.raises(UserError, match=r"rank: .*taps \(enc0\.pre\) and -s or -l \(mid\.out\) have no tap in common"):
        expert(corpus, tmp_path, "rank", {"taps": ["enc0.pre"]}, selected=["mid.out"])


def test_analyses_of_a_suite_may_see_different_taps_in_one_pass(corpus, tmp_path):
    lead = expert(corpus, tmp_path, "rank", {"taps": ["dec0.out"]})
    second = expert(corpus, tmp_path, "cka", {**OPTIONS["cka"], "measures": ["cka_mel"]}, lead.gathering)
    planted.feed(second, FEATURES)
    alone = rows(corpus, tmp_path / "alone", "cka", options={"measures": ["cka_mel"]})
    for made, taps in ((lead, {"dec0.out"}), (second, {tap.name for tap in TAPS})):
        made.log_records("test")
        assert {row.tap for row in made.rows} == taps
    assert_same({row.identity: asdict(row) for row in second.rows}, alone)


def test_what_is_saved_of_some_taps_is_not_gone_on_from_with_others(corpus, tmp_path):
    named = [
        set(expert(corpus, tmp_path, "cca", {"measures": ["cca_mel"], "taps": taps}).gathering.statistics)
        for taps in (None, ["dec0.out"], ["mid.out"])
    ]
    assert not named[0] & named[1]
    assert not named[1] & named[2]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["enc0.ot"], r"rank: downstream_expert\.taps: no tap matches 'enc0\.ot'; did you mean 'enc0\.out'"),
        (["mid.out", "dec7.*"], r"no tap matches 'dec7\.\*'; "),
        ("mid.out", "taps: .* is not possible; give a list"),
        ([], "taps: .* is not possible; give a list"),
        ([3], "taps: .* is not possible; give a list"),
    ],
)
def test_what_cannot_be_measured_is_told(corpus, tmp_path, given, message):
    with pytest.raises(UserError, match=message):
        expert(corpus, tmp_path, "rank", {"taps": given})
