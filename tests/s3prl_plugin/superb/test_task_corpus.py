"""Which corpus a task gets: the published one, one that is laid out, or generated speech; and what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

from s3prl_plugin import registry, superb
from s3prl_plugin.errors import UserError

SID, KS, ASR, ER = (superb.task(name) for name in ("SID", "KS", "ASR", "ER"))


@pytest.fixture
def manifest(tmp_path):
    """A corpus of three speakers with three utterances each."""
    folder = tmp_path / "mine"
    folder.mkdir()
    rows = ["utt\taudio\tspeaker"]
    for i in range(9):
        soundfile.write(folder / f"{i}.wav", np.random.default_rng(i).uniform(-0.1, 0.1, 8000), 16000)
        rows.append(f"u{i}\t{i}.wav\ts{i % 3}")
    (folder / "utterances.tsv").write_text("\n".join(rows) + "\n")
    return folder


def test_the_tasks_own_corpus_goes_before_the_suites():
    suite = {"corpus": "timit:/a", "tasks": {"SID": {"corpus": "/vox"}, "KS": None}}
    assert superb.corpus_of(SID, suite) == "/vox"
    assert superb.corpus_of(KS, suite) == "timit:/a"
    assert superb.corpus_of(KS, {"tasks": {"KS": {}}}) == "generated"


def test_a_corpus_that_waits_to_be_filled_in_is_refused():
    with pytest.raises(UserError, match=r"suite\.tasks\.SID\.corpus is empty: name the folder of VoxCeleb1 that holds"):
        superb.corpus_of(SID, {"tasks": {"SID": {"corpus": None}}})


def test_every_task_of_superb_yaml_waits_to_be_filled_in():
    from s3prl_plugin import config

    suite = config.read(config.packaged("configs", "suite", "superb.yaml")).data["suite"]
    assert {*suite["tasks"], "PR39"} == set(superb.tasks())
    for task in map(superb.task, suite["tasks"]):
        with pytest.raises(UserError, match=rf"{task.name}\.corpus is empty: name the folder of {task.dataset}"):
            superb.corpus_of(task, suite)


def test_a_published_corpus_is_used_as_it_is(tmp_path):
    for split in ("dev", "test"):
        (tmp_path / "vox" / split / "wav").mkdir(parents=True)
    found = superb.prepare(SID, str(tmp_path / "vox"), tmp_path / "data")
    assert (found.root, found.name, found.kind, found.laid_out) == (tmp_path / "vox", "vox", "real", False)
    assert not (tmp_path / "data").exists()


def test_what_it_lacks_is_made_beside_the_run(tmp_path):
    for split in ("train-clean-100", "dev-clean", "test-clean"):
        chapter = tmp_path / "libri" / split / "1" / "2"
        chapter.mkdir(parents=True)
        soundfile.write(chapter / "1-2-0000.flac", np.zeros(1234), 16000)
    before = sorted(path for path in (tmp_path / "libri").rglob("*"))
    found = superb.prepare(ASR, str(tmp_path / "libri"), tmp_path / "data")
    assert "1234" in (found.made / "len_for_bucket" / "dev-clean.csv").read_text()
    assert found.made.is_relative_to(tmp_path / "data")
    assert sorted(path for path in (tmp_path / "libri").rglob("*")) == before


def test_any_corpus_is_laid_out_for_a_task_that_can_use_it(manifest, tmp_path):
    for spec in (f"manifest:{manifest}", str(manifest)):
        found = superb.prepare(SID, spec, tmp_path / "data")
        assert (found.name, found.kind, found.laid_out, found.made) == ("mine", "real", True, found.root)
        assert (found.root / "veri_test_class.txt").is_file()


def test_a_layout_of_ours_stays_what_it_is_made_of(manifest, tmp_path):
    (manifest / "corpus.yaml").write_text("name: invented\nkind: generated\n")
    root = superb.prepare(SID, str(manifest), tmp_path / "data").root
    found = superb.prepare(SID, str(root), tmp_path / "other")
    assert (found.name, found.kind, found.laid_out) == ("invented", "generated", True)


def test_a_layout_says_which_package_read_its_corpus(manifest, tmp_path, monkeypatch):
    monkeypatch.setitem(registry._corpora(), "theirs", "s3prl_plugin.corpora.formats.manifest")
    monkeypatch.setattr(registry, "origin", lambda kind, name: {"their-package": "2.0"} if name == "theirs" else {})
    first = superb.prepare(SID, f"theirs:{manifest}", tmp_path / "data")
    assert first.versions == {"their-package": "2.0"}
    assert superb.prepare(SID, str(first.root), tmp_path / "other").versions == first.versions
    assert superb.prepare(SID, f"manifest:{manifest}", tmp_path / "data").root == first.root, "the same audio"


def test_a_task_that_needs_speech_of_its_own_says_so(manifest, tmp_path):
    with pytest.raises(UserError, match=r"KS: corpus .*: this is not the folder of Speech Commands v0\.01 that holds"):
        superb.prepare(KS, f"manifest:{manifest}", tmp_path / "data")


@pytest.mark.parametrize("spec", ["/no/such/folder", "genrated"])
def test_a_corpus_that_is_not_there_is_refused_with_what_would_do(tmp_path, spec):
    with pytest.raises(UserError, match=r"SID: corpus .*; or name the folder of VoxCeleb1") as refused:
        superb.prepare(SID, spec, tmp_path / "data")
    assert "\n" not in str(refused.value)


def test_a_folder_of_another_layout_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"SID: .*or name the folder of VoxCeleb1 that holds dev/wav, test/wav"):
        superb.prepare(SID, str(tmp_path / "empty"), tmp_path / "data")


@pytest.mark.slow
def test_generated_speech_is_never_taken_for_real(tmp_path):
    pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")
    found = superb.prepare(ER, "generated", tmp_path / "data")
    assert (found.name, found.kind) == ("generated", "generated")
    moved = Path(shutil.copytree(found.root, tmp_path / "IEMOCAP"))
    assert superb.prepare(ER, str(moved), tmp_path / "other").kind == "generated"
    about = yaml.safe_load((moved / "layout.yaml").read_text())
    assert about["kind"] == "generated"


def test_a_suite_is_checked_before_anything_is_loaded(monkeypatch):
    from s3prl_plugin.compat import packages

    found = superb.asked({"corpus": "timit:/a", "tasks": {"KS": None, "SID": {"corpus": "/vox"}}})
    assert [(asked.task.name, asked.spec) for asked in found] == [("KS", "timit:/a"), ("SID", "/vox")]
    assert superb.asked({}) == []
    table = (("SD", "diarization", (packages.Package("no_such_module", "h5py"),)),)
    monkeypatch.setattr(packages, "TASKS", table)
    with pytest.raises(UserError, match="SD needs no_such_module, which is not installed: pip install h5py"):
        superb.asked({"tasks": {"KS": {}, "SD": {}}})
    with pytest.raises(UserError, match="fairseq"):
        superb.asked({"tasks": {"ST": {}}})
