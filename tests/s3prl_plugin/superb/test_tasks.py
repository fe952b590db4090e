"""Task settings: the published ones, and what a suite may change."""

from pathlib import Path

import pytest

from s3prl_plugin import config as configuration
from s3prl_plugin import superb
from s3prl_plugin.errors import UserError
from s3prl_plugin.superb.tasks import get


def corpus(root):
    return superb.TaskCorpus(Path(root), "vox", "real", Path(root))


def test_sid_has_the_published_settings():
    # SUPERB (arXiv 2105.01051), s3prl's own configuration of the task at 0.4.18.
    settings = superb.task("SID").settings({}, corpus("vox"))
    assert settings["runner"]["total_steps"] == 200_000
    assert (
        settings["runner"]["gradient_accumulate_steps"] * settings["downstream_expert"]["datarc"]["train_batch_size"]
        == 32
    )
    assert settings["optimizer"]["lr"] == 1e-4
    assert settings["downstream_expert"]["datarc"]["max_timestep"] == 8 * 16000
    assert settings["downstream_expert"]["modelrc"]["projector_dim"] == 256


def test_the_corpus_is_filled_in():
    datarc = superb.task("SID").settings({}, corpus("/data/vox"))["downstream_expert"]["datarc"]
    assert datarc["file_path"] == "/data/vox"
    assert datarc["meta_data"] == "/data/vox/veri_test_class.txt"


def test_overrides_change_only_what_they_name():
    task = superb.task("SID")
    plain = task.settings({}, corpus("vox"))
    changed = task.settings({"override": {"runner": {"total_steps": 5}}}, corpus("vox"))
    assert changed["runner"].pop("total_steps") == 5
    plain["runner"].pop("total_steps")
    assert changed == plain


def test_an_unknown_override_is_refused_with_its_place():
    with pytest.raises(UserError, match=r"SID\.override\.runner.*'total_steps'"):
        superb.task("SID").settings({"override": {"runner": {"totalsteps": 5}}}, corpus("vox"))


def test_changed_settings_are_those_that_matter_to_a_score():
    task = superb.task("SID")
    override = {"runner": {"total_steps": 5, "log_step": 7}, "optimizer": {"lr": 1e-2}}
    override["downstream_expert"] = {"datarc": {"num_workers": 0}}
    settings = task.settings({"override": override}, corpus("vox"))
    assert task.changed(settings, corpus("vox")) == ["runner.total_steps", "optimizer.lr=0.01 (published 0.0001)"]
    assert task.changed(task.settings({}, corpus("here")), corpus("there")) == []


@pytest.mark.parametrize(
    ("rate", "said"),
    [(1e-3, "optimizer.lr=0.001 (published 0.0001)"), (1e-7, "optimizer.lr=1e-07 (published 0.0001)")]
    + [(rate, "optimizer.lr") for rate in (2e-4, 3e-3, 0, -1e-3, "much")],
)
def test_a_learning_rate_is_free_by_powers_of_ten(rate, said):
    task = superb.task("SID")
    settings = task.settings({"override": {"optimizer": {"lr": rate}}}, corpus("vox"))
    assert task.changed(settings, corpus("vox")) == [said]


def test_how_many_checkpoints_are_kept_matters_where_all_are_scored():
    for name, said in (("SID", []), ("ASV", ["runner.max_keep"])):
        settings = superb.task(name).settings({"override": {"runner": {"max_keep": 3}}}, corpus("vox"))
        assert superb.task(name).changed(settings, corpus("vox")) == said


@pytest.mark.parametrize(("name", "score"), [("PR", "per_71"), ("PR39", "per_39")])
def test_other_labels_make_another_score(tmp_path, name, score):
    task = superb.task(name)
    libri = superb.TaskCorpus(tmp_path, "LibriSpeech", "real", tmp_path)
    settings = task.settings({}, libri)
    own = Path(get(settings, task.vocabulary))
    for content, expected, changed in (
        (own.read_text(), score, []),
        ("AA\nB\n", "per_own", [task.vocabulary]),
    ):
        (tmp_path / "vocabulary.txt").write_text(content)
        given = {"downstream_expert": {"text": {"vocab_file": str(tmp_path / "vocabulary.txt")}}}
        settings = task.settings({"override": given}, libri)
        assert task.score_name(task.headline, settings) == expected
        assert task.changed(settings, libri) == changed
    made = superb.TaskCorpus(tmp_path, "generated", "generated", tmp_path, laid_out=True)
    (tmp_path / "phone_vocabulary.txt").write_text("AA\nB\n")
    assert task.score_name(task.headline, task.settings({}, made)) == "per_own"


@pytest.mark.parametrize(
    ("name", "files", "left"),
    [
        ("KS", ["test_predict.txt", "test_truth.txt", "dev_predict.txt"], ["test_predict.txt", "test_truth.txt"]),
        ("ASR", ["test-clean-LM-hyp.ark"], ["test-clean-*-hyp.ark"]),
        (
            "SD",
            ["scoring/predictions/a.h5", "scoring/predictions/b.h5", "frame_shift", "log.log"],
            ["scoring/predictions/*.h5", "frame_shift"],
        ),
        ("ER", ["fold2/test_fold2_predict.txt", "fold2/test_fold1_predict.txt"], ["fold2/test_fold2_predict.txt"]),
        ("PR", [], []),
    ],
)
def test_predictions_that_are_kept(tmp_path, name, files, left):
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert superb.task(name).kept(tmp_path) == left


def test_rows_say_whether_the_corpus_is_the_published_one(tmp_path):
    task = superb.task("KS")

    def row(number, kind, laid_out):
        its = superb.TaskCorpus(tmp_path, "c", kind, tmp_path, laid_out)
        settings = task.settings({"override": {"optimizer": {"lr": 0.1}}}, its)
        record = superb.Record.open(tmp_path / str(number), settings, {"seed": 1})
        (record.folder / "test_predict.txt").touch()
        record.finish("dev-best.ckpt", {"speech_commands/test-acc": 0.5})
        (found,) = superb.rows(task, record, {"upstream": "u"}, its)
        assert found.predictions == ["test_predict.txt"]
        return found.published_corpus, found.changed_settings

    assert row(1, "real", False) == (True, ["optimizer.lr=0.1 (published 0.0001)"])
    assert row(2, "real", True) == (False, None)
    assert row(3, "generated", True) == (False, None)


def test_a_file_can_stand_in_for_the_published_settings(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("runner: {total_steps: 3}\n")
    assert superb.task("SID").settings({"config": str(path)}, corpus("vox"))["runner"] == {"total_steps": 3}


def test_an_unknown_task_gets_a_suggestion():
    with pytest.raises(UserError, match="SID"):
        superb.task("SDI")


@pytest.mark.parametrize(("name", "reason"), [("ST", "fairseq"), ("SE", "later"), ("SS", "later")])
def test_tasks_that_cannot_be_run_say_why(tmp_path, name, reason):
    with pytest.raises(UserError, match=reason):
        superb.task(name)
    path = tmp_path / "suite.yaml"
    path.write_text(f"suite:\n  tasks:\n    KS:\n    {name}: {{}}\n")
    with pytest.raises(UserError, match=rf"suite\.yaml, line 4: suite\.tasks\.{name}: .*{reason}"):
        superb.refuse_unavailable(configuration.read(path))


def test_what_the_plugin_laid_out_comes_with_its_own_phones():
    task = superb.task("PR")
    real = superb.TaskCorpus(Path("/libri"), "LibriSpeech", "real", Path("/made"))
    made = superb.TaskCorpus(Path("/out"), "generated", "generated", Path("/out"), laid_out=True)
    assert get(task.settings({}, real), "downstream_expert.corpus.phones") is None
    assert Path(get(task.settings({}, real), "downstream_expert.text.vocab_file")).name == "phones_stress.txt"
    assert get(task.settings({}, made), "downstream_expert.corpus.phones") == "/out/phones.txt"
    assert get(task.settings({}, made), "downstream_expert.text.vocab_file") == "/out/phone_vocabulary.txt"


def test_a_file_that_is_missing_is_named_with_its_key(tmp_path):
    task = superb.task("SID")
    vox = superb.TaskCorpus(tmp_path, "vox", "real", tmp_path)
    key = "suite.tasks.SID.override: downstream_expert.datarc.meta_data"
    with pytest.raises(UserError, match=f"veri_test_class.txt: no such file.*{key}"):
        task.check(task.settings({}, vox), vox)
    (tmp_path / "mine.txt").touch()
    override = {"downstream_expert": {"datarc": {"meta_data": str(tmp_path / "mine.txt")}}}
    task.check(task.settings({"override": override}, vox), vox)


def test_pr_on_librispeech_needs_a_lexicon(tmp_path):
    task = superb.task("PR")
    libri = superb.TaskCorpus(tmp_path, "LibriSpeech", "real", tmp_path)
    with pytest.raises(UserError, match=r"LibriSpeech does not come with downstream_expert\.corpus\.lexicon or"):
        task.check(task.settings({}, libri), libri)
    override = {"downstream_expert": {"corpus": {"lexicon": [str(tmp_path / "lexicon.txt")]}}}
    with pytest.raises(UserError, match=r"lexicon\.txt: no such file"):
        task.check(task.settings({"override": override}, libri), libri)
    (tmp_path / "lexicon.txt").touch()
    task.check(task.settings({"override": override}, libri), libri)
