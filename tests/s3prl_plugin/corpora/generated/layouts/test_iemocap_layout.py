"""Generated emotions, and the lists of folds against those that s3prl's own script makes."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from s3prl_plugin.corpora.generated.layouts import iemocap
from s3prl_plugin.errors import UserError
from s3prl_plugin.random_state import seed_everything

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


def test_the_order_is_that_of_the_lists_that_the_recipe_ships(tmp_path):
    first = ["Ses01F_script02_2", "Ses01F_impro07", "Ses01F_script03_2", "Ses01M_impro02", "Ses01F_impro06"]
    for session in range(1, 6):
        for dialog in (*first, "Ses01F_another") if session == 1 else (f"Ses{session:02d}F_impro01",):
            root = tmp_path / f"Session{session}"
            lines = [f"[0.0 - 1.0]\t{dialog}_F{i:03d}\tneu\t[2.5, 2.5, 2.5]" for i in range(2)]
            (root / "dialog" / "EmoEvaluation").mkdir(parents=True, exist_ok=True)
            (root / "dialog" / "EmoEvaluation" / f"{dialog}.txt").write_text("\n".join(lines) + "\n")
            (root / "sentences" / "wav" / dialog).mkdir(parents=True)
            for i in range(2):
                (root / "sentences" / "wav" / dialog / f"{dialog}_F{i:03d}.wav").touch()
    iemocap.complete(tmp_path, tmp_path / "made")
    content = json.loads((tmp_path / "made" / "meta_data" / "Session1" / "test_meta_data.json").read_text())
    names = [Path(row["path"]).stem for row in content["meta_data"]]
    assert names == [f"{dialog}_F{i:03d}" for dialog in (*first, "Ses01F_another") for i in range(2)]


def test_all_dialogs_are_those_of_the_recipe():
    dialogs = Path(iemocap.__file__).with_name("iemocap_dialogs.txt").read_text()
    assert len(dialogs.split()) == len(set(dialogs.split())) == 151  # all but the empty ones of 12 hours
    # of s3prl's downstream/emotion/meta_data (ec8064b): the dialogs of Session1 to Session5's test lists, as they come
    assert hashlib.sha256(dialogs.encode()).hexdigest().startswith("5e504cb5137751e5")


def test_heads_follow_the_seed_and_the_split_does_not(root, tmp_path, registered):
    from s3prl.downstream.emotion.expert import DownstreamExpert

    datarc = {"root": str(root), "meta_data": str(root / "meta_data"), "test_fold": "fold1", "pre_load": False}
    datarc |= {"train_batch_size": 4, "eval_batch_size": 4, "num_workers": 0, "valid_ratio": 0.2}
    modelrc = {"projector_dim": 8, "select": "UtteranceLevel", "UtteranceLevel": {"pooling": "MeanPooling"}}
    built = []
    for seed in (1, 2, 1):
        seed_everything(seed)
        built.append(DownstreamExpert(4, {"datarc": datarc, "modelrc": modelrc}, expdir=str(tmp_path)))
    one, two, again = ([p.detach() for p in expert.parameters()] for expert in built)
    assert not any(torch.equal(p, q) for p, q in zip(one, two, strict=True))
    assert all(torch.equal(p, q) for p, q in zip(one, again, strict=True))
    torch.manual_seed(0)
    recipe = torch.utils.data.random_split(range(128), [102, 26])  # as s3prl's expert draws it
    for expert in built:
        assert list(expert.dev_dataset.indices) == list(recipe[1].indices)


def test_a_folder_without_evaluations_is_refused(tmp_path):
    for i in range(1, 6):
        (tmp_path / f"Session{i}").mkdir()
    with pytest.raises(UserError, match=r"Session1: no dialog/EmoEvaluation"):
        iemocap.complete(tmp_path, tmp_path / "made")
