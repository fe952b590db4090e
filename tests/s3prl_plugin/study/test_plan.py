"""What a study asks for: written out in full, and refused with file, line and what may have been meant."""

import re
import textwrap

import pytest

import s3prl_plugin
from s3prl_plugin import config, own_upstreams, study
from s3prl_plugin.errors import UserError
from s3prl_plugin.running import checks
from s3prl_plugin.study.plan import StudyUpstream

s3prl_plugin.register()


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pt").touch()


def written(text):
    with open("study.yaml", "w") as file:
        file.write(textwrap.dedent(text))
    return config.read("study.yaml")


def refusal(text):
    with pytest.raises(UserError) as caught:
        study.read(written(text))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_upstream_then_every_variation_of_all_of_them():
    found = study.read(
        written("""\
        study:
          upstreams:
            one: {upstream: mr_hubert_local, checkpoint: a.pt, options: {seed: 3}}
            two: {upstream: hubert_base, also: {coarse: {pool_to: "mean:80"}, random: null}}
          each_also:
            half: {pool_to: "decimate:40"}
            random: {random_weights: true, seed: 4}
          analyses_only: [coarse, one_half]
          seeds: [5, 3]
        """)
    )
    assert found.all == found.upstreams
    assert found.all == (
        StudyUpstream("one", "mr_hubert_local", "a.pt", {"seed": 3}),
        StudyUpstream("two", "hubert_base"),
        StudyUpstream("one_half", "mr_hubert_local", "a.pt", {"seed": 3, "pool_to": "decimate:40"}, tasks=False),
        StudyUpstream("two_half", "hubert_base", None, {"pool_to": "decimate:40"}),
        StudyUpstream("one_random", "mr_hubert_local", "a.pt", {"seed": 4, "random_weights": True}),
        StudyUpstream("two_coarse", "hubert_base", None, {"pool_to": "mean:80"}, tasks=False),
    )
    assert found.seeds == (5, 3)


def test_some_of_them_now():
    found = study.read(written("study: {upstreams: {a: {upstream: fbank}, b: {upstream: mfcc}}, only: [b]}\n"))
    assert [upstream.name for upstream in found.upstreams] == ["b"]
    assert [upstream.name for upstream in found.all] == ["a", "b"]
    assert found.seeds == ()


def test_a_pattern_is_one_upstream_for_every_checkpoint_in_the_order_of_their_steps(tmp_path, monkeypatch):
    steps = {"runs/x/checkpoint_9.pt": 900, "runs/x/checkpoint_10.pt": 1000, "runs/y/checkpoint_last.pt": 950}
    for name in (*steps, "runs/y/checkpoint_2.bak"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(own_upstreams, "train_step", lambda path: steps[path.as_posix()])
    found = study.read(
        written("""\
        study:
          upstreams:
            grown: {upstream: mr_hubert_local, checkpoints: "runs/*/checkpoint_*.pt"}
          each_also:
            random: {random_weights: true}
        """)
    )
    names = ["grown_x_checkpoint_9", "grown_y_checkpoint_last", "grown_x_checkpoint_10"]
    assert [upstream.name for upstream in found.all] == [*names, *(f"{name}_random" for name in names)]
    assert [upstream.checkpoint for upstream in found.all[:3]] == sorted(steps, key=steps.get)
    same = written("study: {upstreams: {g: {upstream: mr_hubert_local, checkpoints: 'runs/*/checkpoint_last.pt'}}}\n")
    assert [upstream.name for upstream in study.read(same).all] == ["g_y"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("study:\n  upstream: {}\n", "line 2: unknown key 'upstream' in study: did you mean 'upstreams'?"),
        ("study: {seeds: [1]}\n", "line 1: a study needs `upstreams`"),
        ("study:\n  upstreams:\n    a: {upstrem: fbank}\n", "line 3: unknown key 'upstrem'"),
        ("study:\n  upstreams:\n    a: {upstream: fbnk}\n", "line 3: study.upstreams.a: no upstream is called 'fbnk'"),
        ("study:\n  upstreams:\n    a: {}\n", "line 3: study.upstreams.a needs `upstream`"),
        ("study:\n  upstreams:\n    a: fbank\n", "study.upstreams.a must hold keys"),
        ("study:\n  upstreams:\n    a/b: {upstream: fbank}\n", "line 3: 'a/b' cannot be a folder"),
        ("study:\n  upstreams:\n    data: {upstream: fbank}\n", "line 3: 'data' cannot be a folder"),
        ("study:\n  upstreams:\n    7: {upstream: fbank}\n", "line 3: the key 7 is no text"),
        ("study:\n  upstreams:\n    a: {upstream: mr_hubert_local}\n", "mr_hubert_local needs a `checkpoint`"),
        (
            "study:\n  upstreams:\n    a: {upstream: mr_hubert_local, checkpoint: b.pt}\n",
            "line 3: .*b.pt: no such file",
        ),
        (
            "study:\n  upstreams:\n    a: {upstream: mr_hubert_local, checkpoint: 3}\n",
            "line 3: study.upstreams.a.checkpoint: 3 is not possible; give text or null",
        ),
        ("study:\n  upstreams:\n    a: {upstream: mr_hubert_local, checkpoints: b*.pt}\n", r"line 3: .*matches b\*.pt"),
        (
            "study:\n  upstreams:\n    a: {upstream: mr_hubert_local, checkpoint: a.pt, options: {stop: enc0}}\n",
            "line 3: .*unknown option 'stop'.*'stop_at'",
        ),
        (
            "study:\n  upstreams:\n    a: {upstream: fbank}\n  each_also:\n    r: {random_weights: true}\n",
            "line 5: study.each_also.r of a: random_weights: how fbank is initialised is not known",
        ),
        (
            "study:\n  upstreams:\n    a: {upstream: fbank}\n  each_also:\n    h: {pool_to: 40}\n",
            "line 5: study.each_also.h of a: pool_to",
        ),
        (
            "study:\n  upstreams:\n    a: {upstream: fbank, options: {pool_to: mean:40}}\n"
            "  each_also:\n    h: {pool_to: mean:40}\n",
            "line 5: study.each_also.h changes nothing of a; `also: {h: null}`",
        ),
        ("study:\n  upstreams:\n    a: {upstream: fbank}\n  each_also:\n    h: true\n", "line 5: .*must hold options"),
        (
            "study:\n  upstreams:\n    a: {upstream: fbank, also: {b: {pool_to: mean:40}}}\n"
            "    a_b: {upstream: fbank}\n",
            "two upstreams are called a_b",
        ),
        (
            "study:\n  upstreams:\n    a: {upstream: fbank}\n  seeds: [1, 1]\n",
            "line 4: study.seeds: .* holds a seed twice",
        ),
        (
            "study:\n  upstreams:\n    a: {upstream: fbank}\n  seeds: 3\n",
            "line 4: study.seeds: 3 is not possible; give a list",
        ),
        ("study:\n  upstreams:\n    mono: {upstream: fbank}\n  only: [mona]\n", "line 4: .*did you mean 'mono'"),
        (
            "study:\n  upstreams:\n    a: {upstream: fbank}\n  analyses_only: a\n",
            "line 4: study.analyses_only: 'a' is not possible; give a list",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(text, told):
    message = refusal(text)
    assert message.startswith("study.yaml")
    assert re.search(told, message), message


def test_the_packaged_study_is_what_its_first_line_says():
    read = config.read(config.packaged("configs", "suite", "multi_resolution_study.yaml"))
    found = study.read(read)
    models = ["hubert_base", *(f"mr_hubert_{name}" for name in ("base", "b2_a", "b2_b", "b4_a", "b5_a"))]
    by_options = {}
    for upstream in found.all:
        by_options.setdefault(tuple(upstream.options.items()), []).append(upstream.entry)
    assert by_options == {
        (): models,
        (("pool_to", "decimate:40"),): models,
        (("pool_to", "mean:40"),): models,
        (("random_weights", True),): models,
        (("random_weights", True), ("pool_to", "decimate:40")): models,
        (("pool_to", "decimate:80"),): models[2:4],
        (("pool_to", "mean:80"),): models[2:4],
    }
    assert len(found.seeds) == 3
    assert sum(upstream.tasks for upstream in found.all) == 4 * len(models)


def test_a_study_is_part_of_what_a_configuration_is_checked_for():
    asked = written("study: {upstreams: {a: {upstream: fbank}}, seds: [1]}\nsuite: {analyses: {mi: {}}}\n")
    with pytest.raises(UserError, match="'seeds'"):
        checks.check(asked, "suite", ["mi"], [])
    with pytest.raises(UserError, match="give -d suite"):
        checks.check(asked, "mi", ["mi"], [])
