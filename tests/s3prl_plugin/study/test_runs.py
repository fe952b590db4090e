"""The runs of a study: their order, their configurations and flags, and when one is finished."""

import argparse
from types import SimpleNamespace

import pytest
import yaml

import s3prl_plugin
from s3prl_plugin import results
from s3prl_plugin.compat.replaced import replaced
from s3prl_plugin.errors import UserError
from s3prl_plugin.inference.folders import folders, remember
from s3prl_plugin.running import arguments
from s3prl_plugin.study import Study, StudyUpstream
from s3prl_plugin.study.runs import DECISIVE, PASSED_ON, REFUSED, check_flags, runs

s3prl_plugin.register()
SUITE = {
    "corpus": "timit:/t",
    "batch_size": 4,
    "analyses": {"mi": {"seeds": 2}},
    "tasks": {"SID": {}, "KS": {"corpus": "/ks"}},
    "store": {"dtype": "bfloat16"},
}
ROW = {"upstream": "u", "measure": "SID", "score": "accuracy", "value": 0.5}


def parsed(*flags):
    """What the command line makes of flags."""
    from s3prl import run_downstream as stock

    with replaced(stock, argparse=SimpleNamespace(ArgumentParser=_Remembering)):
        return _Remembering.of(stock, flags)


class _Remembering(argparse.ArgumentParser):
    """s3prl's parser, by its own flags."""

    def parse_args(self, *args, **kwargs):
        raise _Parser(self)

    @classmethod
    def of(cls, stock, flags):
        try:
            stock.get_downstream_args()
        except _Parser as found:
            return argparse.ArgumentParser.parse_args(found.args[0], flags)


class _Parser(Exception):
    """Carries a parser out."""


def study_of(*upstreams, seeds=(1, 2)):
    return Study(upstreams, upstreams, seeds)


def test_analyses_of_all_come_first_then_the_tasks_of_each_upstream(tmp_path):
    args = parsed("-m", "train", "-d", "suite", "-p", str(tmp_path))
    found = list(
        runs(study_of(StudyUpstream("a", "fbank"), StudyUpstream("b", "mfcc", tasks=False)), {"suite": SUITE}, args)
    )
    assert [(job.upstream.name, job.kind, job.seed, job.folder.relative_to(tmp_path).as_posix()) for job in found] == [
        ("a", "analyses", 1, "a"),
        ("b", "analyses", 1, "b"),
        ("a", "tasks", 1, "a/seed1"),
        ("a", "tasks", 2, "a/seed2"),
    ]
    assert found[0].suite == {"suite": {"corpus": "timit:/t", "batch_size": 4, "analyses": {"mi": {"seeds": 2}}}}
    store = {"dtype": "bfloat16", "folder": str(tmp_path / "a" / "store")}
    assert found[3].suite == {"suite": {"corpus": "timit:/t", "tasks": SUITE["tasks"], "store": store}}


def test_a_job_is_a_command_that_can_be_given_by_hand(tmp_path):
    args = parsed("-m", "train", "-d", "suite", "-p", str(tmp_path), "--device", "cpu", "-l", "0", "-f", "--seed", "9")
    upstream = StudyUpstream("a", "mr_hubert_url", "https://x/a.pt", {"pool_to": "mean:40"})
    (job,) = runs(study_of(upstream, seeds=()), {"suite": {"analyses": {"mi": {}}}, "runner": {}}, args)
    again = parsed(*job.write())
    assert (again.upstream, again.upstream_ckpt, again.expdir) == ("mr_hubert_url", "https://x/a.pt", str(job.folder))
    assert (again.seed, again.device, again.upstream_layer_selection, again.upstream_trainable) == (9, "cpu", 0, True)
    with open(again.config) as file:
        assert yaml.safe_load(file) == {"runner": {}, "suite": {"analyses": {"mi": {}}}}
    with open(again.upstream_model_config) as file:
        assert yaml.safe_load(file) == {"pool_to": "mean:40"}


def test_every_argument_of_s3prl_is_passed_on_or_refused_or_the_study_s_own():
    own = {"mode", "config", "downstream", "expdir", "expname", "seed", "override", "hub"}
    without_effect = {"evaluate_split", "auto_resume", "backend", "upstream_model_name", "hf_hub_org"}
    known = {*DECISIVE, *PASSED_ON, *REFUSED, *own, *without_effect}
    assert set(vars(parsed("-m", "train"))) == known


def test_a_finished_run_is_not_run_again_unless_something_changes(tmp_path):
    usual = StudyUpstream("a", "mr_hubert_local", str(tmp_path / "a.pt"))

    def finished_s(suite=SUITE, upstream=usual, *flags):
        args = parsed("-m", "train", "-d", "suite", "-p", str(tmp_path / "out"), *flags)
        (run, *_) = runs(study_of(upstream), {"suite": suite}, args)
        return run.mark.seconds()

    (tmp_path / "a.pt").write_text("1")
    args = parsed("-m", "train", "-d", "suite", "-p", str(tmp_path / "out"))
    (run, *_) = runs(study_of(usual), {"suite": SUITE}, args)
    run.mark.write(12.34)
    assert finished_s() is None, "without results it is not finished"
    results.write(run.folder, [results.Row(**ROW)])
    assert finished_s() == 12.3
    assert finished_s(SUITE | {"tasks": {}}) == 12.3, "tasks are another run"
    assert finished_s(SUITE, usual, "--device", "cpu") == 12.3
    assert finished_s(SUITE | {"batch_size": 5}) is None
    assert finished_s(SUITE, StudyUpstream("a", "mr_hubert_local", str(tmp_path / "a.pt"), {"native": True})) is None
    assert finished_s(SUITE, StudyUpstream("a", "mr_hubert_local", str(tmp_path / "b.pt"))) is None
    assert finished_s(SUITE, usual, "-f") is None
    (tmp_path / "a.pt").write_text("2")
    assert finished_s() is None, "the checkpoint is another one, of the same size"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["-u", "fbank"], "-u: a study names its upstreams itself"),
        (["-k", "a.pt"], "-k: "),
        (["-g", "a.yaml"], "-g: "),
        (["-r"], "-r: "),
        (["-i", "x.ckpt"], "-i: "),
        (["-m", "evaluate"], "-m evaluate: a study is run with -m train"),
        (["--local_rank", "0"], "torchrun: "),
        (["--hub", "huggingface"], "--hub huggingface: "),
        (["--seed", "7"], "--seed 7: the study names its seeds itself"),
    ],
)
def test_flags_that_a_study_cannot_follow(flags, told):
    with pytest.raises(UserError) as caught:
        check_flags(parsed("-m", "train", *flags), arguments.SEED, study_of())
    assert str(caught.value).startswith(told)


def test_a_seed_may_be_given_where_the_study_names_none():
    check_flags(parsed("-m", "train", "--seed", "7"), arguments.SEED, study_of(seeds=()))
    assert parsed("-m", "train").seed == arguments.SEED


def test_the_folders_of_a_study_are_in_its_order(tmp_path):
    for name in ("b", "a", "old", "a/seed1"):
        results.write(tmp_path / name, [results.Row(**ROW)])
    (tmp_path / "data").mkdir()
    remember(tmp_path, ["b", "missing", "a"])
    assert folders(tmp_path) == [tmp_path / "b", tmp_path / "a", tmp_path / "old"]
    assert folders(tmp_path / "a") == [tmp_path / "a"]
    assert folders(tmp_path / "nothing") == [tmp_path / "nothing"]
