"""Generated emotions, and the lists of folds against those that s3prl's own script makes."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from s3prl_plugin.corpora.layouts import iemocap
from s3prl_plugin.errors import UserError

pytest.importorskip("espeakng_loader", reason="generated speech needs s3prl-plugin[demo]")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return iemocap.generate(tmp_path_factory.mktemp("er") / "out")


def read(folder, session, split):
    content = json.loads((folder / "meta_data" / session / f"{split}_meta_data.json").read_text())
    return content["labels"], {(row["path"], row["label"], row["speaker"]) for row in content["meta_data"]}


@pytest.mark.parametrize("changed", [False, True])
def test_the_lists_are_those_of_s3prls_script(root, tmp_path, registered, changed):
    from s3prl.downstream.emotion import IEMOCAP_preprocess

    copy = tmp_path / "IEMOCAP"
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns("meta_data"))
    if changed:  # what real evaluations hold besides: excitement, other emotions, sentences without audio
        file = copy / "Session2" / "dialog" / "EmoEvaluation" / "Ses02F_script01.txt"
        text = file.read_text().replace("\tneu\t", "\texc\t", 2).replace("\tsad\t", "\tfru\t", 1)
        file.write_text(text.replace("Ses02F_script01_F015", "Ses02F_script01_F999") + "C-E1:\tNeutral;\t()\n")
    iemocap.complete(copy, tmp_path / "made")
    IEMOCAP_preprocess.main(str(copy))
    for session in (f"Session{i}" for i in range(1, 6)):
        for split in ("train", "test"):
            assert read(tmp_path / "made", session, split) == read(copy, session, split)
    labels = [label for _, label, _ in read(copy, "Session2", "test")[1]]
    assert (labels.count("hap"), labels.count("sad")) == ((10, 6) if changed else (8, 8))


def test_folds_are_by_speaker_and_hold_all_four_emotions(root):
    for session in (f"Session{i}" for i in range(1, 6)):
        (_, train), (_, test) = read(root, session, "train"), read(root, session, "test")
        assert not {speaker for *_, speaker in train} & {speaker for *_, speaker in test}
        assert {label for _, label, _ in test} == set(iemocap.LABELS)
        assert len(train) == 4 * len(test) == 128


def test_manners_can_be_heard(root):
    # The same sentence by the same voice is slower when sad and faster when angry.
    _, sentences = read(root, "Session1", "test")
    mean = {
        label: np.mean([soundfile.info(str(root / path)).duration for path, said, _ in sentences if said == label])
        for label in iemocap.LABELS
    }
    assert mean["ang"] < mean["hap"] < mean["neu"] < mean["sad"]


def test_lists_that_are_there_are_kept(root, tmp_path):
    iemocap.complete(root, tmp_path)
    kept = tmp_path / "meta_data" / "Session1" / "train_meta_data.json"
    kept.write_text("mine")
    iemocap.complete(root, tmp_path)
    assert kept.read_text() == "mine"


def test_a_folder_without_evaluations_is_refused(tmp_path):
    for i in range(1, 6):
        (tmp_path / f"Session{i}").mkdir()
    with pytest.raises(UserError, match=r"Session1: no dialog/EmoEvaluation"):
        iemocap.complete(tmp_path, tmp_path / "made")
